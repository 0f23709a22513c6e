import assert from 'node:assert/strict';
import test from 'node:test';
import { ageAt, capturedAt, displayedFrame } from './frameage.js';

const clock = { offset_ms: 1_000_000, uncertainty_ms: 4, rtt_ms: 8, trusted: true };
const stream = { clock_rtp: 90_000, clock_captured_ns: 1_005_000e6, clock_uncertainty_ns: 3e6 };

test('a frame is dated by its distance to the reference', () => {
  assert.equal(capturedAt(stream, 90_000), 1_005_000);
  assert.equal(capturedAt(stream, 99_000), 1_005_100);
  assert.equal(capturedAt(stream, 81_000), 1_004_900);
});

test('the RTP timestamp wraps both ways', () => {
  const near = { ...stream, clock_rtp: 4_294_967_000 };
  assert.ok(Math.abs(capturedAt(near, 2_704) - 1_005_033.333) < 0.01);
  const far = { ...stream, clock_rtp: 2_704 };
  assert.ok(Math.abs(capturedAt(far, 4_294_967_000) - 1_004_966.667) < 0.01);
});

test('a frame is on the glass when the browser expects it, and never before it was handed over', () => {
  const at = (more) => displayedFrame(1_000, { presentationTime: 1_004, ...more }).displayed_ms;
  assert.equal(at({ expectedDisplayTime: 1_016 }), 1_016, 'expected later: that counts');
  assert.equal(at({ expectedDisplayTime: 990 }), 1_004, 'expected before the handing: the handing counts');
  assert.equal(at({ expectedDisplayTime: 0 }), 1_004, 'not said: not younger than the handing');
  assert.equal(displayedFrame(1_010, { presentationTime: 1_004, expectedDisplayTime: 0 }).displayed_ms, 1_010, 'not said: the callback itself');
});

test('what a browser does not say of a frame is null, and durations are milliseconds', () => {
  const bare = displayedFrame(5, { presentationTime: 4, expectedDisplayTime: 6 });
  assert.deepEqual(bare, { rtp: null, displayed_ms: 6, presented_ms: 4, processing_ms: null });
  const full = displayedFrame(5, { presentationTime: 4, expectedDisplayTime: 6, rtpTimestamp: 9, processingDuration: 0.25 });
  assert.deepEqual([full.rtp, full.processing_ms], [9, 250]);
});

test('age is capture to display in the hub clock, with both error bars', () => {
  assert.deepEqual(ageAt(stream, 90_000, 5_180, clock), { ok: true, age_ms: 180, uncertainty_ms: 7 });
});

test('each missing piece has its own name', () => {
  const reason = (...a) => ageAt(...a).reason;
  assert.equal(reason(stream, null, 0, clock), 'no_picture');
  assert.equal(reason(stream, 1, 0, null), 'hub_clock_unknown');
  assert.equal(reason(stream, 1, 0, { ...clock, trusted: false }), 'hub_clock_untrusted');
  assert.equal(reason(undefined, 1, 0, clock), 'vehicle_clock_unknown');
  assert.equal(reason({ ...stream, clock_rtp: null }, 1, 0, clock), 'vehicle_clock_unknown');
  assert.equal(reason({ ...stream, clock_uncertainty_ns: null }, 1, 0, clock), 'vehicle_clock_unknown');
  assert.equal(reason({ ...stream, clock_uncertainty_ns: 21e6 }, 90_000, 5_180, clock), 'vehicle_clock_untrusted');
});

test('a picture from the future means that a clock lies; within the error bar it is fresh', () => {
  assert.equal(ageAt(stream, 90_000, 4_900, clock).reason, 'clocks_disagree');
  assert.equal(ageAt(stream, 90_000, 4_995, clock).age_ms, 0);
});

test('the mapping wears out with distance', () => {
  const late = ageAt(stream, 90_000 + 90 * 50_000, 55_200, clock);
  assert.equal(Math.round(late.uncertainty_ms), 12);
});
