// @ts-check
/**
 * Which axis steers, which brakes, and how far they go: learnt by asking the operator to
 * do it, so that no wheel's axes are ever taken for another's. Pure.
 *
 *     rest ─▶ left ─▶ right ─▶ throttle ─▶ brake ─▶ deadman ─▶ done
 *
 * A step takes what moved most away from rest and how far it went, and is done when it
 * has been let go. A button (a trigger of a pad) is read as one more axis, 0 to 1.
 *
 * @typedef {{id: string, mapping: string, axes: readonly number[], buttons: readonly number[]}} Pad
 * @typedef {{input: number, rest: number, end: number}} Travel  `input`: axes first, then buttons
 * @typedef {{left: Travel, right: Travel, throttle: Travel, brake: Travel, deadman: readonly number[],
 *            confirm: number, stop: number, id: string}} Calibration
 *   `deadman`, `confirm`, `stop`: numbers of buttons; of `deadman` all have to be held.
 * @typedef {'rest'|'left'|'right'|'throttle'|'brake'|'deadman'|'done'} Step
 * @typedef {{id: string, mapping: string, axes: number, step: Step, problem: string,
 *            since_ms: number | null, last: readonly number[], rest: readonly number[],
 *            moved: Travel | null, held: readonly number[], found: Partial<Calibration>}} Learning
 */

/** So far from rest counts as pressed or turned; an axis goes 2, a pedal on an axis 2 too. */
export const MOVED = 0.5;
const LET_GO = 0.3;
const STILL_MS = 800;
const STILL = 0.02;
/** Standard gamepad (W3C Gamepad §13): shoulder buttons, A and B. */
const SHOULDERS = [4, 5];
const CONFIRM = 0;
const STOP = 1;

/** @param {Pad} pad @returns {Learning} */
export function beginCalibration(pad) {
  return {
    id: pad.id, mapping: pad.mapping, axes: pad.axes.length, step: 'rest', problem: '',
    since_ms: null, last: [], rest: [], moved: null, held: [], found: {},
  };
}

/** All inputs in one row. @param {Pad} pad @returns {number[]} */
export function inputs(pad) {
  return [...pad.axes, ...pad.buttons];
}

/**
 * Look at the pad once more; call some 30 times a second.
 *
 * @param {Learning} learning
 * @param {Pad} pad
 * @param {number} now_ms
 * @returns {Learning}
 */
export function learn(learning, pad, now_ms) {
  if (learning.step === 'done' || pad.id !== learning.id) return learning;
  const values = inputs(pad);
  if (learning.step === 'rest') return learnRest(learning, values, now_ms);
  if (learning.step === 'deadman') return learnDeadman(learning, pad);
  return learnTravel(learning, values);
}

/** @param {Learning} learning @param {number[]} values @param {number} now_ms @returns {Learning} */
function learnRest(learning, values, now_ms) {
  const still = values.length === learning.last.length && values.every((value, at) => Math.abs(value - learning.last[at]) < STILL);
  if (!still || learning.since_ms === null) return { ...learning, last: values, since_ms: now_ms };
  if (now_ms - learning.since_ms < STILL_MS) return learning;
  return { ...learning, rest: values, step: 'left', since_ms: null };
}

const NEXT = /** @type {const} */ ({ left: 'right', right: 'throttle', throttle: 'brake', brake: 'deadman' });

/** @param {Learning} learning @param {number[]} values @returns {Learning} */
function learnTravel(learning, values) {
  const step = /** @type {'left'|'right'|'throttle'|'brake'} */ (learning.step);
  const away = values.map((value, at) => Math.abs(value - learning.rest[at]));
  const most = away.indexOf(Math.max(...away));
  const { moved } = learning;
  if (away[most] > MOVED && (moved === null || away[most] > Math.abs(moved.end - moved.rest))) {
    return { ...learning, problem: '', moved: { input: most, rest: learning.rest[most], end: values[most] } };
  }
  if (moved === null || away[moved.input] > LET_GO) return learning;
  const problem = clash(step, moved, learning.found);
  if (problem) return { ...learning, problem, moved: null };
  return { ...learning, found: { ...learning.found, [step]: moved }, step: NEXT[step], moved: null };
}

/** @param {string} step @param {Travel} moved @param {Partial<Calibration>} found @returns {string} */
function clash(step, moved, found) {
  const { left, right, throttle } = found;
  if (step === 'right' && left) {
    if (moved.input !== left.input) return 'other_axis';
    if (Math.sign(moved.end - moved.rest) === Math.sign(left.end - left.rest)) return 'same_side';
  }
  if (step === 'throttle' || step === 'brake') {
    const used = [left, right].some((one) => one?.input === moved.input);
    if (used) return 'steering';
    // One axis may be both pedals, if they go to different sides.
    const same = step === 'brake' && throttle?.input === moved.input;
    if (same && Math.sign(moved.end - moved.rest) === Math.sign(throttle.end - throttle.rest)) return 'throttle';
  }
  return '';
}

/** @param {Learning} learning @param {Pad} pad @returns {Learning} */
function learnDeadman(learning, pad) {
  const used = [learning.found.throttle, learning.found.brake].map((one) => (one ? one.input - learning.axes : -1));
  const down = pad.buttons.flatMap((value, at) => (value > MOVED && !used.includes(at) ? [at] : []));
  if (down.length > learning.held.length) return { ...learning, held: down, problem: '' };
  if (learning.held.length === 0 || down.length > 0) return learning;
  const standard = learning.mapping === 'standard';
  if (standard && !SHOULDERS.every((button) => learning.held.includes(button))) return { ...learning, held: [], problem: 'both_shoulders' };
  if (learning.held.some((button) => button === CONFIRM || button === STOP)) return { ...learning, held: [], problem: 'taken' };
  const deadman = standard ? SHOULDERS : learning.held.slice(0, 2);
  return { ...learning, step: 'done', found: { ...learning.found, deadman, confirm: CONFIRM, stop: STOP, id: learning.id } };
}

/** What was learnt, null while it is not done. @param {Learning} learning @returns {Calibration | null} */
export function calibrated(learning) {
  return learning.step === 'done' ? /** @type {Calibration} */ (learning.found) : null;
}

/** A stored calibration, if it is one and of this pad. @param {unknown} stored @param {string} id @returns {Calibration | null} */
export function calibrationOf(stored, id) {
  const one = /** @type {any} */ (stored);
  const travel = (/** @type {any} */ part) =>
    Number.isInteger(part?.input) && Number.isFinite(part?.rest) && Number.isFinite(part?.end) && Math.abs(part.end - part.rest) > MOVED;
  const whole = one?.id === id && [one.left, one.right, one.throttle, one.brake].every(travel) &&
    Array.isArray(one.deadman) && one.deadman.length > 0 && one.deadman.every(Number.isInteger) &&
    Number.isInteger(one.confirm) && Number.isInteger(one.stop);
  return whole ? one : null;
}
