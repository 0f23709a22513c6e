// @ts-check
/** Reads once a second what this browser says of its own work on the pictures. */
import { signal } from '@preact/signals';
import { budget, follow, picture, reading, steady, WINDOW_MS } from '../core/seatbudget.js';

const EVERY_MS = 1_000;

export class SeatBudget {
  /** @type {import('@preact/signals').Signal<import('../core/seatbudget.js').Budget>} */
  value = signal(budget([], null, 0));
  /** The breakdown is open. */
  shown = signal(false);
  #media;
  /** A picture that is dialled again has another receiver, and begins anew. @type {Map<RTCRtpReceiver, readonly import('../core/seatbudget.js').Reading[]>} */
  #readings = new Map();
  /** @type {import('../core/seatbudget.js').Stall[] | null} */
  #stalls = null;
  /** @type {import('../core/seatbudget.js').Told} */
  #told = {};
  /** @type {PerformanceObserver | null} */
  #observer = null;
  /** @type {number | undefined} */
  #timer;
  #reading = false;

  /** @param {import('./media.js').MediaDesk} media */
  constructor(media) {
    this.#media = media;
  }

  start() {
    this.#timer = window.setInterval(() => void this.#sample(), EVERY_MS);
    if (!PerformanceObserver.supportedEntryTypes.includes('longtask')) return;
    this.#stalls = [];
    this.#observer = new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) this.#stalls?.push({ at_ms: startTime + duration, length_ms: duration });
    });
    this.#observer.observe({ entryTypes: ['longtask'] });
  }

  stop() {
    window.clearInterval(this.#timer);
    this.#observer?.disconnect();
  }

  async #sample() {
    // A browser that is slow to answer is asked again when it has.
    if (this.#reading || document.hidden) return;
    this.#reading = true;
    try {
      await this.#read();
    } finally {
      this.#reading = false;
    }
  }

  async #read() {
    /** @type {Map<RTCRtpReceiver, readonly import('../core/seatbudget.js').Reading[]>} */
    const kept = new Map();
    /** @type {import('../core/seatbudget.js').Picture[]} */
    const pictures = [];
    for (const { vehicle, view, receiver } of this.#media.all().flatMap((media) => media.receivers().map((one) => ({ vehicle: media.vehicle, ...one })))) {
      const report = await receiver.getStats();
      const fresh = reading(report.values(), performance.now());
      if (fresh === null) continue;
      const readings = follow(this.#readings.get(receiver) ?? [], fresh);
      kept.set(receiver, readings);
      const display = view.stages.find(({ stage }) => stage === 'display');
      const found = picture(vehicle, view.camera, readings, display?.ms ?? null);
      if (found !== null) pictures.push(found);
    }
    this.#readings = kept;
    const now_ms = performance.now();
    if (this.#stalls !== null) this.#stalls = this.#stalls.filter(({ at_ms }) => now_ms - at_ms <= WINDOW_MS);
    const next = steady(this.#told, budget(pictures, this.#stalls, now_ms), now_ms);
    this.#told = next.told;
    this.value.value = next.budget;
  }
}
