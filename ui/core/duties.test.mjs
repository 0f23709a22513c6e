import assert from 'node:assert/strict';
import test from 'node:test';
import { elapsed, endedDuties, lateSteps, nextStep, openDuties } from './duties.js';
import { initialState, reduce } from './store.js';

const step = (key, due_ns, state = 'open') => ({ key, due_ns, state });
const duty = (id, more = {}) => ({ id, key: 'accident', vehicle: 'a/b', steps: [step('fire', 60e9)], event_ns: 0, ended_ns: null, ...more });
const snapshot = { type: 'snapshot', seq: 1, hub_now_ns: 1, at_ms: 1, vehicles: [], alarms: [], requests: [], commands: [] };
const state = (...duties) => [{ type: 'local.socket', state: 'open', at_ms: 0 }, { ...snapshot, duties }].reduce(reduce, initialState());

test('open duties are those without an end, the oldest event first', () => {
  const found = state(duty('b', { event_ns: 5 }), duty('a', { event_ns: 2 }), duty('c', { ended_ns: 3 }));
  assert.deepEqual(openDuties(found).map(({ id }) => id), ['a', 'b']);
});

test('an ended duty is shown for ten minutes', () => {
  const found = state(duty('c', { ended_ns: 1e9 }));
  assert.equal(endedDuties(found, 600_000).length, 1);
  assert.equal(endedDuties(found, 601_000).length, 0);
});

test('the newest state of a duty replaces the older', () => {
  const found = reduce(state(duty('a')), { type: 'delta', seq: 2, hub_now_ns: 2, duties: [duty('a', { ended_ns: 9 })] });
  assert.deepEqual(openDuties(found), []);
});

test('the next step is the open one whose time ends first; late is what is open and over', () => {
  const one = duty('a', { steps: [step('fire', 60e9, 'done'), step('police', 180e9), step('team', 120e9)] });
  assert.equal(nextStep(one).key, 'team');
  assert.equal(lateSteps(one, 119_999), 0);
  assert.equal(lateSteps(one, 180_000), 2);
  assert.equal(nextStep(duty('b', { steps: [step('fire', 1, 'skipped')] })), null);
});

test('time that has passed reads like a clock', () => {
  assert.deepEqual([-5, 999, 61_000, 3_725_000].map(elapsed), ['0:00', '0:00', '1:01', '1:02:05']);
});
