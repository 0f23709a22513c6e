// @ts-check
/**
 * The last ten seconds of one camera, shown again beside the live picture.
 *
 * @typedef {{vehicle: string, camera: string, byItself: boolean, state: 'loading'|'ready'|'empty'|'failed',
 *            playing: boolean, rate: number, shown: boolean, ms: number, from_ms: number, to_ms: number,
 *            rtp: number | null, came_ms: number | null, dropped: number, problem: string}} Replay
 */
import { signal } from '@preact/signals';
import { REACH_MS } from '../core/ring.js';

const WIDTH = 640;

export class Rewind {
  /** @type {import('@preact/signals').Signal<Replay | null>} */
  replay = signal(null);
  #media;
  /** @type {Worker | null} */
  #worker = null;
  /** @type {HTMLCanvasElement | null} */
  #canvas = null;
  #round = 0;

  /** @param {import('./media.js').MediaDesk} media */
  constructor(media) {
    this.#media = media;
  }

  /** Why there is none: '' there is. */
  get why() {
    return this.#media.ring.why.value;
  }

  /** Where the pictures appear. */
  get canvas() {
    return this.#canvas;
  }

  /**
   * Show what the large camera of a vehicle saw; again from its beginning, with what came
   * since. One that comes by itself stays away when there is nothing to show.
   *
   * @param {string} vehicle
   * @param {boolean} byItself
   */
  async open(vehicle, byItself = false) {
    const camera = this.#media.of(vehicle)?.camera;
    if (camera === undefined) return;
    const round = (this.#round += 1);
    const before = this.replay.peek();
    /** @type {Replay} */
    const replay = {
      vehicle, camera, byItself, state: 'loading', playing: false, rate: 1, shown: false, ms: 0, from_ms: 0, to_ms: 0,
      rtp: null, came_ms: null, dropped: 0, problem: '',
    };
    if (byItself && this.why !== '') return;
    if (!byItself && (before === null || before.vehicle !== vehicle)) this.replay.value = replay;
    const clip = await this.#media.ring.clip(vehicle, camera, REACH_MS);
    if (round !== this.#round) return;
    if (clip.frames.length === 0) {
      if (!byItself) this.replay.value = { ...replay, state: 'empty' };
      return;
    }
    this.#start();
    this.replay.value = { ...replay, state: 'ready', dropped: clip.dropped };
    this.#worker?.postMessage({ type: 'play', frames: clip.frames, lead: clip.lead }, clip.frames.map(({ data }) => data));
  }

  close() {
    this.#round += 1;
    this.replay.value = null;
    this.#worker?.terminate();
    this.#worker = this.#canvas = null;
  }

  pause() {
    const replay = this.replay.peek();
    if (replay === null) return;
    // At its end, going on means from the beginning.
    if (!replay.playing && replay.ms >= replay.to_ms) this.seek(replay.from_ms);
    this.#worker?.postMessage({ type: 'set', playing: !replay.playing, rate: replay.rate });
  }

  half() {
    const replay = this.replay.peek();
    if (replay !== null) this.#worker?.postMessage({ type: 'set', playing: replay.playing, rate: replay.rate === 1 ? 0.5 : 1 });
  }

  /** @param {number} ms of the clip */
  seek(ms) {
    this.#worker?.postMessage({ type: 'seek', ms });
  }

  #start() {
    if (this.#worker !== null) return;
    const canvas = (this.#canvas = document.createElement('canvas'));
    canvas.width = WIDTH;
    canvas.height = (WIDTH * 9) / 16;
    canvas.className = 'replay-canvas';
    const worker = (this.#worker = new Worker(new URL('./replayworker.js', import.meta.url), { type: 'module', name: 'enkan-replay' }));
    worker.onmessage = ({ data }) => {
      const replay = this.replay.peek();
      if (worker !== this.#worker || replay === null) return;
      const { playing, rate, shown, ms, from_ms, to_ms, rtp, came_ms, problem } = data;
      this.replay.value = { ...replay, playing, rate, shown, ms, from_ms, to_ms, rtp, came_ms, problem, state: problem === '' ? replay.state : 'failed' };
    };
    worker.onerror = (event) => {
      const replay = this.replay.peek();
      if (worker === this.#worker && replay !== null) this.replay.value = { ...replay, state: 'failed', problem: event.message };
    };
    const offscreen = canvas.transferControlToOffscreen();
    worker.postMessage({ type: 'canvas', canvas: offscreen }, [offscreen]);
  }
}
