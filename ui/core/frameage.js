// @ts-check
/**
 * How old is the picture on the glass: capture to display, with its error bar.
 *
 * The hub tells for each stream which instant of its own clock belongs to which RTP
 * timestamp; the browser tells the RTP timestamp of each displayed frame and when it
 * reached the glass. RTP timestamps wrap at 2^32, so the difference is signed 32-bit
 * (RFC 3550 §5.1); video runs at 90 kHz. Example: clock_rtp = 4294967000 at 5 000 ms, a
 * frame with rtp 2 704 was captured (2704 + 2^32 − 4294967000)/90 = 33.3 ms later.
 *
 * Pure.
 *
 * @typedef {import('./clock.js').Estimate} Estimate
 * @typedef {{clock_rtp?: number|null, clock_captured_ns?: number|null,
 *            clock_uncertainty_ns?: number|null}} StreamClock
 * @typedef {{ok: true, age_ms: number, uncertainty_ms: number}} KnownAge
 * @typedef {{ok: false, reason: AgeReason}} UnknownAge
 * @typedef {'no_picture'|'hub_clock_unknown'|'hub_clock_untrusted'|'vehicle_clock_unknown'|
 *           'vehicle_clock_untrusted'|'clocks_disagree'} AgeReason
 */
import { DRIFT_PER_MS, TRUST_LIMIT_MS } from './clock.js';

export const VIDEO_RATE_PER_MS = 90;

/**
 * What a browser's frame callback says of one displayed frame, in our terms.
 *
 * It reached the glass when the browser expects so, or at the callback itself where it
 * does not say; but some compositors expect a frame on the glass before they were handed
 * it, and a frame must never look younger than that handing: whichever is later.
 *
 * @param {number} now_ms the callback's own time
 * @param {Pick<VideoFrameCallbackMetadata, 'presentationTime'|'expectedDisplayTime'|'processingDuration'>
 *         & {rtpTimestamp?: number}} frame
 * @returns {import('./stages.js').Frame}
 */
export function displayedFrame(now_ms, frame) {
  return {
    rtp: frame.rtpTimestamp ?? null,
    displayed_ms: Math.max(frame.expectedDisplayTime || now_ms, frame.presentationTime),
    presented_ms: frame.presentationTime,
    processing_ms: frame.processingDuration == null ? null : frame.processingDuration * 1_000,
  };
}

/**
 * When a frame was captured, on the hub's clock in ms; null while the mapping is unknown.
 *
 * @param {StreamClock} stream
 * @param {number} rtp RTP timestamp of the frame
 * @returns {number | null}
 */
export function capturedAt(stream, rtp) {
  if (stream.clock_rtp == null || stream.clock_captured_ns == null) return null;
  return stream.clock_captured_ns / 1e6 + ((rtp - stream.clock_rtp) | 0) / VIDEO_RATE_PER_MS;
}

/**
 * Age of a frame at `at_ms` (browser clock): give the display time for its
 * capture-to-display delay, or now for the age of what is still on the glass.
 *
 * @param {StreamClock | undefined} stream
 * @param {number | null} rtp of the displayed frame, null before the first
 * @param {number} at_ms
 * @param {Estimate | null} clock
 * @returns {KnownAge | UnknownAge}
 */
export function ageAt(stream, rtp, at_ms, clock) {
  if (rtp === null) return { ok: false, reason: 'no_picture' };
  if (clock === null) return { ok: false, reason: 'hub_clock_unknown' };
  if (!clock.trusted) return { ok: false, reason: 'hub_clock_untrusted' };
  const captured_ms = stream ? capturedAt(stream, rtp) : null;
  if (captured_ms === null || stream?.clock_uncertainty_ns == null) {
    return { ok: false, reason: 'vehicle_clock_unknown' };
  }
  // The mapping was true at clock_captured_ns; it drifts with the distance to our frame.
  const distance_ms = Math.abs(captured_ms - Number(stream.clock_captured_ns) / 1e6);
  const mapping_ms = stream.clock_uncertainty_ns / 1e6 + distance_ms * DRIFT_PER_MS;
  if (mapping_ms > TRUST_LIMIT_MS) return { ok: false, reason: 'vehicle_clock_untrusted' };
  const age_ms = at_ms + clock.offset_ms - captured_ms;
  const uncertainty_ms = clock.uncertainty_ms + mapping_ms;
  // A picture from the future beyond both error bars means that one clock lies.
  if (age_ms < -uncertainty_ms) return { ok: false, reason: 'clocks_disagree' };
  return { ok: true, age_ms: Math.max(0, age_ms), uncertainty_ms };
}
