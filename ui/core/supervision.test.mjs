import assert from 'node:assert/strict';
import { test } from 'node:test';
import { againstLimit, announced, inUnit, limitSetBy, spoken, standing, worst } from './supervision.js';

const objective = (key, verdict, reason = 'within') => ({
  key, purpose: 'monitor', indicator: 'g2g', verdict, value: 310, uncertainty: 12, limit: 500, reason, numbers: {},
});

test('the worst objective is named first, and the unknown before the merely close', () => {
  const view = { objectives: [objective('a', 'met'), objective('b', 'at_risk'), objective('c', 'unknown'), objective('d', 'violated')] };
  assert.equal(worst(view).key, 'd');
  assert.equal(worst({ objectives: view.objectives.slice(0, 3) }).key, 'c');
  assert.equal(worst({ objectives: view.objectives.slice(0, 2) }).key, 'b');
});

test('an objective that is not in use says nothing', () => {
  assert.equal(worst({ objectives: [objective('a', 'unknown', 'not_in_use'), objective('b', 'met')] }).key, 'b');
});

test('what only driving needs is no fault while the vehicle is watched', () => {
  const drive = { ...objective('loop', 'violated'), purpose: 'drive' };
  const view = { purpose: 'monitor', objectives: [objective('a', 'met'), drive] };
  assert.equal(worst(view).key, 'a');
  assert.equal(worst({ ...view, purpose: 'drive' }).key, 'loop');
});

test('nothing judged, nothing heard or nothing recent is unknown, never fine', () => {
  const fine = { objectives: [objective('a', 'met')] };
  assert.equal(standing(fine, 900), 'met');
  assert.equal(standing(fine, 3_001), 'unknown');
  assert.equal(standing(fine, null), 'unknown');
  assert.equal(standing(null, 10), 'unknown');
  assert.equal(standing({ objectives: [] }, 10), 'unknown');
});

test('a value stands beside its limit with unit and error bar', () => {
  assert.equal(againstLimit(objective('a', 'met')), '0.31 s ±0.02 / 0.50 s');
  assert.equal(againstLimit({ ...objective('a', 'unknown'), value: null }), '— / 0.50 s');
  assert.equal(inUnit('clock_uncertainty', 2.4), '2 ms');
  assert.equal(inUnit('bitrate', 812.3), '812 kbit/s');
  assert.equal(inUnit('picture_height', 720), '720');
});

test('numbers of a reason are spoken with their units', () => {
  assert.deepEqual(spoken({ age_ms: 1500, over: 3, allowed: 1.26 }), { age_ms: '1.5 s', over: '3', allowed: '1.2' });
  assert.equal(spoken({ allowed: 2.96 }).allowed, '2.9', '3 are over it');
});

test('what comes next is announced with its countdown and its direction', () => {
  const ladder = { rung: 'protect_focus', next_rung: 'speed_limit', next_at_ns: 12_000e6 };
  assert.deepEqual(announced(ladder, 10_000), { rung: 'speed_limit', in_ms: 2_000, down: false });
  assert.deepEqual(announced({ ...ladder, next_rung: 'none' }, 13_000), { rung: 'none', in_ms: 0, down: true });
  assert.equal(announced({ rung: 'none', next_rung: null, next_at_ns: null }, 0), null);
});

test('a limit is the hub’s only once the vehicle obeys it', () => {
  const limit = { kmh: 12, set_by: 'governor', state: 'applied' };
  assert.equal(limitSetBy(limit, 12 / 3.6), 'governor');
  assert.equal(limitSetBy(limit, 20 / 3.6), 'vehicle');
  assert.equal(limitSetBy({ ...limit, state: 'sent' }, 12 / 3.6), 'vehicle');
  assert.equal(limitSetBy({ ...limit, set_by: 'vehicle' }, 12 / 3.6), 'vehicle');
  assert.equal(limitSetBy(null, 5), 'vehicle');
});
