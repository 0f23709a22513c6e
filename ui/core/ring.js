// @ts-check
/**
 * Which encoded frames of one camera are kept, so that its last ten seconds can be shown
 * again. A decoder can only begin at a keyframe, so the ring reaches back to the newest
 * keyframe that is at least `REACH_MS` old, and what lies before that one is let go:
 *
 *     K─────────K─────────K─────────K────▶ now
 *     let go    │◀── reach ───▶│            with keyframes every 2 s: 10 to 12 s
 *
 * Keyframes that are far apart make it reach further back, within the bounds in bytes and
 * frames. Beyond these the oldest whole picture group goes, and is counted; if there is
 * only one group, all of it goes, and the ring begins again at the next keyframe. Nothing
 * is asked of the vehicle for it.
 *
 * Pure: knows when a frame came (`at_ms`, any steady clock) and never looks into it.
 *
 * @typedef {{rtp: number, at_ms: number, key: boolean, bytes: number, data: ArrayBuffer, mime: string}} Kept
 *   `rtp`: its RTP timestamp, 90 kHz; `mime`: `video/H264` or like it.
 * @typedef {{frames: readonly Kept[], bytes: number, dropped: number}} Ring
 *   `dropped`: frames that the bounds cost, not those that were simply old.
 */
export const REACH_MS = 10_000;
export const MAX_RING_BYTES = 8 * 1024 * 1024;
export const MAX_RING_FRAMES = 1_200;
/** Of all rings together. */
export const MAX_TOTAL_BYTES = 96 * 1024 * 1024;
/** A pause this long between two frames: what follows is another time, not this one. */
export const GAP_MS = 15_000;

/** @returns {Ring} */
export function emptyRing() {
  return { frames: [], bytes: 0, dropped: 0 };
}

/**
 * Put one frame in and let go what is not needed any more. Takes over the ring it is given:
 * only the one it returns is to be used from then on.
 *
 * @param {Ring} ring
 * @param {Kept} frame
 * @param {{bytes: number, frames: number}} [limit]
 * @returns {Ring}
 */
export function keep(ring, frame, limit = { bytes: MAX_RING_BYTES, frames: MAX_RING_FRAMES }) {
  const last = ring.frames[ring.frames.length - 1];
  let frames = last !== undefined && frame.at_ms - last.at_ms > GAP_MS ? [] : /** @type {Kept[]} */ (ring.frames);
  let bytes = frames.length === 0 ? 0 : ring.bytes;
  let { dropped } = ring;
  // Without a keyframe before it nothing can be made of it.
  if (frames.length === 0 && !frame.key) return { frames: [], bytes: 0, dropped };
  if (frames === ring.frames) frames.push(frame);
  else frames = [frame];
  bytes += frame.bytes;
  if (frame.key) {
    const start = startFor(frames, frame.at_ms - REACH_MS);
    bytes -= sizeOf(frames, 0, start);
    frames.splice(0, start);
  }
  while (frames.length > 0 && (bytes > limit.bytes || frames.length > limit.frames)) {
    const end = groupEnd(frames);
    bytes -= sizeOf(frames, 0, end);
    dropped += end;
    frames.splice(0, end);
  }
  return { frames, bytes, dropped };
}

/** Let go the oldest group, for the sake of other rings. @param {Ring} ring @returns {Ring} */
export function shed(ring) {
  const end = groupEnd(ring.frames);
  return { frames: ring.frames.slice(end), bytes: ring.bytes - sizeOf(ring.frames, 0, end), dropped: ring.dropped + end };
}

/**
 * What is replayed: from the newest keyframe at or before `from_ms`, or the first there
 * is. `lead` frames come before `from_ms`; they are decoded and not shown.
 *
 * @param {Ring} ring
 * @param {number} from_ms
 * @returns {{frames: readonly Kept[], lead: number}}
 */
export function clip(ring, from_ms) {
  const frames = ring.frames.slice(startFor(ring.frames, from_ms));
  const first = frames.findIndex(({ at_ms }) => at_ms >= from_ms);
  return { frames, lead: first < 0 ? 0 : first };
}

/** Index of the newest keyframe that came at or before an instant; 0: there is none. @param {readonly Kept[]} frames @param {number} from_ms */
function startFor(frames, from_ms) {
  for (let at = frames.length - 1; at > 0; at -= 1) {
    if (frames[at].key && frames[at].at_ms <= from_ms) return at;
  }
  return 0;
}

/** Where the first group ends: at the second keyframe, or with all. @param {readonly Kept[]} frames */
function groupEnd(frames) {
  const next = frames.findIndex(({ key }, at) => at > 0 && key);
  return next < 0 ? frames.length : next;
}

/** @param {readonly Kept[]} frames @param {number} from @param {number} to */
function sizeOf(frames, from, to) {
  let bytes = 0;
  for (let at = from; at < to; at += 1) bytes += frames[at].bytes;
  return bytes;
}

/** Milliseconds from one RTP timestamp to another, over the wrap at 2^32 (RFC 3550 §5.1). @param {number} from @param {number} to */
export function rtpBetween(from, to) {
  return ((to - from) | 0) / 90;
}

/**
 * When each frame is to be shown, in ms from the first: by its RTP timestamp, as it was
 * captured. Where these make no sense (a new session, another timeline) by its arrival.
 *
 * @param {readonly Pick<Kept, 'rtp'|'at_ms'>[]} frames
 * @returns {number[]}
 */
export function timeline(frames) {
  const times = [];
  let at = 0;
  for (let index = 0; index < frames.length; index += 1) {
    if (index > 0) {
      const came = frames[index].at_ms - frames[index - 1].at_ms;
      const step = rtpBetween(frames[index - 1].rtp, frames[index].rtp);
      at += step >= 0 && Math.abs(step - came) < 2_000 ? step : Math.max(0, came);
    }
    times.push(at);
  }
  return times;
}

/**
 * The codec of a clip in WebCodecs' words; null: not one that can be decoded here.
 * H.264 says its profile and level in the parameter set of its keyframe (Annex B, RFC 6381).
 *
 * @param {string} mime
 * @param {ArrayBuffer} keyframe
 */
export function codecOf(mime, keyframe) {
  switch (mime.toLowerCase()) {
    case 'video/vp8': return 'vp8';
    case 'video/vp9': return 'vp09.00.40.08';
    case 'video/av1': return 'av01.0.08M.08';
    case 'video/h264': return avcCodec(new Uint8Array(keyframe));
    default: return null;
  }
}

/** @param {Uint8Array} bytes */
function avcCodec(bytes) {
  for (let at = 0; at + 6 < bytes.length; at += 1) {
    if (bytes[at] !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== 1 || (bytes[at + 3] & 0x1f) !== 7) continue;
    return `avc1.${[...bytes.subarray(at + 4, at + 7)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  }
  return null;
}
