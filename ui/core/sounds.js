// @ts-check
/**
 * Alarm sounds as plans of pulses (structure of IEC 60601-1-8) and when to start one.
 * Pure: `shell/audio.js` plays them.
 *
 * @typedef {{at_s: number, length_s: number, hz: number, gain: number}} Pulse
 * @typedef {{pulses: readonly Pulse[], every_s: number | null}} Plan  null: once
 * @typedef {'p1'|'p2'|'p3'|'hub_lost'} SoundName
 */

/** @param {number[]} starts_s @param {number} length_s @param {number} hz @param {number} gain */
const row = (starts_s, length_s, hz, gain) => starts_s.map((at_s) => ({ at_s, length_s, hz, gain }));

/** @type {Readonly<Record<SoundName, Plan>>} */
export const PLANS = {
  p1: { pulses: row([0, 0.2, 0.4, 0.75, 0.95], 0.14, 880, 0.5), every_s: 2.5 },
  p2: { pulses: row([0, 0.3, 0.6], 0.2, 660, 0.4), every_s: 7 },
  p3: { pulses: row([0, 0.35], 0.2, 520, 0.15), every_s: null },
  hub_lost: {
    pulses: [
      { at_s: 0, length_s: 0.35, hz: 740, gain: 0.45 },
      { at_s: 0.4, length_s: 0.5, hz: 466, gain: 0.45 },
    ],
    every_s: 4,
  },
};

export const SILENCE_MS = 30_000;
/** No plan above is longer. */
const LONGEST_MS = 1_200;

/**
 * @typedef {{heard: readonly string[], last: {name: SoundName, at_ms: number} | null,
 *            silent_until_ms: number}} Sounding
 *   `heard`: alarms that already had their first sound.
 */

/** @returns {Sounding} */
export function quiet() {
  return { heard: [], last: null, silent_until_ms: 0 };
}

/** @param {Sounding} sounding @param {number} now_ms @returns {Sounding} */
export function silence(sounding, now_ms) {
  return { ...sounding, silent_until_ms: now_ms + SILENCE_MS };
}

/**
 * What to start now, if anything. Call it a few times a second.
 *
 * A new alarm ends the silence. P1 and P2 repeat until acknowledged; P3 sounds once.
 *
 * @param {Sounding} sounding
 * @param {readonly {id: string, priority: number}[]} alarms unacknowledged ones
 * @param {boolean} hubLost
 * @param {number} now_ms
 * @returns {{sounding: Sounding, start: SoundName | null}}
 */
export function nextSound(sounding, alarms, hubLost, now_ms) {
  const fresh = alarms.filter(({ id }) => !sounding.heard.includes(id));
  const silent_until_ms = fresh.length > 0 ? 0 : sounding.silent_until_ms;
  const ids = alarms.map(({ id }) => id);
  const heard = { ...sounding, silent_until_ms, heard: ids };
  const name = hubLost ? 'hub_lost' : wanted(alarms, fresh);
  if (name === null || now_ms < silent_until_ms) return { sounding: heard, start: null };
  const { last } = sounding;
  if (last !== null && now_ms - last.at_ms < LONGEST_MS && rank(last.name) <= rank(name)) {
    // Never cut into an equal or higher sound. New alarms stay unheard: their turn comes.
    const still = ids.filter((id) => sounding.heard.includes(id));
    return { sounding: { ...heard, heard: still }, start: null };
  }
  const { every_s } = PLANS[name];
  const due =
    fresh.length > 0 ||
    last === null ||
    last.name !== name ||
    (every_s !== null && now_ms - last.at_ms >= every_s * 1000);
  if (!due) return { sounding: heard, start: null };
  return { sounding: { ...heard, last: { name, at_ms: now_ms } }, start: name };
}

/** @param {SoundName} name */
function rank(name) {
  return { hub_lost: 0, p1: 1, p2: 2, p3: 3 }[name];
}

/** @param {readonly {priority: number}[]} alarms @param {readonly {priority: number}[]} fresh @returns {SoundName | null} */
function wanted(alarms, fresh) {
  const highest = Math.min(...alarms.map(({ priority }) => priority), 9);
  if (highest === 1) return 'p1';
  if (highest === 2) return 'p2';
  return fresh.some(({ priority }) => priority === 3) ? 'p3' : null;
}
