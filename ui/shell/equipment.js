// @ts-check
/** Asks the hub for its equipment while somebody looks, and keeps the rates of some minutes. */
import { signal } from '@preact/signals';
import { kept, rates } from '../core/fleet.js';
import { call, Unreachable } from './api.js';

const EVERY_MS = 3_000;
/** Rates kept for the small lines: five minutes. */
export const KEPT = 100;

/** @typedef {ReturnType<typeof rates>} Rates */

export class EquipmentDesk {
  /** The newest answer; null: none yet. @type {import('@preact/signals').Signal<any>} */
  answer = signal(null);
  /** Why there is none: `not_allowed`, `unreachable`, `failed`; empty: there is. */
  problem = signal('');
  /** @type {import('@preact/signals').Signal<readonly Rates[]>} */
  rates = signal([]);
  /** When the newest answer came, by this page's clock; null: never. @type {number | null} */
  at_ms = null;
  /** @type {number | undefined} */
  #timer;

  /** Ask now and every few seconds until the returned function is called. */
  watch() {
    void this.#ask();
    this.#timer = window.setInterval(() => void this.#ask(), EVERY_MS);
    return () => window.clearInterval(this.#timer);
  }

  async #ask() {
    try {
      const { status, body } = await call('/api/fleet');
      if (status !== 200) {
        this.answer.value = null;
        this.problem.value = status === 403 ? 'not_allowed' : 'failed';
        return;
      }
      const before = this.answer.peek();
      this.rates.value = kept(this.rates.peek(), rates(before, body), KEPT);
      this.answer.value = body;
      this.problem.value = '';
      this.at_ms = performance.now();
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      this.problem.value = 'unreachable';
    }
  }
}
