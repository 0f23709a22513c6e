// @ts-check
/**
 * Direct driving: what hands and feet say, and whether a frame may say it. Pure.
 *
 *     off ──nothing blocks, hands off, centred──▶ armed ──dead-man pressed──▶ asking
 *      ▲                                                                       │
 *      ├──not taken within 0.6 s───────────────────────────────────────────────┤
 *      │                                                    the vehicle echoes │
 *      └──blocked, stalled, STOP, dead-man let go──────────────── driving ◀────┘
 *
 * Nothing begins with a foot on the pedal: after every release of the dead-man, and after
 * everything that was lost, the wheel has to be straight and the throttle free before the
 * dead-man counts again; and what is wanted is nothing until the vehicle has said that it
 * took the dead-man. The brake above 10 % wins over every speed.
 *
 * While nothing blocks, frames go on also with the dead-man up: the vehicle hears at once
 * that it is up, and the echo of them shows that the path carries. Without a frame the
 * vehicle ends driving by itself (`protocols.drive.DEADMAN_MS`).
 *
 * @typedef {import('./calibration.js').Calibration} Calibration
 * @typedef {import('./calibration.js').Pad} Pad
 * @typedef {{steer: number, throttle: number, brake: number, deadman: boolean, stop: boolean}} Hands
 *   `steer`: −1 to 1, left positive (ISO 8855).
 * @typedef {{deadman: boolean, speed_mps: number, curvature: number, brake: number}} Want
 * @typedef {{armed: boolean, pressed: boolean, at_ms: number | null, asked_ms: number | null, taken: boolean}} Arming
 *   `asked_ms`: since when the dead-man is pressed; `taken`: the vehicle has said so.
 */
import { inputs, MOVED } from './calibration.js';

export const FRAME_EVERY_MS = 33;
/** The loop did not run for so long: whatever was armed is not any more. */
export const STALL_MS = 300;
/** A vehicle that has not taken the dead-man by then does not: let go and look why. */
export const TAKE_WITHIN_MS = 600;
/** Share of the way to one side that still counts as centred. */
export const CENTRED = 0.08;
/** From here on the brake wins. */
export const BRAKE_WINS = 0.1;
/** Tightest path asked for, 1/m: a radius of 5 m. */
export const MAX_CURVATURE = 0.2;
/** Sideways acceleration asked for, m/s². */
const MAX_SIDEWAYS = 1.5;
/** No faster than this by remote driving, m/s (20 km/h, limit of the permit criteria). */
export const MAX_DRIVE_MPS = 20 / 3.6;

/** @returns {Arming} */
export function disarmed() {
  return { armed: false, pressed: false, at_ms: null, asked_ms: null, taken: false };
}

/** How far along its way, 0 to 1. @param {import('./calibration.js').Travel} travel @param {readonly number[]} values */
function along(travel, values) {
  const value = values[travel.input];
  if (!Number.isFinite(value)) return 0;
  return Math.min(1, Math.max(0, (value - travel.rest) / (travel.end - travel.rest)));
}

/** @param {Calibration} calibration @param {Pad} pad @returns {Hands} */
export function readHands(calibration, pad) {
  const values = inputs(pad);
  const held = (/** @type {number} */ button) => (pad.buttons[button] ?? 0) > MOVED;
  return {
    steer: along(calibration.left, values) - along(calibration.right, values),
    throttle: along(calibration.throttle, values),
    brake: along(calibration.brake, values),
    deadman: calibration.deadman.length > 0 && calibration.deadman.every(held),
    stop: held(calibration.stop),
  };
}

/** @param {Hands} hands */
export function centred(hands) {
  return Math.abs(hands.steer) <= CENTRED && hands.throttle <= CENTRED;
}

/** Nothing wanted; braking. @returns {Want} */
export function zero() {
  return { deadman: false, speed_mps: 0, curvature: 0, brake: 0 };
}

/**
 * One turn of the loop.
 *
 * @param {Arming} arming
 * @param {Hands | null} hands null: no pad, or it is not calibrated
 * @param {string} blocked why driving is not possible at all; '' when nothing blocks
 * @param {number} limit_mps the vehicle's limit now
 * @param {number} now_ms
 * @param {boolean} echoed the vehicle says that it is driven
 * @returns {{arming: Arming, want: Want | null, why: string}}
 *   `want`: null: no frame now. `why`: what keeps it from moving; '' while it drives.
 */
export function decide(arming, hands, blocked, limit_mps, now_ms, echoed) {
  if (blocked || hands === null) return { arming: disarmed(), want: null, why: blocked || 'no_gamepad' };
  const stalled = arming.at_ms !== null && now_ms - arming.at_ms > STALL_MS;
  const released = arming.pressed && !hands.deadman;
  const unheard = arming.pressed && !arming.taken && now_ms - (arming.asked_ms ?? now_ms) > TAKE_WITHIN_MS;
  const begins = !arming.pressed && hands.deadman && !centred(hands);
  let armed = arming.armed && !stalled && !released && !hands.stop && !unheard && !begins;
  if (!armed && !hands.deadman && !hands.stop && centred(hands)) armed = true;
  const pressed = armed && hands.deadman;
  const asked_ms = pressed ? (arming.pressed ? arming.asked_ms : now_ms) : null;
  const taken = pressed && ((arming.pressed && arming.taken) || (arming.pressed && echoed));
  const next = { armed, pressed, at_ms: now_ms, asked_ms, taken };
  if (hands.stop) return { arming: next, want: { ...zero(), brake: 1 }, why: 'stop' };
  if (!pressed) {
    const why = armed ? 'deadman' : unheard ? 'not_taken' : hands.deadman ? 'release_first' : 'centre_first';
    return { arming: next, want: { ...zero(), brake: rounded(hands.brake) }, why };
  }
  if (!taken) return { arming: next, want: { ...zero(), deadman: true, brake: rounded(hands.brake) }, why: 'asking' };
  return { arming: next, want: wanted(hands, limit_mps), why: '' };
}

/** @param {Hands} hands @param {number} limit_mps @returns {Want} */
function wanted(hands, limit_mps) {
  const braking = hands.brake > BRAKE_WINS;
  const top_mps = Math.max(0, Math.min(limit_mps, MAX_DRIVE_MPS));
  const throttle = hands.throttle <= CENTRED ? 0 : (hands.throttle - CENTRED) / (1 - CENTRED);
  const speed_mps = braking ? 0 : throttle * top_mps;
  const beyond = Math.max(0, Math.abs(hands.steer) - CENTRED) / (1 - CENTRED);
  // Square: fine in the middle, full at the end.
  const curvature = Math.sign(hands.steer) * beyond * beyond * tightest(speed_mps);
  return { deadman: true, speed_mps: rounded(speed_mps), curvature: rounded(curvature), brake: rounded(hands.brake) };
}

/** @param {number} speed_mps */
function tightest(speed_mps) {
  return Math.min(MAX_CURVATURE, MAX_SIDEWAYS / Math.max(1, speed_mps * speed_mps));
}

/** Four decimals, and no negative zero. @param {number} value */
function rounded(value) {
  return Math.round(value * 10_000) / 10_000 + 0;
}

/**
 * Why driving is not possible at all, in the order in which a person can do something
 * about it; '' when nothing blocks.
 *
 * @param {{secure: boolean, may: boolean, connected: boolean, supported: boolean, available: boolean,
 *          held: string, purpose: string, key: boolean, clock: boolean, visible: boolean,
 *          focused: boolean, armed: boolean, gamepad: boolean, calibrated: boolean}} now
 *   `held`: where control of the vehicle stands for this seat, 'held' when it has it.
 */
export function driveBlockedBy(now) {
  if (!now.secure) return 'insecure';
  if (!now.may) return 'role';
  if (!now.supported) return 'unsupported';
  if (!now.connected) return 'hub_lost';
  if (!now.visible) return 'hidden';
  if (!now.focused) return 'blur';
  if (!now.armed) return 'unarmed';
  if (!now.gamepad) return 'no_gamepad';
  if (!now.calibrated) return 'uncalibrated';
  if (!now.available) return 'withdrawn';
  if (!now.clock) return 'clock';
  if (now.held !== 'held') return 'no_control';
  if (now.purpose !== 'drive') return 'not_drive';
  if (!now.key) return 'no_key';
  return '';
}

/** Without an accepted frame for so long the frames also go over the hub. */
export const RELAY_AFTER_MS = 300;

/**
 * Where a frame goes: straight, and over the hub too while the direct path does not carry.
 * What came over the hub first goes on over the hub, until a frame has come straight again.
 *
 * @param {{open: boolean, echoed_ms: number | null, by_hub: boolean, began_ms: number, now_ms: number}} path
 *   `echoed_ms`: when the vehicle last told of a newer frame, and `by_hub`: which way that one
 *   came; `began_ms`: first frame of this control.
 */
export function pathsFor({ open, echoed_ms, by_hub, began_ms, now_ms }) {
  const silent = now_ms - Math.max(echoed_ms ?? 0, began_ms) > RELAY_AFTER_MS;
  return { channel: open, relay: !open || silent || by_hub };
}
