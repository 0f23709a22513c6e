import assert from 'node:assert/strict';
import test from 'node:test';
import { agoOf } from './rewind.js';

const STREAM = { clock_rtp: 900_000, clock_captured_ns: 5_000e6, clock_uncertainty_ns: 1e6 };

test('a frame is as old as its capture, on the hub’s clock', () => {
  // Captured one second after the mapping: 6 000 on the hub's clock, 5 000 here; came 80 ms later.
  const { ago_ms, exact } = agoOf(STREAM, { rtp: 990_000, came_ms: 5_080 }, 1_000, 12_080);
  assert.equal(Math.round(ago_ms), 7_080);
  assert.equal(exact, true);
});

test('without a clock it is as old as its arrival, and marked so', () => {
  assert.deepEqual(agoOf(undefined, { rtp: 0, came_ms: 100 }, 1_000, 7_400), { ago_ms: 7_300, exact: false });
  assert.deepEqual(agoOf(STREAM, { rtp: 0, came_ms: 100 }, null, 7_400), { ago_ms: 7_300, exact: false });
});

test('a mapping of another timeline is not believed', () => {
  assert.deepEqual(agoOf(STREAM, { rtp: 2_900_000_000, came_ms: 5_080 }, 1_000, 6_080), { ago_ms: 1_000, exact: false });
});
