import assert from 'node:assert/strict';
import test from 'node:test';
import { endingOf, endsSoon, isProved, leftMs } from './session.js';
import { initialState, reduce } from './store.js';

const MINUTE = 60_000;
const SESSION = { type: 'session', ends_ns: 600 * 60e9, proved_until_ns: 15 * 60e9 };

test('nothing is known before the hub has said it', () => {
  const state = initialState();
  assert.equal(leftMs(state, 0), null);
  assert.equal(endsSoon(state, 0), false);
  assert.equal(isProved(state, 0), false);
});

test('five minutes before the end a line says so, and a new end takes it away', () => {
  const state = reduce(initialState(), SESSION);
  assert.equal(endsSoon(state, 594 * MINUTE), false);
  assert.equal(endsSoon(state, 595 * MINUTE), true);
  assert.equal(leftMs(state, 599 * MINUTE), MINUTE);
  const later = reduce(state, { ...SESSION, ends_ns: 1200 * 60e9 });
  assert.equal(endsSoon(later, 599 * MINUTE), false);
});

test('a password is fresh until its time', () => {
  const state = reduce(initialState(), SESSION);
  assert.equal(isProved(state, 15 * MINUTE - 1), true);
  assert.equal(isProved(state, 15 * MINUTE), false);
});

test('an end keeps the page, and signing out does not', () => {
  assert.equal(endingOf('expired'), 'expired');
  assert.equal(endingOf('signed_out'), null);
  assert.equal(endingOf('shutdown'), null);
});

test('what ended names the vehicle whose control is gone, and a new socket forgets it', () => {
  const welcome = { type: 'welcome', account: 'hanako', role: 'operator', seat: 's', alarm_catalogue: [] };
  const control = { vehicle: 'm/b', state: 'held', holder: 'hanako', seat: 's', purpose: 'assist' };
  const snapshot = { type: 'snapshot', seq: 1, hub_now_ns: 0, vehicles: [], alarms: [], requests: [], commands: [], controls: [control] };
  const held = [{ type: 'local.socket', state: 'open', at_ms: 0 }, welcome, snapshot].reduce(reduce, initialState());
  const over = reduce(held, { type: 'local.ended', how: 'expired', at_ms: 5 });
  assert.deepEqual(over.ended, { how: 'expired', account: 'hanako', held: 'm/b', at_ms: 5 });
  assert.equal(over.session, null);
  assert.equal(over.socket, 'lost');
  assert.equal(over.gone?.vehicle, 'm/b');
  assert.equal(reduce(over, { type: 'local.socket', state: 'open', at_ms: 9 }).ended, null);
});
