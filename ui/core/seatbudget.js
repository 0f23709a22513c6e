// @ts-check
/**
 * What this seat itself adds to the age of a picture, and whether it is the bottleneck.
 *
 * A browser counts for each received picture (W3C webrtc-stats, `inbound-rtp`) how many
 * frames were decoded and how long that took together, how many were dropped before they
 * were shown, how long frames waited in the jitter buffer. Two readings some seconds apart
 * give what holds now. Worked: 75 frames and 0.9 s of decoding within 5 s are 15 frames a
 * second of 12 ms each: the decoder is busy for 18 % of the time.
 *
 * The jitter buffer's wait belongs to the network as much as to the seat, and is shown
 * apart. Pure.
 *
 * @typedef {{at_ms: number, decoded: number, decode_s: number, dropped: number, waited_s: number,
 *            emitted: number, freezes: number, hardware: boolean | null}} Reading totals of one picture
 * @typedef {{vehicle: string, camera: string, fps: number, decode_ms: number | null,
 *            waiting_ms: number | null, display_ms: number | null, dropped: number,
 *            dropped_share: number, freezes: number, hardware: boolean | null}} Picture
 *   `display_ms`: decoder to glass, of the frame in the middle; `dropped`, `freezes`: within the window.
 * @typedef {{at_ms: number, length_ms: number}} Stall the page did nothing else for so long
 * @typedef {'decode'|'dropping'|'stalled'} Bottleneck
 * @typedef {{state: 'unknown'|'ok'|'slow', ms: number | null, why: Bottleneck[], pictures: readonly Picture[],
 *            stalled_ms: number, longest_ms: number, stalls_known: boolean}} Budget
 *   `ms`: the slowest picture's time from decoder to glass; null: not known.
 */

/** What can be slow, the worst first. @type {readonly Bottleneck[]} */
const REASONS = ['decode', 'dropping', 'stalled'];
/** Over this long figures are taken. */
export const WINDOW_MS = 5_000;
/** A page that stands still longer than this is a stall (W3C longtasks). */
export const STALL_MS = 50;

/** A decoder that is busy for this share of the time falls behind with the next hard picture. */
const BUSY = 0.8;
const DECODE_MS = 50;
/** More frames than this are lost on the last metre. */
const DROPPED = 0.05;
/** Few frames say nothing. */
const FRAMES = 10;
/** Of the window the page may stand still. */
const STALLED = 0.2;
const LONGEST_MS = 500;

/**
 * One reading from a browser's report; null: it has none of a picture.
 *
 * @param {Iterable<any>} stats the values of an `RTCStatsReport`
 * @param {number} at_ms
 * @returns {Reading | null}
 */
export function reading(stats, at_ms) {
  for (const one of stats) {
    if (one.type !== 'inbound-rtp' || one.kind !== 'video') continue;
    return {
      at_ms,
      decoded: one.framesDecoded ?? 0,
      decode_s: one.totalDecodeTime ?? 0,
      dropped: one.framesDropped ?? 0,
      waited_s: one.jitterBufferDelay ?? 0,
      emitted: one.jitterBufferEmittedCount ?? 0,
      freezes: one.freezeCount ?? 0,
      hardware: one.powerEfficientDecoder ?? null,
    };
  }
  return null;
}

/**
 * Add a reading to those of the same picture; older ones than the window needs are left out.
 * A total that fell is another connection: nothing before it counts.
 *
 * @param {readonly Reading[]} readings oldest first
 * @param {Reading} fresh
 * @returns {readonly Reading[]}
 */
export function follow(readings, fresh) {
  const last = readings[readings.length - 1];
  if (last !== undefined && (fresh.decoded < last.decoded || fresh.dropped < last.dropped)) return [fresh];
  return [...readings.filter(({ at_ms }) => fresh.at_ms - at_ms <= WINDOW_MS + 500), fresh];
}

/**
 * What one picture costs, from its first reading to its last.
 *
 * @param {string} vehicle
 * @param {string} camera
 * @param {readonly Reading[]} readings oldest first
 * @param {number | null} display_ms
 * @returns {Picture | null} null: less than a second is known
 */
export function picture(vehicle, camera, readings, display_ms) {
  const [first] = readings;
  const last = readings[readings.length - 1];
  if (first === undefined || last.at_ms - first.at_ms < 900) return null;
  const decoded = last.decoded - first.decoded;
  const emitted = last.emitted - first.emitted;
  const dropped = last.dropped - first.dropped;
  return {
    vehicle,
    camera,
    fps: (decoded * 1_000) / (last.at_ms - first.at_ms),
    decode_ms: decoded > 0 ? ((last.decode_s - first.decode_s) * 1_000) / decoded : null,
    waiting_ms: emitted > 0 ? ((last.waited_s - first.waited_s) * 1_000) / emitted : null,
    display_ms: decoded > 0 ? display_ms : null,
    dropped,
    dropped_share: decoded + dropped > 0 ? dropped / (decoded + dropped) : 0,
    freezes: last.freezes - first.freezes,
    hardware: last.hardware,
  };
}

/**
 * The whole seat.
 *
 * @param {readonly Picture[]} pictures those on screen
 * @param {readonly Stall[] | null} stalls of the page, any age; null: this browser does not tell
 * @param {number} now_ms
 * @returns {Budget}
 */
export function budget(pictures, stalls, now_ms) {
  const recent = (stalls ?? []).filter(({ at_ms }) => now_ms - at_ms <= WINDOW_MS);
  const stalled_ms = recent.reduce((sum, { length_ms }) => sum + length_ms, 0);
  const longest_ms = Math.max(0, ...recent.map(({ length_ms }) => length_ms));
  /** @type {Bottleneck[]} */
  const why = [];
  if (pictures.some(slowDecoder)) why.push('decode');
  if (pictures.some((one) => one.dropped_share > DROPPED && one.fps * (WINDOW_MS / 1_000) + one.dropped >= FRAMES)) why.push('dropping');
  if (stalled_ms > STALLED * WINDOW_MS || longest_ms > LONGEST_MS) why.push('stalled');
  const known = pictures.map(({ display_ms, decode_ms }) => display_ms ?? decode_ms).filter((ms) => ms !== null);
  const state = why.length > 0 ? 'slow' : known.length > 0 ? 'ok' : 'unknown';
  return { state, ms: known.length > 0 ? Math.max(...known) : null, why, pictures, stalled_ms, longest_ms, stalls_known: stalls !== null };
}

/** A reason must hold this long before it is told, */
const TELL_AFTER_MS = 3_000;
/** and is told this long after it was last seen: a warning that flickers is not read. */
const KEEP_MS = 5_000;

/**
 * What to tell, from what is so at this moment.
 *
 * @typedef {Partial<Record<Bottleneck, {since_ms: number, seen_ms: number}>>} Told
 * @param {Told} told as returned before, at first `{}`
 * @param {Budget} now its `why` is of this moment
 * @param {number} now_ms
 * @returns {{told: Told, budget: Budget}}
 */
export function steady(told, now, now_ms) {
  /** @type {Told} */
  const next = {};
  for (const one of REASONS) {
    const before = told[one];
    if (now.why.includes(one)) next[one] = { since_ms: before?.since_ms ?? now_ms, seen_ms: now_ms };
    // One that was never told ends with its moment.
    else if (before && before.seen_ms - before.since_ms >= TELL_AFTER_MS && now_ms - before.seen_ms < KEEP_MS) next[one] = before;
  }
  const why = REASONS.filter((one) => {
    const known = next[one];
    return known !== undefined && known.seen_ms - known.since_ms >= TELL_AFTER_MS;
  });
  const state = why.length > 0 ? 'slow' : now.ms === null ? 'unknown' : 'ok';
  return { told: next, budget: { ...now, why, state } };
}

/** @param {Picture} picture */
function slowDecoder({ decode_ms, fps }) {
  return decode_ms !== null && (decode_ms > DECODE_MS || (decode_ms * fps) / 1_000 > BUSY);
}
