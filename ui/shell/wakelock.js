// @ts-check
/**
 * Keeps the screen of a seat awake during a shift. A browser takes the lock away from a page
 * that is hidden, and when its battery is low: it is asked for again, and its loss is told.
 */
import { signal } from '@preact/signals';

/** @typedef {'off'|'held'|'lost'|'refused'|'unsupported'} WakeState  `off`: not wanted yet */

export class WakeLock {
  /** @type {import('@preact/signals').Signal<WakeState>} */
  state = signal('off');
  #wanted = false;
  #asking = false;
  /** @type {WakeLockSentinel | null} */
  #lock = null;

  /** From now on the screen is to stay awake. Safe to call again. */
  want() {
    if (!this.#wanted) document.addEventListener('visibilitychange', this.#look);
    this.#wanted = true;
    void this.#ask();
  }

  stop() {
    this.#wanted = false;
    document.removeEventListener('visibilitychange', this.#look);
    void this.#lock?.release();
    this.#lock = null;
    this.state.value = 'off';
  }

  #look = () => void this.#ask();

  async #ask() {
    if (!('wakeLock' in navigator)) {
      this.state.value = 'unsupported';
      return;
    }
    if (this.#lock !== null || this.#asking || document.hidden) return;
    this.#asking = true;
    try {
      const lock = await navigator.wakeLock.request('screen');
      if (!this.#wanted) return void lock.release();
      this.#lock = lock;
      this.state.value = 'held';
      lock.addEventListener('release', () => {
        if (this.#lock !== lock) return;
        this.#lock = null;
        this.state.value = 'lost';
        void this.#ask();
      });
    } catch (error) {
      // NotAllowedError: the system saves power, or its policy forbids it. Shown as such.
      console.info('wake lock: refused', error instanceof Error ? error.name : error);
      this.state.value = 'refused';
    } finally {
      this.#asking = false;
    }
  }
}
