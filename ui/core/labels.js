// @ts-check
/**
 * Every word of the console, [Japanese, English], one file a topic under `labels/`. `{x}` is
 * replaced by a value. Tests keep both languages complete, every key used in the sources
 * present, and no key in two files.
 *
 * @typedef {Readonly<Record<string, readonly [string, string]>>} Words
 */
import { ALARMS } from './labels/alarms.js';
import { ANSWERS } from './labels/answers.js';
import { CAMERAS } from './labels/cameras.js';
import { COMMANDS } from './labels/commands.js';
import { CONTROL } from './labels/control.js';
import { DUTIES } from './labels/duties.js';
import { FLEET } from './labels/fleet.js';
import { FRAME } from './labels/frame.js';
import { HANDOVER } from './labels/handover.js';
import { HISTORY } from './labels/history.js';
import { MAP } from './labels/map.js';
import { QUEUE } from './labels/queue.js';
import { REHEARSAL } from './labels/rehearsal.js';
import { REWIND } from './labels/rewind.js';
import { SEAT } from './labels/seat.js';
import { SEAT_BUDGET } from './labels/seatbudget.js';
import { SEATS } from './labels/seats.js';
import { SECURE } from './labels/secure.js';
import { SESSION } from './labels/session.js';
import { SUPERVISION } from './labels/supervision.js';
import { TAKEOVER } from './labels/takeover.js';
import { TALK } from './labels/talk.js';
import { VEHICLE } from './labels/vehicle.js';
import { VIDEO } from './labels/video.js';

/** By topic. */
export const TOPICS = [ALARMS, ANSWERS, CAMERAS, COMMANDS, CONTROL, DUTIES, FLEET, FRAME, HANDOVER, HISTORY, MAP, QUEUE, REHEARSAL, REWIND, SEAT, SEAT_BUDGET, SEATS, SECURE, SESSION, SUPERVISION, TAKEOVER, TALK, VEHICLE, VIDEO];

/** @type {Words} */
export const LABELS = Object.assign({}, ...TOPICS);

/** @typedef {'ja'|'en'} Language */

/**
 * The words of `key`, or `fallback` when the catalogue has none (a word of a newer hub).
 *
 * @param {Language} language
 * @param {string} key
 * @param {Record<string, string|number>} [values]
 * @param {string} [fallback]
 */
export function label(language, key, values, fallback) {
  const pair = LABELS[key];
  if (pair === undefined) return fallback ?? key;
  let text = pair[language === 'ja' ? 0 : 1];
  for (const name in values) text = text.replace(`{${name}}`, String(values[name]));
  return text;
}
