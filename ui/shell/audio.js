// @ts-check
/** Alarm sounds by WebAudio. Needs one gesture of the user before it may sound. */
import { PLANS } from '../core/sounds.js';

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
    const out = new GainNode(context, { gain: 1 });
    out.connect(context.destination);
    this.#playing = out;
    const start = context.currentTime + 0.02;
    for (const { at_s, length_s, hz, gain } of PLANS[name].pulses) {
      const from = start + at_s;
      const tone = new OscillatorNode(context, { type: 'triangle', frequency: hz });
      const envelope = new GainNode(context, { gain: 0 });
      // Rise and fall of 15 ms: no click, still sharp.
      envelope.gain.setValueAtTime(0, from);
      envelope.gain.linearRampToValueAtTime(gain, from + 0.015);
      envelope.gain.setValueAtTime(gain, from + length_s - 0.015);
      envelope.gain.linearRampToValueAtTime(0, from + length_s);
      tone.connect(envelope).connect(out);
      tone.start(from);
      tone.stop(from + length_s + 0.01);
    }
  }

  /** End the sound that is playing. */
  hush() {
    this.#playing?.disconnect();
    this.#playing = null;
  }
}
