// @ts-check
/**
 * Where the age of a displayed frame comes from, stage by stage, each with its error bar.
 *
 *     capture ─encode─▶ wire ─uplink─▶ hub ─forward─▶ hub ─downlink─▶ decoder ─display─▶ glass
 *
 * The vehicle says the first (`encode_ms`), the hub the next two (`arrival_ms` from
 * capture, `forward_ms`), the browser the last: the frame was handed to the compositor at
 * `presented_ms` after `processing_ms` of decoding (W3C video-rvfc §2). What is left
 * of the age is the way from the hub with the jitter buffer, so the stages add up (the
 * hub's part is of its newest frame, so a remainder below zero is an error bar, not a time).
 * Worked: age 140, encode 20, arrival 35, forward 1, display 18 → uplink 15, downlink 86.
 *
 * Pure.
 *
 * @typedef {{rtp: number|null, displayed_ms: number, presented_ms: number, processing_ms: number|null}} Frame
 * @typedef {{stage: string, ms: number, uncertainty_ms: number}} StageTime
 */

/** The order of a frame's way. */
export const STAGES = /** @type {const} */ (['capture_encode', 'uplink', 'hub', 'downlink', 'display']);

/** Clocks of one machine, read a moment apart. */
const SAME_CLOCK_MS = 1;

/**
 * The stages of one frame; a stage that is not known is left out.
 *
 * @param {{encode_ms?: number|null, arrival_ms?: number|null, forward_ms?: number|null, clock_uncertainty_ns?: number|null} | undefined} stream
 * @param {Frame} frame
 * @param {{age_ms: number, uncertainty_ms: number}} age of that frame
 * @returns {StageTime[]}
 */
export function stagesOf(stream, frame, age) {
  /** @type {StageTime[]} */
  const known = [];
  const arrival_ms = stream?.arrival_ms ?? null;
  // Medians of two places: no frame can have arrived before it was sent.
  const encode_ms = stream?.encode_ms == null ? null : Math.min(stream.encode_ms, arrival_ms ?? Infinity);
  const forward_ms = stream?.forward_ms ?? null;
  const mapping_ms = (stream?.clock_uncertainty_ns ?? 0) / 1e6;
  if (encode_ms !== null) known.push({ stage: 'capture_encode', ms: encode_ms, uncertainty_ms: SAME_CLOCK_MS });
  if (arrival_ms !== null && encode_ms !== null) {
    known.push({ stage: 'uplink', ms: arrival_ms - encode_ms, uncertainty_ms: mapping_ms + SAME_CLOCK_MS });
  }
  if (forward_ms !== null) known.push({ stage: 'hub', ms: forward_ms, uncertainty_ms: SAME_CLOCK_MS });
  const display_ms =
    frame.processing_ms === null ? null : frame.displayed_ms - frame.presented_ms + frame.processing_ms;
  if (display_ms !== null && display_ms >= 0) {
    const before = arrival_ms === null || forward_ms === null ? null : arrival_ms + forward_ms;
    if (before !== null) {
      known.push({ stage: 'downlink', ms: Math.max(0, age.age_ms - before - display_ms), uncertainty_ms: age.uncertainty_ms + mapping_ms });
    }
    known.push({ stage: 'display', ms: display_ms, uncertainty_ms: SAME_CLOCK_MS });
  }
  return known;
}

/**
 * What one picture showed since it was last asked: the ages of its frames, and the
 * stages of the one in the middle.
 *
 * @param {readonly Frame[]} frames oldest first
 * @param {any} stream
 * @param {(frame: Frame) => import('./frameage.js').KnownAge | import('./frameage.js').UnknownAge} ageOf
 */
export function summary(frames, stream, ageOf) {
  /** @type {{frame: Frame, age: import('./frameage.js').KnownAge}[]} */
  const known = [];
  for (const frame of frames) {
    const age = ageOf(frame);
    if (age.ok) known.push({ frame, age });
  }
  if (known.length === 0) return { ages_ms: [], uncertainty_ms: null, age_ms: null, stages: [] };
  const newest = known[known.length - 1];
  const middle = [...known].sort((a, b) => a.age.age_ms - b.age.age_ms)[known.length >> 1];
  return {
    ages_ms: known.map(({ age }) => Math.round(age.age_ms * 10) / 10),
    uncertainty_ms: Math.max(...known.map(({ age }) => age.uncertainty_ms)),
    age_ms: newest.age.age_ms,
    stages: stagesOf(stream, middle.frame, middle.age),
  };
}
