// @ts-check
/**
 * Watches this page for everything that makes its seat worth less, and tells the hub: twice
 * a second, and at once when something changes.
 */
import { signal } from '@preact/signals';
import { lostBetween, REPORT_EVERY_MS, sameFacts, seatReport, slept } from '../core/seat.js';
import { loadCalibration, readPad } from './gamepads.js';

/** @typedef {import('../core/seat.js').Facts} Facts */

export class SeatWatch {
  /** @type {import('@preact/signals').Signal<Facts>} */
  facts = signal({ visible: !document.hidden, focused: document.hasFocus(), sound: false, ready: false, gamepad: false });
  #send;
  #onLost;
  #focused = document.hasFocus();
  #beat_ms = performance.now();
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {(message: object) => void} send
   * @param {(lost: import('../core/seat.js').Lost) => void} onLost told before the hub is
   */
  constructor(send, onLost) {
    this.#send = send;
    this.#onLost = onLost;
  }

  start() {
    this.#beat_ms = performance.now();
    this.#timer = window.setInterval(() => this.#beat(), REPORT_EVERY_MS);
    document.addEventListener('visibilitychange', this.look);
    document.addEventListener('freeze', this.#leave);
    window.addEventListener('pagehide', this.#leave);
    window.addEventListener('blur', this.#onBlur);
    window.addEventListener('focus', this.#onFocus);
    window.addEventListener('gamepadconnected', this.look);
    window.addEventListener('gamepaddisconnected', this.look);
  }

  stop() {
    window.clearInterval(this.#timer);
    document.removeEventListener('visibilitychange', this.look);
    document.removeEventListener('freeze', this.#leave);
    window.removeEventListener('pagehide', this.#leave);
    window.removeEventListener('blur', this.#onBlur);
    window.removeEventListener('focus', this.#onFocus);
    window.removeEventListener('gamepadconnected', this.look);
    window.removeEventListener('gamepaddisconnected', this.look);
  }

  /** What this page knows of sound and check. @param {{sound: boolean, ready: boolean}} known */
  know(known) {
    this.#change({ ...this.facts.peek(), ...known });
  }

  /** Look again at what can be looked at. */
  look = () => {
    const pad = readPad();
    this.#change({
      ...this.facts.peek(),
      visible: !document.hidden,
      focused: this.#focused && document.hasFocus(),
      gamepad: pad !== null && loadCalibration(pad.id) !== null,
    });
  };

  /** @param {import('../core/seat.js').Lost} [lost] */
  report(lost = '') {
    this.#send(seatReport(this.facts.peek(), lost));
  }

  #onBlur = () => {
    this.#focused = false;
    this.look();
  };

  #onFocus = () => {
    this.#focused = true;
    this.look();
  };

  /** The page is put away: whatever comes after is a new beginning. */
  #leave = () => this.#change({ ...this.facts.peek(), visible: false, focused: false });

  #beat() {
    const now_ms = performance.now();
    const asleep = slept(this.#beat_ms, now_ms);
    this.#beat_ms = now_ms;
    if (asleep) this.#lost('sleep');
    this.look();
    this.report();
  }

  /** @param {Facts} facts */
  #change(facts) {
    const before = this.facts.peek();
    if (sameFacts(before, facts)) return;
    this.facts.value = facts;
    const lost = lostBetween(before, facts);
    if (lost) this.#lost(lost);
    else this.report();
  }

  /** @param {import('../core/seat.js').Lost} lost */
  #lost(lost) {
    this.#onLost(lost);
    this.report(lost);
  }
}
