// @ts-check
/**
 * The last seconds of every camera on this screen, kept encoded in a worker.
 *
 * Every received picture passes through that worker, so it must never be the reason that
 * one is missing: nothing is sent through it before it has answered, and when it fails or
 * does not answer, all sessions are dialled anew without it and the console says that
 * there is no rewind.
 *
 * @typedef {{frames: import('../core/ring.js').Kept[], lead: number, dropped: number}} Clip
 */
import { signal } from '@preact/signals';

const READY_WITHIN_MS = 2_000;
const PONG_WITHIN_MS = 1_500;
const CLIP_WITHIN_MS = 3_000;

export class RingDesk {
  /** Why there is no rewind: '' there is, `starting`, `unsupported`, `failed`. @type {import('@preact/signals').Signal<string>} */
  why = signal('starting');
  /** What is kept, by `vehicle camera`, as of the last answer. @type {Record<string, {frames: number, bytes: number, dropped: number}>} */
  kept = {};
  /** @type {Worker | null} */
  #worker = null;
  #failed;
  #id = 0;
  /** @type {Map<number, (clip: Clip) => void>} */
  #asked = new Map();
  /** @type {number | undefined} */
  #timer;
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {() => void} failed sessions have to be dialled anew, without the ring */
  constructor(failed) {
    this.#failed = failed;
    if (!('RTCRtpScriptTransform' in window) || !('VideoDecoder' in window)) {
      this.why.value = 'unsupported';
      return;
    }
    this.#worker = new Worker(new URL('./ringworker.js', import.meta.url), { type: 'module', name: 'enkan-ring' });
    this.#worker.onmessage = ({ data }) => this.#onMessage(data);
    this.#worker.onerror = (event) => this.#fail(event.message || 'the worker did not load');
    this.#timer = window.setTimeout(() => this.#fail('no answer'), READY_WITHIN_MS);
  }

  /** Whether sessions may be dialled; if not yet, `then` is called when they may. @param {() => void} then */
  settled(then) {
    if (this.why.peek() !== 'starting') return true;
    this.#waiting = [then];
    return false;
  }

  /** Let the pictures of a camera pass through the ring. @param {string} vehicle @param {string} camera @param {RTCRtpReceiver} receiver */
  keep(vehicle, camera, receiver) {
    if (this.why.peek() !== '' || this.#worker === null) return;
    receiver.transform = new RTCRtpScriptTransform(this.#worker, { key: `${vehicle} ${camera}` });
  }

  /** @param {string} vehicle @param {string} camera */
  forget(vehicle, camera) {
    this.#worker?.postMessage({ type: 'forget', key: `${vehicle} ${camera}` });
  }

  /** Pictures are missing: is it the ring's fault? */
  suspect() {
    if (this.why.peek() !== '' || this.#worker === null || this.#timer !== undefined) return;
    this.#worker.postMessage({ type: 'ping' });
    this.#timer = window.setTimeout(() => this.#fail('it does not answer'), PONG_WITHIN_MS);
  }

  /**
   * A copy of the last `reach_ms` of a camera, from the keyframe before; no frames: nothing
   * is kept of it.
   *
   * @param {string} vehicle @param {string} camera @param {number} reach_ms
   * @returns {Promise<Clip>}
   */
  clip(vehicle, camera, reach_ms) {
    const nothing = { frames: [], lead: 0, dropped: 0 };
    if (this.why.peek() !== '' || this.#worker === null) return Promise.resolve(nothing);
    const id = (this.#id += 1);
    this.#worker.postMessage({ type: 'clip', id, key: `${vehicle} ${camera}`, reach_ms });
    return new Promise((resolve) => {
      const timer = window.setTimeout(() => {
        this.#asked.delete(id);
        resolve(nothing);
      }, CLIP_WITHIN_MS);
      this.#asked.set(id, (clip) => {
        window.clearTimeout(timer);
        resolve(clip);
      });
    });
  }

  close() {
    window.clearTimeout(this.#timer);
    this.#worker?.terminate();
    this.#worker = null;
  }

  /** @param {any} message */
  #onMessage(message) {
    if (message.type === 'clip') {
      this.#asked.get(message.id)?.(message);
      this.#asked.delete(message.id);
      return;
    }
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (message.type === 'pong') this.kept = message.rings;
    else if (message.type === 'ready') this.#settle('');
  }

  /** @param {string} reason */
  #fail(reason) {
    console.warn('rewind: not possible,', reason);
    this.#timer = undefined;
    const carried = this.why.peek() === '';
    this.close();
    this.#settle('failed');
    if (carried) this.#failed();
  }

  /** @param {string} why */
  #settle(why) {
    this.why.value = why;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const then of waiting) then();
  }
}
