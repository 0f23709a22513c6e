import assert from 'node:assert/strict';
import test from 'node:test';
import { budget, follow, picture, reading, steady } from './seatbudget.js';

/** A second of 15 frames a second, each taking `decode_ms`. */
const at = (second, { decode_ms = 12, dropped = 0, fps = 15, freezes = 0 } = {}) => ({
  at_ms: second * 1_000,
  decoded: second * fps,
  decode_s: (second * fps * decode_ms) / 1_000,
  dropped: second * dropped,
  waited_s: second * fps * 0.03,
  emitted: second * fps,
  freezes: second * freezes,
  hardware: false,
});
const seconds = (count, values) => {
  let readings = [];
  for (let second = 0; second <= count; second += 1) readings = follow(readings, at(second, values));
  return readings;
};
const of = (values, display_ms = 20) => picture('a/b', 'front', seconds(8, values), display_ms);

test('a picture costs what was added within the window', () => {
  const cost = of({});
  assert.equal(cost.fps, 15);
  assert.ok(Math.abs(cost.decode_ms - 12) < 1e-9 && Math.abs(cost.waiting_ms - 30) < 1e-9);
  assert.equal(cost.dropped_share, 0);
  assert.ok(seconds(60, {}).length <= 7, 'what is older is forgotten');
});

test('readings come from the picture of a report and from nothing else', () => {
  const report = [
    { type: 'codec' },
    { type: 'inbound-rtp', kind: 'audio', framesDecoded: 9 },
    { type: 'inbound-rtp', kind: 'video', framesDecoded: 5, totalDecodeTime: 0.1, powerEfficientDecoder: true },
  ];
  const found = reading(report, 7);
  assert.deepEqual([found.at_ms, found.decoded, found.decode_s, found.dropped, found.hardware], [7, 5, 0.1, 0, true]);
  assert.equal(reading([{ type: 'inbound-rtp', kind: 'audio' }], 7), null);
});

test('another connection begins anew: totals that fall are no negative cost', () => {
  const readings = follow(seconds(8, {}), { ...at(9), decoded: 3 });
  assert.equal(readings.length, 1);
  assert.equal(picture('a/b', 'front', readings, 20), null);
});

test('without a frame nothing is claimed', () => {
  const still = [at(3), { ...at(3), at_ms: 8_000 }];
  const cost = picture('a/b', 'front', still, 20);
  assert.deepEqual([cost.decode_ms, cost.waiting_ms, cost.display_ms], [null, null, null]);
  assert.equal(budget([cost], [], 8_000).state, 'unknown');
  assert.equal(budget([], [], 0).ms, null);
});

test('a seat that keeps up is well, and its figure is the slowest picture', () => {
  const found = budget([of({}, 18), of({}, 33)], [], 8_000);
  assert.deepEqual([found.state, found.ms, found.why], ['ok', 33, []]);
});

test('a slow decoder is called so: each frame takes long, or nearly all the time is taken', () => {
  assert.deepEqual(budget([of({ decode_ms: 60 })], [], 8_000).why, ['decode']);
  assert.deepEqual(budget([of({ decode_ms: 30, fps: 30 })], [], 8_000).why, ['decode']);
  assert.deepEqual(budget([of({ decode_ms: 30 })], [], 8_000).why, []);
});

test('dropped frames count above one in twenty, and not of a handful', () => {
  assert.deepEqual(budget([of({ dropped: 2 })], [], 8_000).why, ['dropping']);
  assert.deepEqual(budget([of({ dropped: 0.5 })], [], 8_000).why, []);
  assert.deepEqual(budget([of({ fps: 0.5, dropped: 0.5 })], [], 8_000).why, []);
});

test('a page that stands still is called so while it is recent', () => {
  const stalls = [{ at_ms: 1_000, length_ms: 600 }];
  assert.deepEqual(budget([of({})], stalls, 2_000).why, ['stalled']);
  assert.deepEqual(budget([of({})], stalls, 7_000).why, []);
  const many = [1, 2, 3, 4, 5, 6].map((n) => ({ at_ms: n * 500, length_ms: 190 }));
  assert.deepEqual(budget([of({})], many, 4_000).why, ['stalled']);
  assert.equal(budget([of({})], null, 4_000).stalls_known, false);
});

test('a bottleneck is told after three seconds and kept for five, so that it does not flicker', () => {
  const slow = budget([of({ decode_ms: 60 })], [], 8_000);
  const well = budget([of({})], [], 8_000);
  let told = {};
  const states = [slow, slow, slow, slow, well, slow, well, well, well, well, well, well].map((now, second) => {
    const next = steady(told, now, second * 1_000);
    told = next.told;
    return next.budget.state;
  });
  assert.deepEqual(states, ['ok', 'ok', 'ok', 'slow', 'slow', 'slow', 'slow', 'slow', 'slow', 'slow', 'ok', 'ok']);
  const once = steady(steady({}, slow, 0).told, well, 1_000);
  assert.deepEqual(once.told, {}, 'a single moment is forgotten');
});
