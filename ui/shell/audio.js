// @ts-check
/** Alarm sounds by WebAudio. Needs one gesture of the user before it may sound. */
import { PLANS } from '../core/sounds.js';
import { schedule } from './tones.js';

export class AlarmAudio {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {GainNode | null} */
  #playing = null;
  #onChange;

  /** @param {() => void} onChange the browser let sound go or held it back */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Sound really leaves this browser. */
  get running() {
    return this.#context?.state === 'running';
  }

  /** Call from a gesture. */
  async open() {
    if (this.#context === null) {
      this.#context = new AudioContext({ latencyHint: 'interactive' });
      this.#context.onstatechange = () => this.#onChange();
    }
    if (this.#context.state !== 'running') await this.#context.resume();
    this.#onChange();
  }

  /** @param {import('../core/sounds.js').SoundName} name */
  play(name) {
    const context = this.#context;
    if (context === null || context.state !== 'running') return;
    this.hush();
    this.#playing = schedule(context, PLANS[name], context.currentTime + 0.02);
  }

  /** End the sound that is playing. */
  hush() {
    this.#playing?.disconnect();
    this.#playing = null;
  }
}
