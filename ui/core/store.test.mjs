import assert from 'node:assert/strict';
import test from 'node:test';
import { alarmLine, audible, latestCommand, openRequests, requestPriority, stableOrder, watched } from './select.js';
import { cameraNames, initialState, reduce } from './store.js';

const BUS = 'maebashi/bus-01';
const vehicle = (id, more = {}) => ({
  id, name: id, kind: 'bus', cameras: [{ name: 'front' }], commands: ['stop', 'resume'],
  link: 'online', mode: 'AUTONOMOUS', pose: null, streams: [], media: true, ...more,
});
const request = (id, more = {}) => ({
  id, vehicle: BUS, reason: 'obstacle', text: '', raised_ns: 1, deadline_ns: 100, state: 'open',
  answered_by: '', command_id: '', ...more,
});
const alarm = (id, priority, raised_ns, state = 'unacknowledged') =>
  ({ id, key: id.split('@')[0], vehicle: BUS, priority, state, raised_ns });
const snapshot = (more = {}) => ({
  type: 'snapshot', seq: 7, hub_now_ns: 1e9, at_ms: 1000, vehicles: [vehicle(BUS)], alarms: [], requests: [], commands: [], ...more,
});
const run = (...messages) => [
  { type: 'local.socket', state: 'open', at_ms: 0 },
  { type: 'welcome', role: 'operator', account: 'a', alarm_catalogue: [] },
  ...messages,
].reduce(reduce, initialState());
const asked = (more = {}) => ({ type: 'local.asked', command: {
  id: 'c1', vehicle: BUS, type: 'stop', asked_ms: 1100, socket: 'sent', rest: 'idle', channel: 'idle', refused: '', timed_out: false, ...more } });

test('a snapshot replaces everything and focuses the first vehicle with a camera', () => {
  const state = run(snapshot({ vehicles: [vehicle('a/a', { cameras: [] }), vehicle(BUS)] }));
  assert.equal(state.focused, BUS);
  assert.deepEqual(watched(state), [BUS]);
  assert.deepEqual(run(snapshot(), snapshot({ seq: 1, vehicles: [vehicle('x/y')] })).order, ['x/y']);
});

test('a delta changes what it names and leaves the identity of the rest', () => {
  const before = run(snapshot({ vehicles: [vehicle(BUS), vehicle('b/b')] }));
  const after = reduce(before, { type: 'delta', seq: 8, hub_now_ns: 2, vehicles: [vehicle('b/b', { name: 'new' })] });
  assert.equal(after.vehicles['b/b'].name, 'new');
  assert.equal(after.vehicles[BUS], before.vehicles[BUS]);
  assert.equal(after.needs_resync, false);
});

test('route and supervision come by themselves and stay with their vehicle', () => {
  const route = [[139, 36], [139.1, 36]];
  const first = { vehicle: BUS, ladder: { rung: 'none' } };
  const state = run(snapshot({ vehicles: [vehicle(BUS), vehicle('b/b')], routes: [{ vehicle: BUS, route }], supervision: [first] }));
  assert.equal(state.vehicles[BUS].route, route);
  assert.equal(state.vehicles[BUS].supervision, first);
  assert.deepEqual(state.vehicles['b/b'].route, []);
  assert.equal(state.vehicles['b/b'].supervision, null);
  const moved = reduce(state, { type: 'delta', seq: 8, hub_now_ns: 2, vehicles: [vehicle(BUS, { name: 'new' })] });
  assert.equal(moved.vehicles[BUS].route, route);
  assert.equal(moved.vehicles[BUS].supervision, first);
  const other = [[1, 2]];
  const late = { vehicle: BUS, ladder: { rung: 'speed_limit' } };
  const changed = reduce(moved, { type: 'delta', seq: 9, hub_now_ns: 3, routes: [{ vehicle: BUS, route: other }], supervision: [late] });
  assert.equal(changed.vehicles[BUS].route, other);
  assert.equal(changed.vehicles[BUS].supervision, late);
  assert.equal(changed.vehicles[BUS].name, 'new');
  assert.equal(changed.vehicles['b/b'], moved.vehicles['b/b']);
  const unknown = reduce(changed, { type: 'delta', seq: 10, hub_now_ns: 4, supervision: [{ vehicle: 'x/y' }] });
  assert.equal(unknown.vehicles['x/y'], undefined);
});

test('a gap in the sequence, or a delta before the snapshot, asks for a new start', () => {
  assert.equal(reduce(run(snapshot()), { type: 'delta', seq: 9, hub_now_ns: 2 }).needs_resync, true);
  assert.equal(reduce(run(), { type: 'delta', seq: 1, hub_now_ns: 2 }).needs_resync, true);
});

test('losing the hub keeps what was shown, with the time since when', () => {
  const state = reduce(run(snapshot()), { type: 'local.socket', state: 'lost', at_ms: 500 });
  assert.equal(state.socket, 'lost');
  assert.equal(state.was_open, true);
  assert.equal(state.seq, null);
  assert.equal(state.vehicles[BUS].name, BUS);
  assert.equal(reduce(state, { type: 'local.socket', state: 'lost', at_ms: 900 }).socket_since_ms, 500);
});

test('an alarm that returned to normal leaves the list; the line shows the highest, oldest first', () => {
  const state = run(snapshot({ alarms: [alarm('x@1', 2, 5), alarm('y@1', 1, 9), alarm('z@1', 1, 8), alarm('w@1', 1, 1, 'acknowledged')] }));
  assert.deepEqual(alarmLine(state).map(({ id }) => id), ['z@1', 'y@1', 'x@1']);
  const after = reduce(state, { type: 'delta', seq: 8, hub_now_ns: 2, alarms: [alarm('z@1', 1, 8, 'normal')] });
  assert.equal('z@1' in after.alarms, false);
});

test('an open request sounds even before its alarm arrives, and only once with it', () => {
  const alone = run(snapshot({ requests: [request('e1')] }));
  assert.deepEqual(audible(alone), [{ id: `${BUS}#e1`, priority: 1 }]);
  const both = run(snapshot({ requests: [request('e1')], alarms: [alarm('takeover.requested@b', 1, 1)] }));
  assert.equal(audible(both).length, 1);
});

test('a request ends when its answer was applied or the vehicle withdraws, with a confirmation', () => {
  const open = run(snapshot({ requests: [request('e1')] }), { type: 'local.takeover', key: `${BUS}#e1` });
  assert.equal(open.takeover, `${BUS}#e1`);
  const done = reduce(open, { type: 'delta', seq: 8, hub_now_ns: 2, at_ms: 50, requests: [request('e1', { state: 'answered', command_id: 'c' })] });
  assert.deepEqual(done.closed, [{ key: `${BUS}#e1`, vehicle: BUS, how: 'applied', at_ms: 50 }]);
  assert.equal(done.takeover, null);
  assert.equal(openRequests(done).length, 0);
  assert.equal(reduce(done, { type: 'local.expire', now_ms: 9_000 }).closed.length, 0);
});

test('an unanswered request stays: a person is still needed', () => {
  assert.equal(openRequests(run(snapshot({ requests: [request('e1', { state: 'unanswered' })] }))).length, 1);
});

test('a request is as urgent as the catalogue says', () => {
  const catalogue = [{ key: 'takeover.requested', priority: 2 }, { key: 'takeover.unanswered', priority: 1 }];
  const state = reduce(run(snapshot()), { type: 'welcome', role: 'operator', alarm_catalogue: catalogue });
  assert.equal(requestPriority(state, request('e1')), 2);
  assert.equal(requestPriority(state, request('e1', { state: 'unanswered' })), 1);
  assert.equal(requestPriority(run(), request('e1')), 1);
});

test('cards keep their places under the pointer', () => {
  assert.deepEqual(stableOrder(['a', 'b'], ['c', 'a', 'b'], true), ['a', 'b', 'c']);
  assert.deepEqual(stableOrder(['a', 'b', 'c'], ['c', 'a', 'b'], false), ['c', 'a', 'b']);
});

test('a command shows only what is known of it', () => {
  const state = (more, ...rest) => latestCommand(run(snapshot(), asked(more), ...rest), BUS).state;
  assert.equal(state({}), 'asking');
  assert.equal(state({ socket: 'closed', rest: 'pending' }), 'asking');
  assert.equal(state({ rest: 'ok' }), 'accepted');
  assert.equal(state({ socket: 'closed', rest: 'failed' }), 'not_sent');
  assert.equal(state({ timed_out: true }), 'unconfirmed');
  assert.equal(state({}, { type: 'refusal', ref: 'c1', reason: 'role' }), 'refused');
  const view = { id: 'c1', vehicle: BUS, type: 'stop', operator: 'a', state: 'received', asked_ns: 1.1e9 };
  assert.equal(state({}, { type: 'delta', seq: 8, hub_now_ns: 1.2e9, at_ms: 1200, commands: [view] }), 'received');
});

test('a newer command of another seat is shown rather than an old one of ours', () => {
  const view = { id: 'c2', vehicle: BUS, type: 'stop', operator: 'b', state: 'applied', asked_ns: 3e9 };
  const state = run(snapshot(), asked({ refused: 'role' }), { type: 'delta', seq: 8, hub_now_ns: 3.1e9, at_ms: 3100, commands: [view] });
  assert.equal(latestCommand(state, BUS).id, 'c2');
});

test('trails keep two minutes, one point a second', () => {
  let state = run(snapshot({ vehicles: [] }));
  for (let n = 0; n < 2000; n += 1) {
    const pose = { at_ns: n * 1e8, longitude: n, latitude: 0 };
    state = reduce(state, { type: 'delta', seq: 8 + n, hub_now_ns: 1, vehicles: [vehicle(BUS, { pose })] });
  }
  assert.ok(state.trails[BUS].length <= 121 && state.trails[BUS].length >= 119);
});

test('what this console asked is remembered in bounds', () => {
  let state = run(snapshot());
  for (let n = 0; n < 200; n += 1) state = reduce(state, asked({ id: `c${n}` }));
  assert.equal(Object.keys(state.asked).length, 64);
  assert.ok(state.asked.c199);
});

test('unknown messages of a newer hub change nothing', () => {
  const state = run(snapshot());
  assert.equal(reduce(state, { type: 'something_new' }), state);
});

test('a stock publisher without a factsheet is watched by the names of its streams', () => {
  const streams = [{ name: 'front', kind: 'video' }, { name: 'audio', kind: 'audio' }];
  const state = reduce(initialState(), snapshot({ vehicles: [vehicle(BUS, { cameras: [], streams })] }));
  assert.deepEqual(watched(state), [BUS]);
  assert.deepEqual(cameraNames(state.vehicles[BUS]), ['front']);
  assert.deepEqual(cameraNames(vehicle(BUS, { streams })), ['front']);
});

test('a request that ended while this console was away closes with the next snapshot', () => {
  const open = request('e1');
  let state = reduce(initialState(), snapshot({ vehicles: [vehicle(BUS)], requests: [open] }));
  const key = Object.keys(state.requests)[0];
  state = reduce(state, { type: 'local.takeover', key });
  state = reduce(state, snapshot({ vehicles: [vehicle(BUS)], requests: [{ ...open, state: 'answered' }] }));
  assert.equal(state.takeover, null);
  assert.equal(state.closed[0].how, 'applied');
});

test('a hub that says goodbye on purpose is told apart from one that is lost, until it is back', () => {
  const opened = reduce(initialState(), { type: 'local.socket', state: 'open', at_ms: 1 });
  const lost = reduce(opened, { type: 'local.socket', state: 'lost', at_ms: 2 });
  assert.equal(lost.stopped, false);
  assert.equal(reduce(opened, { type: 'goodbye', reason: 'too_slow' }).stopped, false);
  const told = reduce(opened, { type: 'goodbye', reason: 'shutdown' });
  const away = reduce(told, { type: 'local.socket', state: 'lost', at_ms: 3 });
  assert.equal(away.stopped, true);
  assert.equal(reduce(away, { type: 'local.socket', state: 'open', at_ms: 4 }).stopped, false);
});
