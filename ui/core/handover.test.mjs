import assert from 'node:assert/strict';
import test from 'node:test';
import {
  acceptBlockedBy, byKind, cameLater, offerBlockedBy, openHandovers, ownAccepted, ownControls, partOf, seenState, takers, unseenCount,
} from './handover.js';
import { lasting } from './format.js';
import { initialState, reduce } from './store.js';

const ITEM = { key: 'alarm:a', kind: 'alarm', rev: 3, what: 'link.lost' };
const OFFER = { id: 'h1', leaving: 'hanako', taking: 'jiro', state: 'offered', since_ns: 1, seat: '', offered: { 'alarm:a': 3 }, seen: {}, holds: [] };

function at(account, { items = [ITEM], handovers = [OFFER], role = 'operator', seats = ['hanako', 'jiro'], controls = [] } = {}) {
  const welcome = { type: 'welcome', account, role, seat: `seat-${account}`, alarm_catalogue: [] };
  const snapshot = {
    type: 'snapshot', seq: 1, hub_now_ns: 0, vehicles: [], alarms: [], requests: [], commands: [], controls,
    seats: seats.map((one) => ({ account: one })), handover: { items, omitted: 0, notes: [], handovers },
  };
  return [{ type: 'local.socket', state: 'open', at_ms: 0 }, welcome, snapshot].reduce(reduce, initialState());
}

test('each of the two plays a part, at the seat that was named', () => {
  assert.equal(partOf(at('hanako'), OFFER), 'leaving');
  assert.equal(partOf(at('jiro'), OFFER), 'taking');
  assert.equal(partOf(at('jiro'), { ...OFFER, seat: 'seat-elsewhere' }), 'other');
  assert.equal(partOf(at('mori'), OFFER), 'other');
});

test('own handovers come first', () => {
  const other = { ...OFFER, id: 'h0', leaving: 'a', taking: 'b' };
  assert.deepEqual(openHandovers(at('jiro', { handovers: [other, OFFER] })).map(({ id }) => id), ['h1', 'h0']);
});

test('an item that changed has to be seen again, and what came after the offer is told apart', () => {
  assert.equal(seenState(OFFER, ITEM), 'unseen');
  assert.equal(seenState({ ...OFFER, seen: { 'alarm:a': 3 } }, ITEM), 'seen');
  assert.equal(seenState({ ...OFFER, seen: { 'alarm:a': 2 } }, ITEM), 'changed');
  assert.equal(cameLater(OFFER, ITEM), false);
  assert.equal(cameLater(OFFER, { ...ITEM, rev: 4 }), true);
  assert.equal(unseenCount(at('jiro'), OFFER), 1);
});

test('accepting says the first thing in its way', () => {
  const seen = { ...OFFER, seen: { 'alarm:a': 3 } };
  assert.equal(acceptBlockedBy(at('jiro'), seen, true), '');
  assert.equal(acceptBlockedBy(at('jiro'), OFFER, true), 'unseen');
  assert.equal(acceptBlockedBy(at('jiro'), seen, false), 'seat');
  assert.equal(acceptBlockedBy(at('jiro'), { ...seen, holds: ['m/b'] }, true), 'leaving_holds');
  assert.equal(acceptBlockedBy({ ...at('jiro'), socket: 'lost' }, seen, true), 'hub_lost');
  assert.equal(acceptBlockedBy(at('jiro', { role: 'viewer' }), seen, true), 'role');
});

test('a shift is offered to somebody who is there, by somebody without control', () => {
  const control = { vehicle: 'm/b', state: 'held', holder: 'hanako', seat: 'x' };
  assert.deepEqual(takers(at('hanako', { seats: ['jiro', 'hanako', 'jiro', 'aoki'] })), ['aoki', 'jiro']);
  assert.equal(offerBlockedBy(at('hanako'), 'jiro'), '');
  assert.equal(offerBlockedBy(at('hanako'), ''), 'choose');
  assert.equal(offerBlockedBy(at('hanako', { seats: ['hanako'] }), ''), 'no_taker');
  assert.equal(offerBlockedBy(at('hanako', { controls: [control] }), 'jiro'), 'holds_control');
  assert.deepEqual(ownControls(at('hanako', { controls: [control, { ...control, vehicle: 'a', state: 'free' }] })), ['m/b']);
});

test('a board replaces the older one, and news of others keep it', () => {
  const board = { items: [], omitted: 0, notes: [], handovers: [{ ...OFFER, state: 'accepted' }] };
  const before = at('hanako');
  const after = reduce(before, { type: 'delta', seq: 2, hub_now_ns: 1, handover: board });
  assert.equal(after.handover, board);
  assert.equal(reduce(after, { type: 'delta', seq: 3, hub_now_ns: 1 }).handover, board);
  assert.deepEqual(ownAccepted(before), []);
  assert.deepEqual(ownAccepted(after), ['h1']);
  assert.deepEqual(ownAccepted(at('jiro', { handovers: board.handovers })), []);
});

test('how long it has been so is short to read', () => {
  assert.deepEqual([0, 119_999, 120_000, 7_199_000, 36_480_000].map(lasting), ['0 s', '119 s', '2 min', '119 min', '10 h 8 min']);
});

test('groups keep the order of the hub', () => {
  assert.deepEqual(byKind([ITEM, { ...ITEM, kind: 'note' }, ITEM]).map(([kind, items]) => [kind, items.length]), [['alarm', 2], ['note', 1]]);
});
