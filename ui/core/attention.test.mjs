import assert from 'node:assert/strict';
import test from 'node:test';
import { queueEntries, soundsElsewhere } from './attention.js';
import { audible, openRequests } from './select.js';
import { initialState, reduce } from './store.js';

const BUS = 'maebashi/bus-01';
const OTHER = 'maebashi/bus-02';
const vehicle = (id) => ({ id, name: id, kind: 'bus', cameras: [], commands: [], link: 'online', pose: null, streams: [] });
const request = (of, more = {}) => ({ id: 'e1', vehicle: of, reason: 'obstacle', text: '', raised_ns: 1, deadline_ns: 100, state: 'open', answered_by: '', ...more });
const alarm = (key, of, more = {}) => ({ id: `${key}@${of}`, key, vehicle: of, priority: 2, state: 'unacknowledged', raised_ns: 1, ...more });
const view = (of, rank, seats, more = {}) => ({
  id: `${of}#e1`, vehicle: of, request_id: 'e1', alarm_id: '', priority: 2, rank, reason: 'obstacle', raised_ns: 1,
  deadline_ns: 100, seats, step: 'routed', taken_by: '', ...more,
});
const seat = (name) => ({ seat: name, account: `account-${name}`, role: 'operator', armed: true, why_not: [], holds: '', requests: 0, load: 0 });
const state = (more, welcome = { seat: 'me' }) => [
  { type: 'local.socket', state: 'open', at_ms: 0 },
  { type: 'welcome', role: 'operator', account: 'a', alarm_catalogue: [], ...welcome },
  { type: 'snapshot', seq: 1, hub_now_ns: 1, at_ms: 1, vehicles: [vehicle(BUS), vehicle(OTHER)], alarms: [], requests: [], commands: [], seats: [seat('me'), seat('you')], ...more },
].reduce(reduce, initialState());
const told = (found) => queueEntries(found).map(({ key, whose }) => `${key} ${whose}`);

test('what is asked of this seat comes before what is asked of others, each as the hub ranks it', () => {
  const found = state({
    requests: [request(BUS), request(OTHER)],
    alarms: [alarm('link.lost', BUS)],
    attention: [view(OTHER, 1, ['you']), view(BUS, 2, ['me']), view(BUS, 3, ['you', 'me'], { id: `link.lost@${BUS}`, request_id: '', alarm_id: `link.lost@${BUS}` })],
  });
  assert.deepEqual(told(found), [`${BUS}#e1 mine`, `link.lost@${BUS} mine`, `${OTHER}#e1 others`]);
  assert.deepEqual(queueEntries(found)[2].accounts, ['account-you']);
  assert.deepEqual(openRequests(found).map(({ vehicle: of }) => of), [BUS, OTHER]);
});

test('a request that the hub has not ranked yet, and one without an armed seat, is everybody’s', () => {
  assert.deepEqual(told(state({ requests: [request(BUS)] })), [`${BUS}#e1 everybody`]);
  assert.deepEqual(told(state({ requests: [request(BUS)], attention: [view(BUS, 1, [])] })), [`${BUS}#e1 everybody`]);
});

test('a console without a seat is asked nothing and sees everything alike', () => {
  const found = state({ requests: [request(BUS)], attention: [view(BUS, 1, ['you'])] }, { seat: '' });
  assert.deepEqual(told(found), [`${BUS}#e1 everybody`]);
});

test('an entry whose request or alarm is over is gone, whatever the queue still says', () => {
  const late = { attention: [view(BUS, 1, ['me']), view(OTHER, 2, ['me'], { request_id: '', alarm_id: 'x@y' })] };
  assert.deepEqual(told(state({ ...late, requests: [request(BUS, { state: 'answered' })] })), []);
});

test('deltas replace the whole queue, and an empty one empties it', () => {
  const before = state({ requests: [request(BUS)], attention: [view(BUS, 1, ['you'])] });
  const same = reduce(before, { type: 'delta', seq: 2, hub_now_ns: 2 });
  assert.deepEqual(told(same), [`${BUS}#e1 others`]);
  const mine = reduce(same, { type: 'delta', seq: 3, hub_now_ns: 3, attention: [view(BUS, 1, ['me'])] });
  assert.deepEqual(told(mine), [`${BUS}#e1 mine`]);
});

test('sounds are for the seats that are asked; what is nobody’s is heard everywhere', () => {
  const alarms = [alarm('takeover.requested', BUS), alarm('takeover.requested', OTHER), alarm('broker.down', ''), alarm('link.lost', OTHER)];
  const found = state({
    requests: [request(BUS), request(OTHER)], alarms,
    attention: [view(BUS, 1, ['me']), view(OTHER, 2, ['you']), view(OTHER, 3, ['you'], { id: `link.lost@${OTHER}`, request_id: '', alarm_id: `link.lost@${OTHER}` })],
  });
  assert.deepEqual([...soundsElsewhere(found)].sort(), [`link.lost@${OTHER}`, `takeover.requested@${OTHER}`, `takeover.unanswered@${OTHER}`]);
  assert.deepEqual(audible(found).map(({ id }) => id).sort(), ['broker.down@', `takeover.requested@${BUS}`]);
  const nobody = state({ requests: [request(OTHER)], alarms, attention: [view(OTHER, 1, [])] });
  assert.equal(audible(nobody).length, 4);
});

test('a vehicle with one request here and one elsewhere is heard here', () => {
  const found = state({
    requests: [request(BUS), request(BUS, { id: 'e2' })], alarms: [alarm('takeover.requested', BUS)],
    attention: [view(BUS, 1, ['you']), view(BUS, 2, ['me'], { id: `${BUS}#e2`, request_id: 'e2' })],
  });
  assert.equal(soundsElsewhere(found).size, 0);
});
