import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { beginCalibration, calibrated, calibrationOf, learn } from './calibration.js';
import { decide, disarmed, driveBlockedBy, pathsFor, readHands, STALL_MS, zero } from './drive.js';
import { base64, driveJson, importKey, issuedNs, sealed, stopJson } from './frames.js';
import { distance, durationOf, fromVehicle, lengthOf, MAX_POINTS, pathProblem, withoutLast, withPoint } from './path.js';

const PAD = {
  id: 'pad', left: { input: 0, rest: 0, end: -1 }, right: { input: 0, rest: 0, end: 1 },
  throttle: { input: 11, rest: 0, end: 1 }, brake: { input: 10, rest: 0, end: 1 },
  deadman: [4, 5], confirm: 0, stop: 1,
};
/** A standard pad: four axes, then buttons; LB 4, RB 5, LT 6, RT 7. */
const pad = ({ steer = 0, throttle = 0, brake = 0, lb = 0, rb = 0, b = 0 } = {}) => ({
  id: 'pad', mapping: 'standard', axes: [steer, 0, 0, 0], buttons: [0, b, 0, 0, lb, rb, brake, throttle, 0, 0],
});
const hands = (more) => readHands(PAD, pad(more));
/** Runs turns 30 ms apart. */
const run = (turns, limit = 5, start = disarmed(), echoed = true) => {
  let arming = start;
  let last = null;
  turns.forEach(([more, blocked = '', gap = 30], index) => {
    last = decide(arming, more === null ? null : hands(more), blocked, limit, (arming.at_ms ?? index * 30) + gap, echoed);
    arming = last.arming;
  });
  return last;
};
const BOTH = { lb: 1, rb: 1 };

test('the dead-man’s truth table: only both, only after hands off, only while nothing blocks', () => {
  const rows = [
    // first turn, second turn, blocked, dead-man in the frame, why
    [{}, {}, '', false, 'deadman'],
    [{}, { lb: 1 }, '', false, 'deadman'],
    [{}, { rb: 1 }, '', false, 'deadman'],
    [{}, BOTH, '', true, 'asking'],
    [BOTH, BOTH, '', false, 'release_first'],
    [{ throttle: 0.5 }, { ...BOTH, throttle: 0.5 }, '', false, 'release_first'],
    [{ steer: -0.5 }, { steer: -0.5 }, '', false, 'centre_first'],
    [{ steer: 0.05 }, BOTH, '', true, 'asking'],
    [{}, { ...BOTH, throttle: 1 }, '', false, 'release_first'],
    [{ brake: 1 }, { ...BOTH, brake: 1 }, '', true, 'asking'],
  ];
  for (const [first, second, blocked, deadman, why] of rows) {
    const { want, why: said } = run([[first], [second, blocked]]);
    assert.deepEqual([want.deadman, said], [deadman, why], JSON.stringify([first, second]));
  }
});

test('whatever blocks ends it without a frame, and needs hands off again', () => {
  for (const blocked of ['hidden', 'blur', 'no_gamepad', 'clock', 'withdrawn']) {
    const { want, why, arming } = run([[{}], [BOTH], [BOTH, blocked]]);
    assert.deepEqual([want, why, arming], [null, blocked, disarmed()]);
    assert.equal(run([[BOTH]], 5, arming).want.deadman, false);
  }
  assert.equal(run([[{}], [BOTH], [null]]).why, 'no_gamepad');
});

test('a dead-man let go and pressed again with a foot on the pedal moves nothing', () => {
  const go = { ...BOTH, throttle: 1 };
  assert.equal(run([[{}], [BOTH], [go]]).want.speed_mps, 5);
  const again = run([[{}], [BOTH], [go], [{ throttle: 1 }], [go]]);
  assert.deepEqual([again.want.deadman, again.want.speed_mps, again.why], [false, 0, 'release_first']);
  assert.equal(run([[{}], [BOTH], [go], [{}], [go]]).want.deadman, false);
  assert.equal(run([[{}], [BOTH], [go], [{}], [BOTH], [go]]).want.speed_mps, 5);
});

test('nothing is wanted until the vehicle has taken the dead-man, and soon not even asked', () => {
  const go = { ...BOTH, throttle: 1 };
  const asking = run([[{}], [BOTH], [go]], 5, disarmed(), false);
  assert.deepEqual([asking.want.deadman, asking.want.speed_mps, asking.why], [true, 0, 'asking']);
  const still = [...Array(20)].map(() => [go]);
  const late = run([[{}], [BOTH], ...still, [go]], 5, disarmed(), false);
  assert.deepEqual([late.want.deadman, late.why], [false, 'not_taken']);
  assert.equal(run([[go]], 5, late.arming, true).why, 'release_first');
  // Once taken, a late echo takes nothing away: the vehicle's own dead-man does.
  const driving = run([[{}], [BOTH], [go]]).arming;
  assert.equal(run([[go]], 5, driving, false).want.speed_mps, 5);
});

test('a loop that stalled has let go', () => {
  assert.equal(run([[{}], [BOTH], [BOTH, '', STALL_MS]]).want.deadman, true);
  const { want, why } = run([[{}], [BOTH], [BOTH, '', STALL_MS + 1]]);
  assert.deepEqual([want.deadman, why], [false, 'release_first']);
});

test('the brake above a tenth wins over the throttle; below it does not', () => {
  const braking = run([[{}], [BOTH], [{ ...BOTH, throttle: 1, brake: 0.11 }]]).want;
  assert.deepEqual([braking.speed_mps, braking.brake], [0, 0.11]);
  assert.equal(run([[{}], [BOTH], [{ ...BOTH, throttle: 1, brake: 0.1 }]]).want.speed_mps, 5);
});

test('B is STOP whatever else is pressed', () => {
  const { want, why } = run([[{}], [BOTH], [{ ...BOTH, throttle: 1, b: 1 }]]);
  assert.deepEqual([want, why], [{ ...zero(), brake: 1 }, 'stop']);
});

test('no speed over the vehicle’s limit nor over the permit’s; left is positive; no sharp turn at speed', () => {
  const want = (more, limit) => run([[{}], [BOTH], [{ ...BOTH, ...more }]], limit).want;
  assert.equal(want({ throttle: 1 }, 2).speed_mps, 2);
  assert.equal(want({ throttle: 1 }, 30).speed_mps, 5.5556);
  assert.equal(want({ throttle: 1 }, -1).speed_mps, 0);
  assert.equal(want({ steer: -1 }).curvature, 0.2);
  assert.equal(want({ steer: 1 }).curvature, -0.2);
  assert.equal(want({ steer: -1, throttle: 1 }).curvature, 0.06);
  assert.ok(Object.is(want({ steer: 0.05 }).curvature, 0));
});

test('driving is blocked by the first thing a person can do something about', () => {
  const all = { secure: true, may: true, connected: true, supported: true, available: true, held: 'held', purpose: 'drive',
    key: true, clock: true, visible: true, focused: true, armed: true, gamepad: true, calibrated: true };
  assert.equal(driveBlockedBy(all), '');
  const rows = { secure: 'insecure', may: 'role', supported: 'unsupported', connected: 'hub_lost', visible: 'hidden', focused: 'blur', armed: 'unarmed',
    gamepad: 'no_gamepad', calibrated: 'uncalibrated', available: 'withdrawn', clock: 'clock', key: 'no_key' };
  for (const [name, why] of Object.entries(rows)) assert.equal(driveBlockedBy({ ...all, [name]: false }), why);
  assert.equal(driveBlockedBy({ ...all, held: 'confirming' }), 'no_control');
  assert.equal(driveBlockedBy({ ...all, purpose: 'assist' }), 'not_drive');
});

test('frames also go over the hub while the direct path is closed or brings no echo', () => {
  const at = (more) => pathsFor({ open: true, echoed_ms: 1_000, by_hub: false, began_ms: 0, now_ms: 1_100, ...more });
  assert.deepEqual(at({}), { channel: true, relay: false });
  assert.deepEqual(at({ now_ms: 1_301 }), { channel: true, relay: true });
  assert.deepEqual(at({ open: false }), { channel: false, relay: true });
  assert.deepEqual(at({ by_hub: true }), { channel: true, relay: true });
  assert.deepEqual(at({ echoed_ms: null, began_ms: 1_000 }), { channel: true, relay: false });
  assert.deepEqual(at({ echoed_ms: null, began_ms: 700 }), { channel: true, relay: true });
});

// ------------------------------------------------------------------ calibration

/** Shows the pad states one after the other, 100 ms each, many times. */
const teach = (states, mapping = '', axes = 3) => {
  const blank = { id: 'wheel', mapping, axes: Array(axes).fill(0), buttons: Array(10).fill(0) };
  let learning = beginCalibration(blank);
  let now = 0;
  for (const [times, more] of states) {
    for (let n = 0; n < times; n += 1) learning = learn(learning, { ...blank, ...more }, (now += 100));
  }
  return learning;
};
const buttons = (...down) => Array.from({ length: 10 }, (_, at) => (down.includes(at) ? 1 : 0));
const REST = [0, 1, 1];
const WHEEL = [
  [12, { axes: REST }],
  [2, { axes: [0.4, 1, 1] }], [2, { axes: [0.98, 1, 1] }], [2, { axes: REST }],
  [2, { axes: [-0.95, 1, 1] }], [2, { axes: REST }],
  [2, { axes: [0, -1, 1] }], [2, { axes: REST }],
  [2, { axes: [0, 1, -0.9] }], [2, { axes: REST }],
  [2, { axes: REST, buttons: buttons(4) }], [2, { axes: REST }],
];

test('a wheel whose axes are the other way round is learnt by doing', () => {
  const learning = teach(WHEEL);
  const found = calibrated(learning);
  assert.deepEqual(found.left, { input: 0, rest: 0, end: 0.98 });
  assert.deepEqual(found.throttle, { input: 1, rest: 1, end: -1 });
  assert.deepEqual(found.brake, { input: 2, rest: 1, end: -0.9 });
  assert.deepEqual(found.deadman, [4]);
  const read = (axes, down = []) => readHands(found, { id: 'wheel', mapping: '', axes, buttons: buttons(...down) });
  assert.equal(read([0.98, 1, 1]).steer, 1);
  assert.ok(read([-0.475, 1, 1]).steer < -0.49);
  assert.equal(read([0, 0, 1]).throttle, 0.5);
  assert.equal(read([0, 1, -1]).brake, 1);
  assert.ok(read(REST, [4]).deadman);
  assert.deepEqual(calibrationOf(JSON.parse(JSON.stringify(found)), 'wheel'), found);
});

test('a step that contradicts the one before is told and asked again', () => {
  const upTo = (count, ...more) => teach([...WHEEL.slice(0, count), ...more]);
  const back = [2, { axes: REST }];
  assert.equal(upTo(4, [2, { axes: [0.9, 1, 1] }], back).problem, 'same_side');
  assert.equal(upTo(4, [2, { axes: [0, -1, 1] }], back).problem, 'other_axis');
  assert.equal(upTo(6, [2, { axes: [0.9, 1, 1] }], back).problem, 'steering');
  assert.equal(upTo(8, [2, { axes: [0, -1, 1] }], back).problem, 'throttle');
  assert.equal(upTo(10, [2, { axes: REST, buttons: buttons(0) }], back).problem, 'taken');
  assert.equal(upTo(2).step, 'left');
});

test('a standard pad has its dead-man on both shoulders and nowhere else', () => {
  const pressed = (...down) => [[2, { buttons: buttons(...down) }], [2, {}]];
  const before = [[12, {}], [2, { axes: [-1, 0, 0, 0] }], [2, {}], [2, { axes: [1, 0, 0, 0] }], [2, {}], ...pressed(7), ...pressed(6)];
  assert.equal(teach([...before, ...pressed(4)], 'standard', 4).problem, 'both_shoulders');
  const found = calibrated(teach([...before, ...pressed(4, 5)], 'standard', 4));
  assert.deepEqual(found.deadman, [4, 5]);
  assert.deepEqual(found.throttle, { input: 11, rest: 0, end: 1 });
});

test('a pad that trembles at rest is not at rest', () => {
  let learning = beginCalibration(pad());
  for (let n = 0; n < 50; n += 1) learning = learn(learning, pad({ steer: n % 2 ? 0.1 : 0 }), n * 100);
  assert.equal(learning.step, 'rest');
});

test('what was stored for another pad, or damaged, is no calibration', () => {
  assert.equal(calibrationOf(PAD, 'another'), null);
  assert.equal(calibrationOf(null, 'pad'), null);
  assert.equal(calibrationOf({ ...PAD, deadman: [] }, 'pad'), null);
  assert.equal(calibrationOf({ ...PAD, brake: { input: 10, rest: 0, end: 0 } }, 'pad'), null);
  assert.equal(calibrationOf(PAD, 'pad'), PAD);
});

// ----------------------------------------------------------------------- frames

const FIXTURE = JSON.parse(readFileSync(new URL('../../tests/ui/sealed_frames.json', import.meta.url), 'utf8'));

test('frames are the bytes that protocols.drive would seal', async () => {
  for (const { frame, key, sealed: bytes } of FIXTURE) {
    const json = frame.type === 'drive' ? driveJson(frame) : stopJson(frame);
    const own = await sealed(webcrypto.subtle, await importKey(webcrypto.subtle, key), json);
    assert.equal(Buffer.from(own).toString('hex'), bytes);
    assert.equal(base64(own), Buffer.from(bytes, 'hex').toString('base64'));
  }
});

test('a frame is issued on the vehicle’s clock', () => {
  // Browser 2 000 ms is hub 52 000 ms; the hub is 50 s ahead of the vehicle.
  assert.equal(issuedNs(2_000, 50_000, 50_000e6), 2_000e6);
});

// ------------------------------------------------------------------------- path

test('a path grows from where the vehicle stands, is measured, and can be taken back', () => {
  const pose = { longitude: 139, latitude: 36 };
  const first = withPoint([], [139, 36.0001]);
  assert.ok(Math.abs(distance([139, 36], [139, 36.0001]) - 11.12) < 0.01);
  const path = withPoint(first, [139, 36.0002]);
  assert.equal(withPoint(path, [139, 36.000201]), path);
  const whole = fromVehicle(pose, path);
  assert.ok(Math.abs(lengthOf(whole) - 22.24) < 0.02);
  assert.ok(Math.abs(durationOf(whole, 2) - 11.12) < 0.01);
  assert.equal(durationOf(whole, 0), Infinity);
  assert.deepEqual(withoutLast(path), first);
  assert.equal(pathProblem(pose, path), '');
  assert.equal(pathProblem(pose, []), 'empty');
  assert.equal(pathProblem(null, path), 'no_position');
  assert.equal(pathProblem(pose, withPoint([], [139, 36.01])), 'too_long');
  let long = [];
  for (let n = 1; n <= 300; n += 1) long = withPoint(long, [139 + n * 1e-5, 36]);
  assert.equal(fromVehicle(pose, long).length, MAX_POINTS);
});
