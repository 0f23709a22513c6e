// @ts-check
/**
 * Beside the live path: passes each encoded frame on at once and keeps a copy of it.
 *
 * Only copying happens here, in a thread of its own; decoding again is another worker's
 * (`replayworker.js`), so a replay never holds a live picture up.
 */
import { clip, emptyRing, keep, MAX_TOTAL_BYTES, shed } from '../core/ring.js';

const scope = /** @type {any} */ (globalThis);
/** @type {Map<string, import('../core/ring.js').Ring>} */
const rings = new Map();

scope.onrtctransform = (/** @type {any} */ event) => {
  const { readable, writable, options } = event.transformer;
  const through = new TransformStream({
    transform(frame, controller) {
      const copy = copyOf(frame);
      controller.enqueue(frame);
      if (copy !== null) put(options.key, copy);
    },
  });
  // It ends with its connection; the ring stays until it is told to forget.
  readable.pipeThrough(through).pipeTo(writable).catch(() => {});
};

/** @param {any} frame RTCEncodedVideoFrame @returns {import('../core/ring.js').Kept | null} */
function copyOf(frame) {
  const about = frame.getMetadata();
  const data = frame.data.slice(0);
  if (data.byteLength === 0) return null;
  return {
    rtp: about.rtpTimestamp ?? frame.timestamp,
    at_ms: performance.timeOrigin + performance.now(),
    key: frame.type === 'key',
    bytes: data.byteLength,
    data,
    mime: about.mimeType ?? '',
  };
}

/** @param {string} key @param {import('../core/ring.js').Kept} frame */
function put(key, frame) {
  rings.set(key, keep(rings.get(key) ?? emptyRing(), frame));
  let total = 0;
  for (const { bytes } of rings.values()) total += bytes;
  while (total > MAX_TOTAL_BYTES) {
    const [largest, ring] = [...rings].reduce((a, b) => (b[1].bytes > a[1].bytes ? b : a));
    const less = shed(ring);
    rings.set(largest, less);
    total -= ring.bytes - less.bytes;
  }
}

scope.onmessage = (/** @type {MessageEvent} */ { data: message }) => {
  switch (message.type) {
    case 'ping':
      scope.postMessage({ type: 'pong', rings: Object.fromEntries([...rings].map(([key, { frames, bytes, dropped }]) => [key, { frames: frames.length, bytes, dropped }])) });
      break;
    case 'forget':
      rings.delete(message.key);
      break;
    case 'clip': {
      const ring = rings.get(message.key) ?? emptyRing();
      const newest = ring.frames[ring.frames.length - 1];
      const { frames, lead } = clip(ring, (newest?.at_ms ?? 0) - message.reach_ms);
      const copies = frames.map((frame) => ({ ...frame, data: frame.data.slice(0) }));
      scope.postMessage({ type: 'clip', id: message.id, frames: copies, lead, dropped: ring.dropped }, copies.map(({ data }) => data));
      break;
    }
  }
};
scope.postMessage({ type: 'ready' });
