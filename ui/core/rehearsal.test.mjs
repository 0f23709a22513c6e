import assert from 'node:assert/strict';
import test from 'node:test';
import { LABELS } from './labels.js';
import { EXPECTED, FAULTS, RECOVERS, SECOND, begin, blockedBy, done, mendedAt, mending, observe, watching } from './rehearsal.js';

const well = {
  now_ms: 1_000, picture: 'live', why: '', still_ms: 10, age_ms: 120, link: 'online', telemetry_ms: 60,
  round_trip_ms: 4, loss: 0, streaming: true, speed_kmh: 20, limit_kmh: 20, mrm: 'NORMAL', alarms: [],
  mine: false, holder: '', gone: '', broker_pid: 7, promise: 'continues', purpose: 'monitor', allowed_kmh: 30,
  word: { speed_kmh: 20, limit_kmh: 20, mrm: 'NORMAL', link_up: true },
};
const at = (now_ms, change = {}) => ({ ...well, now_ms, ...change });
const item = (items, key) => items.find((one) => one.key === key);

test('every fault has words, expectations and a way back, and every expectation has words', () => {
  for (const fault of FAULTS) {
    assert.ok(LABELS[`rehearsal.fault.${fault}`] && LABELS[`rehearsal.means.${fault}`], fault);
    assert.ok(EXPECTED[fault].length > 0);
    for (const { key, by_ms, when, holds } of [...EXPECTED[fault], ...RECOVERS[fault]]) {
      assert.ok(LABELS[`rehearsal.expect.${key}`], key);
      assert.ok(by_ms > 0 && Boolean(when) !== Boolean(holds), key);
    }
    const keys = EXPECTED[fault].map(({ key }) => key);
    assert.equal(new Set(keys).size, keys.length);
  }
});

test('nothing is ticked by itself: what is never seen is missed when its time is over, and stays missed', () => {
  let run = done(begin('freeze', 'v', at(1_000)), 1_010);
  run = observe(run, at(2_000));
  assert.equal(item(run.items, 'alarm_video').state, 'waiting');
  run = observe(run, at(3_100));
  assert.equal(item(run.items, 'alarm_video').state, 'missed');
  run = observe(run, at(3_200, { alarms: ['video.frozen'] }));
  assert.equal(item(run.items, 'alarm_video').state, 'missed');
  assert.equal(item(run.items, 'alarm_video').ms, null);
});

test('a frozen picture is measured from its last frame, and 301 ms are late', () => {
  const frozen = (still_ms) => observe(done(begin('freeze', 'v', at(1_000)), 1_010), at(1_500, { picture: 'frozen', why: 'still', still_ms }));
  assert.deepEqual(item(frozen(300).items, 'frozen'), { key: 'frozen', by_ms: 300, kind: 'when', state: 'seen', ms: 300 });
  assert.equal(item(frozen(301).items, 'frozen').state, 'late');
});

test('what is seen while the wish is on its way counts from when it was done', () => {
  let run = begin('grab', 'v', at(1_000, { mine: true }));
  run = observe(run, at(1_700, { holder: SECOND, gone: 'preempted' }));
  run = done(run, 1_600);
  assert.equal(item(run.items, 'control_ends').ms, 100);
  assert.equal(item(run.items, 'holder_shown').state, 'seen');
});

test('what must go on is ticked when its time is over, and shows when it broke', () => {
  let run = done(begin('loss', 'v', at(1_000)), 1_000);
  run = observe(run, at(5_999));
  assert.equal(item(run.items, 'picture_goes_on').state, 'waiting');
  const well_done = observe(run, at(6_000));
  assert.deepEqual([item(well_done.items, 'picture_goes_on').state, item(well_done.items, 'picture_goes_on').ms], ['seen', 5_000]);
  const broke = observe(run, at(6_000, { picture: 'frozen', why: 'still' }));
  assert.deepEqual([item(broke.items, 'picture_goes_on').state, item(broke.items, 'picture_goes_on').ms], ['missed', 5_000]);
});

test('what was so before is no evidence', () => {
  const run = begin('freeze', 'v', at(1_000, { alarms: ['video.frozen'] }));
  assert.equal(item(run.items, 'alarm_video').state, 'before');
});

test('a tractor stops by its own rule, a bus goes on slowly, and only who holds control can lose it', () => {
  const keys = (change) => begin('cut', 'v', at(0, change)).items.map(({ key }) => key);
  assert.ok(keys({ promise: 'stops' }).includes('own_standstill'));
  assert.ok(!keys({ promise: 'stops' }).includes('own_slow'));
  assert.ok(keys({ promise: 'continues' }).includes('own_slow'));
  assert.ok(!keys({}).includes('control_ends') && keys({ mine: true }).includes('control_ends'));
});

test('mending before the time is over is judged by nobody, and what follows is timed anew', () => {
  let run = done(begin('cut', 'v', at(1_000)), 1_000);
  run = mending(run, at(1_500, { picture: 'frozen', why: 'still', link: 'degraded', telemetry_ms: 2_000 }));
  assert.equal(item(run.items, 'link_lost').state, 'unjudged');
  assert.equal(watching(run), true);
  run = observe(run, at(1_900));
  run = mendedAt(run, 1_600);
  assert.deepEqual([item(run.recovery, 'picture_back').state, item(run.recovery, 'picture_back').ms], ['seen', 300]);
  run = observe(run, at(4_600));
  assert.equal(item(run.recovery, 'not_back').state, 'seen');
  assert.equal(watching(run), false);
});

test('an unknown age is honest too; a smaller one is not what was asked for', () => {
  const run = done(begin('delay', 'v', at(1_000)), 1_000);
  assert.equal(item(observe(run, at(1_500, { age_ms: 319 })).items, 'later').state, 'waiting');
  assert.equal(item(observe(run, at(1_500, { age_ms: 320 })).items, 'later').state, 'seen');
  assert.equal(item(observe(run, at(1_500, { age_ms: null })).items, 'later').state, 'seen');
});

test('numbers count as new only when they were said after the kill and another broker runs', () => {
  const run = done(begin('broker', 'v', at(1_000)), 1_005);
  assert.equal(item(observe(run, at(1_400)).items, 'numbers_back').state, 'waiting');
  const back = observe(run, at(1_400, { broker_pid: 8 }));
  assert.equal(item(back.items, 'numbers_back').state, 'seen');
  assert.equal(item(back.items, 'broker_back').ms, 395);
});

test('a repeated picture can be told only while the vehicle moves', () => {
  assert.equal(blockedBy('repeat', at(0, { speed_kmh: 0 })), 'stands');
  assert.equal(blockedBy('repeat', at(0)), '');
  assert.equal(blockedBy('freeze', at(0, { streaming: false })), 'no_picture');
  assert.equal(blockedBy('grab', at(0, { holder: SECOND })), 'has_it');
});
