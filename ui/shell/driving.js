// @ts-check
/**
 * Direct driving: thirty times a second, from this visible tab with the keyboard, what the
 * hands say becomes a sealed frame and goes to the vehicle. `core/drive.js` decides whether
 * there is a frame; here are the clocks, the key and the ways.
 */
import { signal } from '@preact/signals';
import { decide, disarmed, driveBlockedBy, FRAME_EVERY_MS, pathsFor, readHands, zero } from '../core/drive.js';
import { base64, driveJson, importKey, issuedNs, sealed } from '../core/frames.js';
import { controlOf, MAY_CONTROL, standingOf } from '../core/control.js';
import { loadCalibration, readPad } from './gamepads.js';

/**
 * @typedef {{vehicle: string, why: string, want: import('../core/drive.js').Want | null,
 *            hands: import('../core/drive.js').Hands | null, echo: any, echo_age_ms: number | null,
 *            echo_behind: number, channel: boolean, relay: boolean, sent: number}} Shown
 *   `echo_age_ms`: since the vehicle told of a newer frame; `echo_behind`: frames it has not told of.
 */
const LIMIT_MPS = 5.5;
const SHOW_EVERY_MS = 100;

export class Driving {
  /** What the driver sees; null while he cannot drive anything. @type {import('@preact/signals').Signal<Shown | null>} */
  shown = signal(null);
  #desk;
  #send;
  #arming = disarmed();
  /** @type {{vehicle: string, session_id: string, epoch: number, key: CryptoKey} | null} */
  #key = null;
  #seq = 0;
  #began_ms = 0;
  /** @type {{echo: any, seq: number, at_ms: number | null}} */
  #echo = { echo: null, seq: -1, at_ms: null };
  #stopHeld = false;
  #shown_ms = 0;
  /** @type {number | undefined} */
  #timer;
  /** @type {{id: string, calibration: import('../core/calibration.js').Calibration | null}} */
  #learnt = { id: '', calibration: null };

  /** @param {import('./console.js').Console} desk @param {(message: object) => boolean} send */
  constructor(desk, send) {
    this.#desk = desk;
    this.#send = send;
  }

  start() {
    this.#timer = window.setInterval(() => this.#turn(), FRAME_EVERY_MS);
  }

  stop() {
    window.clearInterval(this.#timer);
    this.letGo();
  }

  /** Zero, once, on every way there is; and hands off before anything moves again. */
  letGo() {
    const moved = this.#arming.pressed;
    this.#arming = disarmed();
    if (moved) void this.#say({ ...zero(), brake: 1 }, performance.now(), { channel: true, relay: true });
  }

  /** Calibrated anew. */
  forgetCalibration() {
    this.#learnt = { id: '', calibration: null };
    this.letGo();
  }

  /** @param {{vehicle: string, session_id: string, epoch: number, key: string}} message */
  async takeKey({ vehicle, session_id, epoch, key }) {
    if (!globalThis.crypto?.subtle) return;
    this.letGo();
    this.#key = { vehicle, session_id, epoch, key: await importKey(crypto.subtle, key) };
    this.#seq = 0;
    this.#echo = { echo: null, seq: -1, at_ms: null };
    this.#began_ms = performance.now();
  }

  /** The socket is gone, and with it the seat and its key. */
  forgetKey() {
    this.letGo();
    this.#key = null;
  }

  /** What the vehicle says of our frames. @param {string} vehicle @param {any} echo DriveEcho */
  onEcho(vehicle, echo) {
    if (this.#key === null || vehicle !== this.#key.vehicle || echo?.epoch !== this.#key.epoch) return;
    if (echo.seq < this.#echo.seq) return; // The slower of the two ways tells old news.
    const newer = echo.seq > this.#echo.seq;
    this.#echo = { echo, seq: echo.seq, at_ms: newer ? performance.now() : this.#echo.at_ms };
  }

  /** Why the focused or held vehicle cannot be driven; '' when it can. @param {string} vehicle */
  blockedBy(vehicle) {
    const desk = this.#desk;
    const state = desk.state.peek();
    const facts = desk.seat.facts.peek();
    const view = state.vehicles[vehicle];
    const pad = readPad();
    return driveBlockedBy({
      secure: globalThis.isSecureContext === true && globalThis.crypto?.subtle !== undefined,
      may: MAY_CONTROL.includes(state.welcome?.role),
      supported: view?.commands.includes('take_control') ?? false,
      connected: state.socket === 'open' && state.seq !== null,
      available: view?.supervision?.drive.available ?? false,
      held: standingOf(state, vehicle),
      purpose: controlOf(state, vehicle)?.purpose ?? '',
      key: this.#key?.vehicle === vehicle && this.#key.epoch === controlOf(state, vehicle)?.epoch,
      clock: view?.clock_offset_ns != null && desk.clock.peek()?.trusted === true,
      visible: facts.visible,
      focused: facts.focused,
      armed: facts.sound && facts.ready,
      gamepad: pad !== null,
      calibrated: pad !== null && this.#calibration(pad.id) !== null,
    });
  }

  /** @param {string} id */
  #calibration(id) {
    if (this.#learnt.id !== id) this.#learnt = { id, calibration: loadCalibration(id) };
    return this.#learnt.calibration;
  }

  #turn() {
    const now_ms = performance.now();
    const desk = this.#desk;
    const state = desk.state.peek();
    const pad = readPad();
    const calibration = pad === null ? null : this.#calibration(pad.id);
    const hands = pad === null || calibration === null ? null : readHands(calibration, pad);
    this.#buttons(hands);
    const vehicle = this.#key?.vehicle ?? state.intervene;
    if (vehicle === null || vehicle === undefined) {
      this.#arming = disarmed();
      if (this.shown.peek() !== null) this.shown.value = null;
      return;
    }
    this.onEcho(vehicle, state.vehicles[vehicle]?.drive_echo);
    const blocked = this.blockedBy(vehicle);
    const limit_mps = Math.min(LIMIT_MPS, state.vehicles[vehicle]?.pose?.speed_limit_mps ?? LIMIT_MPS);
    const pressed = this.#arming.pressed;
    const { arming, want, why } = decide(this.#arming, hands, blocked, limit_mps, now_ms, this.#echo.echo?.driving === true);
    this.#arming = arming;
    const channel = desk.media.of(vehicle)?.commandOpen ?? false;
    const paths = pathsFor({ open: channel, echoed_ms: this.#echo.at_ms, by_hub: this.#echo.echo?.by_hub === true, began_ms: this.#began_ms, now_ms });
    if (want !== null) void this.#say(want, now_ms, paths);
    else if (pressed) void this.#say({ ...zero(), brake: 1 }, now_ms, { channel: true, relay: true });
    if (now_ms - this.#shown_ms < SHOW_EVERY_MS) return;
    this.#shown_ms = now_ms;
    this.shown.value = {
      vehicle, why, want, hands, echo: this.#echo.echo, channel, relay: paths.relay && want !== null, sent: this.#seq,
      echo_age_ms: this.#echo.at_ms === null ? null : now_ms - this.#echo.at_ms,
      echo_behind: this.#seq - 1 - this.#echo.seq,
    };
  }

  /** B stops what is focused, whether driven or not. @param {import('../core/drive.js').Hands | null} hands */
  #buttons(hands) {
    const held = hands?.stop === true;
    if (held && !this.#stopHeld && this.#desk.seat.facts.peek().focused) {
      this.#desk.stopVehicle(this.#key?.vehicle ?? this.#desk.state.peek().focused);
    }
    this.#stopHeld = held;
  }

  /** @param {import('../core/drive.js').Want} want @param {number} now_ms @param {{channel: boolean, relay: boolean}} paths */
  async #say(want, now_ms, { channel, relay }) {
    const key = this.#key;
    const clock = this.#desk.clock.peek();
    const view = key && this.#desk.state.peek().vehicles[key.vehicle];
    if (!key || !view || clock === null || view.clock_offset_ns == null) return;
    const { session_id, epoch } = key;
    const seq = this.#seq;
    this.#seq += 1;
    const json = driveJson({ session_id, epoch, seq, issued_ns: issuedNs(now_ms, clock.offset_ms, view.clock_offset_ns), ...want });
    const frame = await sealed(crypto.subtle, key.key, json);
    if (channel) this.#desk.media.of(key.vehicle)?.sendCommand(frame);
    if (relay) this.#send({ type: 'drive_relay', vehicle: key.vehicle, frame: base64(frame) });
  }
}
