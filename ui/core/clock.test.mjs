import assert from 'node:assert/strict';
import test from 'node:test';
import { addExchange, emptyClock, estimate, DRIFT_PER_MS, TRUST_LIMIT_MS } from './clock.js';

/** An exchange with given delays over a true offset. */
function exchange(clock, at_ms, offset_ms, up_ms, down_ms) {
  const arrived = (at_ms + up_ms + offset_ms) * 1e6;
  return addExchange(clock, at_ms, arrived, arrived + 1e6, at_ms + up_ms + down_ms + 1);
}

test('before the first exchange nothing is known', () => {
  assert.equal(estimate(emptyClock(), 0), null);
});

test('the worked example of the module', () => {
  const clock = addExchange(emptyClock(), 100, 1103e6, 1104e6, 107);
  const known = estimate(clock, 107);
  assert.equal(known.offset_ms, 1000);
  assert.equal(known.rtt_ms, 6);
  assert.equal(known.uncertainty_ms, 3);
  assert.equal(known.trusted, true);
});

test('whatever the asymmetry, the truth lies within the error bar', () => {
  for (const [up, down] of [[1, 1], [40, 2], [2, 40], [0, 90]]) {
    const known = estimate(exchange(emptyClock(), 0, 5000, up, down), up + down + 1);
    assert.ok(Math.abs(known.offset_ms - 5000) <= known.uncertainty_ms + 1e-6);
  }
});

test('the exchange with the least round trip wins, until drift makes it worse', () => {
  let clock = exchange(emptyClock(), 0, 5000, 1, 1);
  clock = exchange(clock, 1000, 5000, 30, 2);
  assert.equal(estimate(clock, 1033).rtt_ms, 2);
  let old = exchange(emptyClock(), 0, 5000, 1, 1);
  old = exchange(old, 50_000, 5000, 2, 2);
  assert.equal(estimate(old, 50_010).rtt_ms, 4, '50 s of drift cost 5 ms');
});

test('without exchanges uncertainty grows until the clock is untrusted', () => {
  const clock = exchange(emptyClock(), 0, 5000, 1, 1);
  const grows = (TRUST_LIMIT_MS - 1) / DRIFT_PER_MS;
  assert.equal(estimate(clock, grows - 1000).trusted, true);
  assert.equal(estimate(clock, grows + 1000).trusted, false);
});

test('a long way makes the clock untrusted from the beginning', () => {
  assert.equal(estimate(exchange(emptyClock(), 0, 5000, 30, 30), 61).trusted, false);
});

test('a jump of a clock drops all older exchanges and is counted', () => {
  let clock = exchange(emptyClock(), 0, 5000, 1, 1);
  clock = exchange(clock, 1000, 9000, 10, 10);
  assert.equal(clock.steps, 1);
  assert.ok(Math.abs(estimate(clock, 1021).offset_ms - 9000) < 11);
});

test('impossible replies change nothing', () => {
  const clock = exchange(emptyClock(), 0, 5000, 1, 1);
  assert.equal(addExchange(clock, 10, 2e6, 1e6, 20), clock);
  assert.equal(addExchange(clock, 20, 1e6, 2e6, 10), clock);
  assert.equal(addExchange(clock, Number.NaN, 1e6, 2e6, 10), clock);
});

test('memory stays bounded', () => {
  let clock = emptyClock();
  for (let second = 0; second < 500; second += 1) clock = exchange(clock, second * 100, 5000, 1, 1);
  assert.ok(clock.exchanges.length <= 64);
});
