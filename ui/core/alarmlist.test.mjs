import assert from 'node:assert/strict';
import test from 'node:test';
import { counted, duringFlood, filtered, folded, mayShelve, ownLoad, pressing, shares } from './alarmlist.js';
import { alarmLine, audible } from './select.js';
import { initialState, reduce } from './store.js';

const alarm = (id, priority, raised_ns, state = 'unacknowledged') =>
  ({ id, key: id.split('@')[0], vehicle: id.split('@')[1], priority, state, raised_ns });
const group = (id, members, more = {}) => ({
  id, key: 'link.lost', priority: 2, state: 'unacknowledged', site: 's', cell: '', raised_ns: 5, changed_ns: 9, members, returned: 0, ...more,
});
const row = (key, shelvable) => ({ key, priority: 3, shelvable, ja: {}, en: {} });
const run = (more = {}, ...messages) => [
  { type: 'local.socket', state: 'open', at_ms: 0 },
  { type: 'welcome', role: 'operator', account: 'hanako', alarm_catalogue: [row('energy.low', true), row('broker.down', false)] },
  { type: 'snapshot', seq: 1, hub_now_ns: 1e9, at_ms: 1, vehicles: [], requests: [], commands: [], alarms: [], ...more },
  ...messages,
].reduce(reduce, initialState());
const lost = [1, 2, 3].map((n) => alarm(`link.lost@s/v${n}`, 2, n));
const operator = (flood) => ({ account: 'hanako', flood });

test('alarms of one group are one line, one alarm of the bottom line and one sound', () => {
  const state = run({ alarms: [...lost, alarm('energy.low@s/v9', 3, 0)], alarm_groups: [group('link.lost@group-1', lost.map((one) => one.id))] });
  assert.deepEqual(folded(state).map((item) => item.id), ['link.lost@group-1', 'energy.low@s/v9']);
  assert.equal(folded(state)[0].members.length, 3);
  assert.deepEqual(alarmLine(state).map((item) => item.id), ['link.lost@group-1', 'energy.low@s/v9']);
  assert.equal(audible(state).length, 2);
});

test('a group that has ended gives its members back', () => {
  const state = run(
    { alarms: lost, alarm_groups: [group('g', lost.map((one) => one.id))] },
    { type: 'delta', seq: 2, hub_now_ns: 2e9, alarm_groups: [group('g', [])] },
  );
  assert.deepEqual(folded(state).map((item) => item.id), lost.map((one) => one.id));
});

test('filters follow the states, and what is put aside is not pressing', () => {
  const state = run({ alarms: [
    alarm('a@x', 3, 1), alarm('b@x', 3, 2, 'shelved'), alarm('c@x', 3, 3, 'suppressed_by_design'),
    alarm('d@x', 3, 4, 'out_of_service'), alarm('e@x', 3, 5, 'acknowledged'), alarm('f@x', 2, 6, 'returned_unacknowledged'),
  ] });
  const items = folded(state);
  assert.deepEqual(counted(items), { open: 3, acknowledged: 1, shelved: 1, suppressed: 1, out: 1, all: 6 });
  assert.deepEqual(filtered(items, 'open').map((item) => item.id), ['f@x', 'a@x', 'e@x']);
  assert.deepEqual(pressing(state).map((item) => item.id), ['f@x', 'a@x']);
});

test('during a flood low alarms step back, in the list and in the sound; urgent and high stay', () => {
  const kpi = { operators: [operator(true)] };
  const state = run({ alarms: [alarm('a@x', 1, 1), alarm('b@x', 2, 2), alarm('c@x', 3, 3)], alarm_kpi: kpi });
  assert.equal(ownLoad(state).flood, true);
  const { shown, behind } = duringFlood(folded(state), true);
  assert.deepEqual([shown.map((i) => i.id), behind.map((i) => i.id)], [['a@x', 'b@x'], ['c@x']]);
  assert.deepEqual(audible(state).map((one) => one.id), ['a@x', 'b@x']);
  const over = reduce(state, { type: 'delta', seq: 2, hub_now_ns: 2e9, alarm_kpi: { operators: [operator(false)] } });
  assert.equal(audible(over).length, 3);
});

test('only what the catalogue allows is offered for the shelf, and never an urgent alarm', () => {
  const state = run();
  assert.equal(mayShelve(state, alarm('energy.low@x', 3, 1)), true);
  assert.equal(mayShelve(state, alarm('energy.low@x', 1, 1)), false);
  assert.equal(mayShelve(state, alarm('energy.low@x', 3, 1, 'shelved')), false);
  assert.equal(mayShelve(state, alarm('broker.down@hub', 3, 1)), false);
  assert.equal(mayShelve({ ...state, welcome: { role: 'viewer' } }, alarm('energy.low@x', 3, 1)), false);
});

test('shares add up to a hundred, and nothing has none', () => {
  assert.deepEqual(shares([1, 3, 16]), [5, 15, 80]);
  assert.equal(shares([0, 0, 0]), null);
});
