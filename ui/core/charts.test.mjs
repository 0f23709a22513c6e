import assert from 'node:assert/strict';
import { test } from 'node:test';
import { band, ceiling, charts } from './charts.js';
import { emptyRing, put, read, SERIES } from './history.js';

const nothing = Object.fromEntries(SERIES.map((name) => [name, NaN]));
const objective = (indicator, limit) => ({ indicator, limit, reason: 'within' });

function found() {
  const ring = emptyRing();
  put(ring, 700, { ...nothing, g2g: 180, g2g_bar: 4, loss: 0.02, loss_after: 0.001, kbps: 5_000, speed: 5, speed_limit: 4 });
  put(ring, 702, { ...nothing, g2g: 620, g2g_bar: 8, rtt: 42, kbps: 400, speed: 3, speed_limit: 4 });
  const supervision = { objectives: [objective('g2g', 500), objective('bitrate', 1_000)] };
  return Object.fromEntries(charts(read(ring, 702), supervision).map((chart) => [chart.key, chart]));
}

test('numbers come in the units of people', () => {
  const { g2g, rtt, loss, kbps, speed } = found();
  assert.deepEqual([g2g.unit, rtt.unit, loss.unit, kbps.unit, speed.unit], ['ms', 'ms', '%', 'Mbit/s', 'km/h']);
  assert.equal(g2g.now, 620);
  assert.equal(g2g.now_bar, 8);
  assert.equal(rtt.now, 42);
  assert.ok(Math.abs((loss.now ?? 0) - 2) < 1e-5 && Math.abs((loss.now_second ?? 0) - 0.1) < 1e-5);
  assert.ok(Math.abs((kbps.now ?? 0) - 0.4) < 1e-6);
  assert.ok(Math.abs((speed.value.at(-3) ?? 0) - 18) < 1e-5);
});

test('only what breaks its limit is marked', () => {
  const { g2g, rtt, kbps, speed } = found();
  assert.deepEqual(g2g.over.slice(-3), [null, null, 620]);
  assert.ok(rtt.over.every((value) => value === null), 'no limit, nothing to break');
  assert.deepEqual(kbps.over.slice(-3).map((value) => value !== null), [false, false, true]);
  assert.deepEqual(speed.over.slice(-3).map((value) => value !== null), [true, false, false]);
});

test('the band is the error bar, and only where there is one', () => {
  assert.deepEqual(band([180, null, 3, 5], [4, 4, 10, null]), [[176, null, 0, null], [184, null, 13, null]]);
});

test('the axis has room for values, bars and limits, and some height when there is nothing', () => {
  const { g2g, rtt } = found();
  assert.ok(ceiling(g2g, 100) >= 628);
  assert.ok(ceiling(rtt, 100) >= 100);
  const empty = charts(read(undefined, 10), null)[0];
  assert.ok(ceiling(empty, 100) > 0);
});
