// @ts-check
/** A plan of pulses on any audio context, so that what is checked offline is what sounds. */

/** Rise and fall of a pulse: no click, still sharp. */
export const EDGE_S = 0.015;

/**
 * Put the pulses of a plan on a context's time line.
 *
 * @param {BaseAudioContext} context live or offline
 * @param {import('../core/sounds.js').Plan} plan
 * @param {number} at_s on the context's clock
 * @returns {GainNode} all of them; disconnected, they are silent
 */
export function schedule(context, plan, at_s) {
  const out = new GainNode(context, { gain: 1 });
  out.connect(context.destination);
  for (const { at_s: after_s, length_s, hz, gain } of plan.pulses) {
    const from = at_s + after_s;
    const tone = new OscillatorNode(context, { type: 'triangle', frequency: hz });
    const envelope = new GainNode(context, { gain: 0 });
    envelope.gain.setValueAtTime(0, from);
    envelope.gain.linearRampToValueAtTime(gain, from + EDGE_S);
    envelope.gain.setValueAtTime(gain, from + length_s - EDGE_S);
    envelope.gain.linearRampToValueAtTime(0, from + length_s);
    tone.connect(envelope).connect(out);
    tone.start(from);
    tone.stop(from + length_s + 0.01);
  }
  return out;
}
