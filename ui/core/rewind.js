// @ts-check
/**
 * When was a frame that is shown again captured, and how long ago is that? Pure.
 *
 * By the stream's clock mapping, as for a live picture; where that is unknown or says
 * nonsense, by its arrival at this screen, which is later than its capture: then it is
 * marked as such.
 */
import { capturedAt } from './frameage.js';

/** A frame that took longer from capture to this screen would not have been shown as live. */
const LONGEST_WAY_MS = 10_000;

/**
 * @param {import('./frameage.js').StreamClock | undefined} stream
 * @param {{rtp: number, came_ms: number}} frame `came_ms`: arrival, by the browser's clock
 * @param {number | null} offset_ms hub clock less browser clock, null while unknown
 * @param {number} now_ms browser clock
 * @returns {{ago_ms: number, exact: boolean}} `exact`: since capture; else since arrival
 */
export function agoOf(stream, frame, offset_ms, now_ms) {
  const since_arrival_ms = Math.max(0, now_ms - frame.came_ms);
  const captured_ms = stream === undefined || offset_ms === null ? null : capturedAt(stream, frame.rtp);
  if (captured_ms === null || offset_ms === null) return { ago_ms: since_arrival_ms, exact: false };
  const way_ms = frame.came_ms + offset_ms - captured_ms;
  if (way_ms < -50 || way_ms > LONGEST_WAY_MS) return { ago_ms: since_arrival_ms, exact: false };
  return { ago_ms: since_arrival_ms + Math.max(0, way_ms), exact: true };
}
