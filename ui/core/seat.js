// @ts-check
/**
 * Can this seat warn its operator, and can he act here? Pure.
 *
 * A seat is armed while the page is in front and has the keyboard, its sounds were heard,
 * and the check at the start of the shift is done (`protocols.authority.SeatReport`).
 * What gets lost is told at once: control for driving ends with it.
 *
 * @typedef {{visible: boolean, focused: boolean, sound: boolean, ready: boolean, gamepad: boolean}} Facts
 * @typedef {''|'hidden'|'blur'|'gamepad'|'sleep'} Lost
 * @typedef {'hidden'|'blur'|'silent'|'unchecked'|'handed_over'|'no_report'} WhyNot
 */

/** The hub wants a report that is younger than 1.5 s. */
export const REPORT_EVERY_MS = 500;
/** A timer of half a second that is this late means that the page slept or was stalled. */
export const SLEEP_MS = 1_000;

/** @param {Facts} facts @param {Lost} lost */
export function seatReport(facts, lost) {
  return { type: 'seat', ...facts, lost };
}

/**
 * What was there before and is not now; the worst of them.
 *
 * @param {Facts} before
 * @param {Facts} after
 * @returns {Lost}
 */
export function lostBetween(before, after) {
  if (before.visible && !after.visible) return 'hidden';
  if (before.focused && !after.focused) return 'blur';
  if (before.gamepad && !after.gamepad) return 'gamepad';
  return '';
}

/** @param {Facts} a @param {Facts} b */
export function sameFacts(a, b) {
  return a.visible === b.visible && a.focused === b.focused && a.sound === b.sound &&
    a.ready === b.ready && a.gamepad === b.gamepad;
}

/** The page did not run for a while: asleep, frozen, or stalled. @param {number} before_ms @param {number} now_ms */
export function slept(before_ms, now_ms) {
  return now_ms - before_ms > SLEEP_MS + REPORT_EVERY_MS;
}

/**
 * Why this seat is not armed; empty: it is. The hub's own word counts too: it may not have
 * heard our reports.
 *
 * @param {Facts} facts
 * @param {readonly string[] | null} hub `SeatView.why_not` of this seat, null while unknown
 * @returns {WhyNot[]}
 */
export function whyNotArmed(facts, hub) {
  /** @type {WhyNot[]} */
  const why = [];
  if (!facts.visible) why.push('hidden');
  else if (!facts.focused) why.push('blur');
  if (!facts.ready) why.push('unchecked');
  if (!facts.sound) why.push('silent');
  if (hub?.includes('handed_over')) why.unshift('handed_over');
  if (why.length === 0 && hub?.includes('no_report')) why.push('no_report');
  return why;
}

/**
 * The start-of-shift check as it is kept: who did it, when, and what was found.
 *
 * @typedef {{account: string, at_utc_ms: number, sounds: boolean, microphone: string,
 *            gamepad: string, clock: string, stop: string, handed?: readonly string[]}} ShiftRecord
 *   `microphone`, `gamepad`, `clock`, `stop`: `ok`, `none`, `failed` or `skipped`; `handed`:
 *   handovers of this person's shift that were over before it; a newer one ends it.
 */
export const SHIFT_MS = 12 * 3_600_000;

/** A check counts for its account and its shift. @param {ShiftRecord | null} record @param {string} account @param {number} utc_ms */
export function shiftHolds(record, account, utc_ms) {
  if (record === null || record.account !== account || !record.sounds) return false;
  const age_ms = utc_ms - record.at_utc_ms;
  return age_ms >= 0 && age_ms < SHIFT_MS;
}
