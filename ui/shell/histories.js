// @ts-check
/** Ten minutes of every vehicle's numbers, taken once a second, and which one is looked at. */
import { signal } from '@preact/signals';
import { read, sampleFleet } from '../core/history.js';

export class HistoryDesk {
  /** The vehicle whose history is shown over the screen; null: none. @type {import('@preact/signals').Signal<string | null>} */
  shown = signal(null);
  /** Counts samples: what draws them reads it. */
  taken = signal(0);
  #desk;
  /** @type {import('../core/history.js').Histories} */
  #histories = new Map();

  /** @param {import('./console.js').Console} desk */
  constructor(desk) {
    this.#desk = desk;
  }

  /** Once a second. */
  sample() {
    sampleFleet(this.#histories, this.#desk.state.peek(), second(), this.#desk.hubNow() * 1e6);
    this.taken.value += 1;
  }

  /** @param {string} vehicle */
  of(vehicle) {
    return read(this.#histories.get(vehicle), second());
  }


  /** Show or hide. @param {string | null} vehicle */
  toggle(vehicle) {
    this.shown.value = vehicle === null || this.shown.peek() === vehicle ? null : vehicle;
  }
}

/** This page's own monotonic clock: it goes on when a hub starts again with another. */
function second() {
  return Math.floor(performance.now() / 1_000);
}
