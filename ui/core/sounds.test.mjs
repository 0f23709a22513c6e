import assert from 'node:assert/strict';
import test from 'node:test';
import { nextSound, PLANS, quiet, silence } from './sounds.js';

const P1 = { id: 'a', priority: 1 };
const P2 = { id: 'b', priority: 2 };
const P3 = { id: 'c', priority: 3 };

/** Starts over a time, looked at four times a second. */
function listen(alarmsAt, lostAt = () => false, until_ms = 16_000) {
  let sounding = quiet();
  const starts = [];
  for (let now = 0; now < until_ms; now += 250) {
    const next = nextSound(sounding, alarmsAt(now), lostAt(now), now);
    sounding = next.sounding;
    if (next.start) starts.push([now, next.start]);
  }
  return starts;
}

test('P1 is five pulses of 880 Hz each 2.5 s until acknowledged', () => {
  assert.equal(PLANS.p1.pulses.length, 5);
  assert.ok(PLANS.p1.pulses.every(({ hz }) => hz === 880));
  const starts = listen((now) => (now < 6_000 ? [P1] : []));
  assert.deepEqual(starts, [[0, 'p1'], [2500, 'p1'], [5000, 'p1']]);
});

test('P2 is three pulses of 660 Hz each 7 s', () => {
  assert.equal(PLANS.p2.pulses.length, 3);
  assert.deepEqual(listen(() => [P2]), [[0, 'p2'], [7000, 'p2'], [14000, 'p2']]);
});

test('P3 sounds once', () => {
  assert.deepEqual(listen(() => [P3]), [[0, 'p3']]);
});

test('a higher alarm takes over at once, a lower one waits its turn', () => {
  const starts = listen((now) => (now < 500 ? [P2] : [P2, P1]), undefined, 4_000);
  assert.deepEqual(starts.slice(0, 2), [[0, 'p2'], [500, 'p1']]);
});

test('losing the hub sounds above everything, falling in pitch', () => {
  const [high, low] = PLANS.hub_lost.pulses;
  assert.ok(high.hz > low.hz && low.at_s > high.at_s);
  assert.deepEqual(listen(() => [P1], (now) => now >= 250, 5_000).slice(0, 2), [[0, 'p1'], [250, 'hub_lost']]);
});

test('silence lasts 30 s at most, and a new alarm ends it', () => {
  let sounding = nextSound(quiet(), [P2], false, 0).sounding;
  sounding = silence(sounding, 1_000);
  assert.equal(nextSound(sounding, [P2], false, 20_000).start, null);
  assert.equal(nextSound(sounding, [P2], false, 31_500).start, 'p2');
  assert.equal(nextSound(sounding, [P2, P1], false, 3_000).start, 'p1');
});
