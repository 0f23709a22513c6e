import assert from 'node:assert/strict';
import test from 'node:test';
import { lostBetween, sameFacts, seatReport, shiftHolds, slept, whyNotArmed } from './seat.js';

const GOOD = { visible: true, focused: true, sound: true, ready: true, gamepad: true };

test('what was there and is not is lost, the worst first; what comes is nothing lost', () => {
  assert.equal(lostBetween(GOOD, { ...GOOD, visible: false, focused: false }), 'hidden');
  assert.equal(lostBetween(GOOD, { ...GOOD, focused: false, gamepad: false }), 'blur');
  assert.equal(lostBetween(GOOD, { ...GOOD, gamepad: false }), 'gamepad');
  assert.equal(lostBetween({ ...GOOD, gamepad: false }, GOOD), '');
  assert.equal(lostBetween(GOOD, { ...GOOD, sound: false }), '');
  assert.ok(sameFacts(GOOD, { ...GOOD }) && !sameFacts(GOOD, { ...GOOD, sound: false }));
});

test('a seat says why it is not armed, what the operator can change first', () => {
  assert.deepEqual(whyNotArmed(GOOD, []), []);
  assert.deepEqual(whyNotArmed({ ...GOOD, gamepad: false }, null), []);
  assert.deepEqual(whyNotArmed({ ...GOOD, visible: false, focused: false }, null), ['hidden']);
  assert.deepEqual(whyNotArmed({ ...GOOD, focused: false, ready: false, sound: false }, null), ['blur', 'unchecked', 'silent']);
  assert.deepEqual(whyNotArmed(GOOD, ['no_report']), ['no_report']);
});

test('a report says every fact and what was lost', () => {
  assert.deepEqual(seatReport(GOOD, 'blur'), { type: 'seat', ...GOOD, lost: 'blur' });
});

test('a timer that is more than a second late has slept', () => {
  assert.equal(slept(0, 1_500), false);
  assert.equal(slept(0, 1_501), true);
});

test('a check holds for its account, for one shift, and only if the sounds were heard', () => {
  const record = { account: 'aoki', at_utc_ms: 1_000, sounds: true, microphone: 'ok', gamepad: 'none', clock: 'ok', stop: 'none' };
  assert.ok(shiftHolds(record, 'aoki', 2_000));
  assert.ok(!shiftHolds(record, 'mori', 2_000));
  assert.ok(!shiftHolds({ ...record, sounds: false }, 'aoki', 2_000));
  assert.ok(!shiftHolds(record, 'aoki', 1_000 + 12 * 3_600_000));
  assert.ok(!shiftHolds(record, 'aoki', 999));
  assert.ok(!shiftHolds(null, 'aoki', 2_000));
});
