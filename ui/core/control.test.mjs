import assert from 'node:assert/strict';
import test from 'node:test';
import { cardsFor, equipmentOf, orderBlockedBy } from './answers.js';
import { handBackChecklist, heldVehicle, holds, standingOf, stepsReached, takeBlockedBy } from './control.js';
import { initialState, reduce } from './store.js';

const BUS = 'maebashi/bus-01';
const OTHER = 'maebashi/bus-02';
const COMMANDS = ['stop', 'resume', 'wait', 'alternate_path', 'pull_over', 'doors', 'take_control'];
const vehicle = (id = BUS, more = {}) => ({
  id, name: id, kind: 'bus', cameras: [{ name: 'front' }], commands: COMMANDS, link: 'online', mode: 'STOP',
  mrm: 'NORMAL', pose: { speed_mps: 0, at_ns: 1 }, streams: [], media: true, ...more,
});
const control = (state, more = {}) => ({ vehicle: BUS, state, holder: 'aoki', seat: 's1', purpose: 'assist', epoch: 3, since_ns: 1, ended: '', ended_by: '', reason: '', ...more });
const request = (more = {}) => ({ id: 'e1', vehicle: BUS, reason: 'obstacle', raised_ns: 1, deadline_ns: 100, state: 'open', options: [], ...more });
const delta = (seq, more) => ({ type: 'delta', seq, hub_now_ns: 2e9, at_ms: 2000, ...more });
const desk = (more = {}, role = 'operator') => [
  { type: 'local.socket', state: 'open', at_ms: 0 },
  { type: 'welcome', role, account: 'aoki', seat: 's1', alarm_catalogue: [] },
  { type: 'snapshot', seq: 7, hub_now_ns: 1e9, at_ms: 1000, vehicles: [vehicle(), vehicle(OTHER)], alarms: [], requests: [], commands: [], ...more },
].reduce(reduce, initialState());
const asking = (more = {}) => ({ type: 'local.taking', taking: { vehicle: BUS, purpose: 'assist', request_id: '', preempt: '', at_ms: 1, refused: '', detail: '', ...more } });
const GOOD = { visible: true, still_ms: 30, age: { ok: true, age_ms: 200 } };

test('control goes from asking by offer and the vehicle’s word to held, and its steps with it', () => {
  let state = reduce(desk(), asking());
  const seen = [standingOf(state, BUS)];
  for (const [at, step] of ['offered', 'confirming', 'held', 'releasing', 'free'].entries()) {
    state = reduce(state, delta(8 + at, { controls: [control(step, { free: { holder: '', seat: '', ended: 'handed_back' }, releasing: { ended: 'handed_back' } }[step])] }));
    seen.push(standingOf(state, BUS));
  }
  assert.deepEqual(seen, ['asking', 'offered', 'confirming', 'held', 'releasing', 'free']);
  assert.deepEqual(seen.map(stepsReached), [1, 2, 3, 4, 0, 0]);
  assert.equal(state.gone, null);
});

test('the same account at another console does not have it', () => {
  const state = desk({ controls: [control('held', { seat: 's2' })] });
  assert.equal(standingOf(state, BUS), 'other');
  assert.equal(heldVehicle(state), null);
});

test('without a socket nobody knows who has control', () => {
  const state = reduce(desk({ controls: [control('held')] }), { type: 'local.socket', state: 'lost', at_ms: 5 });
  assert.equal(standingOf(state, BUS), 'unknown');
  assert.equal(holds(state, BUS), false);
});

test('what was asked before the socket was lost is not asked again', () => {
  const lost = reduce(reduce(desk(), asking()), { type: 'local.socket', state: 'lost', at_ms: 5 });
  assert.equal(lost.taking, null);
});

test('who is preempted is told by whom and why, at once', () => {
  const held = desk({ controls: [control('held')] });
  const state = reduce(held, delta(8, { controls: [control('confirming', { seat: 's9', holder: 'mori', ended: 'preempted', ended_by: 'mori', reason: 'child on the road' })] }));
  assert.deepEqual({ ...state.gone, at_ms: 0 }, { vehicle: BUS, how: 'preempted', by: 'mori', reason: 'child on the road', at_ms: 0 });
  assert.equal(standingOf(state, BUS), 'other');
});

test('who lost his socket has no control after the reconnect, with a new seat, and is told so', () => {
  let state = reduce(desk({ controls: [control('held')] }), { type: 'local.socket', state: 'lost', at_ms: 5 });
  assert.equal(state.gone.how, 'seat_lost');
  state = reduce(state, { type: 'local.socket', state: 'open', at_ms: 6 });
  state = reduce(state, { type: 'welcome', role: 'operator', account: 'aoki', seat: 's2', alarm_catalogue: [] });
  state = reduce(state, { type: 'snapshot', seq: 1, hub_now_ns: 3e9, vehicles: [vehicle()], alarms: [], requests: [], commands: [], controls: [control('free', { holder: '', seat: '', ended: 'seat_lost' })] });
  assert.equal(state.gone.how, 'seat_lost');
  assert.equal(standingOf(state, BUS), 'free');
});

test('who is preempted hears it before the vehicle has let him go, and the reason when it comes', () => {
  let state = desk({ controls: [control('held')] });
  state = reduce(state, delta(8, { controls: [control('releasing', { ended: 'preempted', ended_by: 'mori' })] }));
  assert.deepEqual([state.gone.how, state.gone.by, state.gone.reason], ['preempted', 'mori', '']);
  state = reduce(state, delta(9, { controls: [control('offered', { seat: 's9', holder: 'mori', ended: 'preempted', ended_by: 'mori', reason: 'child' })] }));
  assert.equal(state.gone.reason, 'child');
});

test('going from assisting to driving waits through giving back, and takes the new offer', () => {
  let state = reduce(desk({ controls: [control('held')] }), asking({ purpose: 'drive' }));
  const steps = [['releasing', { ended: 'handed_back' }], ['free', { seat: '', holder: '', ended: 'handed_back' }], ['offered', { purpose: 'drive' }]];
  steps.forEach(([step, more], at) => { state = reduce(state, delta(8 + at, { controls: [control(step, more)] })); });
  assert.deepEqual([state.gone, state.taking.refused, standingOf(state, BUS)], [null, '', 'offered']);
  state = reduce(state, delta(11, { controls: [control('confirming', { purpose: 'drive' })] }));
  state = reduce(state, delta(12, { controls: [control('held', { purpose: 'drive' })] }));
  assert.equal(state.taking, null);
});

test('a vehicle that refuses control answers the ask, and nothing was lost', () => {
  let state = reduce(desk({ controls: [control('offered')] }), asking());
  state = reduce(state, delta(8, { controls: [control('confirming')] }));
  state = reduce(state, delta(9, { controls: [control('free', { seat: '', holder: '', ended: 'refused' })] }));
  assert.deepEqual([state.taking.refused, state.gone], ['refused', null]);
});

test('a refusal that names the vehicle answers the ask', () => {
  const state = reduce(reduce(desk(), asking()), { type: 'refusal', ref: BUS, reason: 'held', detail: 'mori' });
  assert.equal(state.taking.refused, 'held');
  assert.equal(standingOf(state, BUS), 'free');
});

test('an offer that runs out answers the ask, too', () => {
  const offered = reduce(reduce(desk(), asking()), delta(8, { controls: [control('offered')] }));
  const state = reduce(offered, delta(9, { controls: [control('free', { holder: '', seat: '', ended: 'declined' })] }));
  assert.equal(state.taking.refused, 'declined');
  assert.equal(state.gone, null);
});

test('asking for control needs hub, role, link, an armed seat, free hands, and a reason to preempt', () => {
  const state = desk();
  assert.equal(takeBlockedBy(state, BUS, true), '');
  assert.equal(takeBlockedBy({ ...state, socket: 'lost' }, BUS, true), 'hub_lost');
  assert.equal(takeBlockedBy(desk({}, 'maintainer'), BUS, true), 'role');
  assert.equal(takeBlockedBy(state, 'x/y', true), 'no_vehicle');
  assert.equal(takeBlockedBy(desk({ vehicles: [vehicle(BUS, { commands: ['stop'] })] }), BUS, true), 'not_supported');
  assert.equal(takeBlockedBy(desk({ vehicles: [vehicle(BUS, { link: 'lost' })] }), BUS, true), 'link');
  assert.equal(takeBlockedBy(state, BUS, false), 'unarmed');
  assert.equal(takeBlockedBy(desk({ controls: [control('held', { vehicle: OTHER })] }), BUS, true), 'holds_other');
  const taken = { controls: [control('held', { seat: 's2', holder: 'mori' })] };
  assert.equal(takeBlockedBy(desk(taken), BUS, true, 'because'), 'held_by_other');
  assert.equal(takeBlockedBy(desk(taken, 'supervisor'), BUS, true), 'no_reason');
  assert.equal(takeBlockedBy(desk(taken, 'supervisor'), BUS, true, 'because'), '');
  assert.equal(takeBlockedBy(reduce(state, asking()), BUS, true), 'asking');
});

test('answers: proceed, wait, the vehicle’s own ways, pull over; without a request no waiting', () => {
  const options = [{ option_id: 'left', text: 'left', points: [] }, { option_id: 'right', text: 'right', points: [] }];
  assert.deepEqual(cardsFor(request({ options })).map(({ kind, body }) => [kind, body.request_id, body.option_id]), [
    ['resume', 'e1', undefined], ['wait', 'e1', undefined], ['alternate_path', 'e1', 'left'],
    ['alternate_path', 'e1', 'right'], ['pull_over', 'e1', undefined],
  ]);
  assert.deepEqual(cardsFor(null).map(({ kind }) => kind), ['resume', 'pull_over']);
});

test('an order needs role, link, control confirmed by the vehicle, and, to move, a fresh picture of known age', () => {
  const held = desk({ controls: [control('held')] });
  const blocked = (state, type = 'resume', picture = GOOD) => orderBlockedBy(state, BUS, type, picture);
  assert.equal(blocked(held), '');
  assert.equal(blocked(held, 'resume', { ...GOOD, visible: false }), 'no_picture');
  assert.equal(blocked(held, 'resume', { ...GOOD, still_ms: 301 }), 'frozen');
  assert.equal(blocked(held, 'resume', { ...GOOD, age: { ok: false } }), 'age_unknown');
  assert.equal(blocked(held, 'resume', { ...GOOD, age: { ok: true, age_ms: 1001 } }), 'too_old');
  assert.equal(blocked(held, 'wait', { ...GOOD, visible: false }), '');
  assert.equal(blocked({ ...held, socket: 'lost' }), 'hub_lost');
  assert.equal(blocked({ ...held, welcome: { ...held.welcome, role: 'maintainer' } }), 'role');
  assert.equal(blocked(held, 'implement'), 'not_supported');
  assert.equal(blocked(desk({ controls: [control('held')], vehicles: [vehicle(BUS, { link: 'degraded' })] })), 'link');
  assert.equal(blocked(desk()), 'no_control');
  assert.equal(blocked(reduce(desk(), asking())), 'confirming');
  assert.equal(blocked(desk({ controls: [control('confirming')] })), 'confirming');
  assert.equal(blocked(desk({ controls: [control('releasing')] })), 'releasing');
  assert.equal(blocked(desk({ controls: [control('held', { seat: 's2' })] })), 'held_by_other');
  const asked = { type: 'local.asked', command: { id: 'c', vehicle: BUS, type: 'resume', asked_ms: 1100, socket: 'sent', rest: 'idle', channel: 'idle', refused: '', timed_out: false } };
  assert.equal(blocked(reduce(held, asked)), 'in_progress');
  assert.equal(blocked(reduce(held, asked), 'wait'), '');
  assert.equal(blocked(desk({ vehicles: [vehicle(BUS, { commands: ['resume'] })] })), '');
});

test('doors are for a vehicle that stands', () => {
  const moving = desk({ controls: [control('held')], vehicles: [vehicle(BUS, { pose: { speed_mps: 2 } })] });
  assert.equal(orderBlockedBy(moving, BUS, 'doors', GOOD), 'moving');
  assert.deepEqual(equipmentOf(vehicle()), ['doors']);
});

test('the take-over screen stays for who has control, to give it back', () => {
  const key = `${BUS}#e1`;
  const closed = delta(8, { requests: [request({ state: 'answered' })] });
  const watching = reduce(desk({ requests: [request()] }), { type: 'local.takeover', key });
  assert.equal(reduce(watching, closed).intervene, null);
  const holding = reduce(desk({ requests: [request()], controls: [control('held')] }), { type: 'local.takeover', key });
  const after = reduce(holding, closed);
  assert.deepEqual([after.takeover, after.intervene], [null, BUS]);
});

test('giving back is checked against what is known, and unknown is not fine', () => {
  const items = (view, more = {}) => Object.fromEntries(handBackChecklist(desk({ requests: [], ...more }), view).map(({ item, ok }) => [item, ok]));
  assert.deepEqual(items(vehicle()), { link: true, request: true, mrm: true, moves: true });
  assert.deepEqual(items(vehicle(BUS, { doors_open: true, mrm: 'MRM_FAILED' }), { requests: [request()] }),
    { link: true, request: false, mrm: false, moves: true, doors: false });
  const moving = { pose: { speed_mps: 3, at_ns: 1 } };
  assert.equal(items(vehicle(BUS, { mode: 'REMOTE_ASSIST', ...moving })).moves, true);
  assert.equal(items(vehicle(BUS, { mode: 'REMOTE_DRIVE', ...moving })).moves, false);
  assert.deepEqual(items(vehicle(BUS, { link: 'lost', doors_open: false })), { link: false, request: true, mrm: null, moves: null, doors: null });
});
