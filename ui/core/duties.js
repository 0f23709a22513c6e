// @ts-check
/**
 * Statutory duties: what is open, what comes next, what is late. Pure.
 *
 * @typedef {import('./store.js').State} State
 * @typedef {any} DutyView      protocols.duties.DutyView
 * @typedef {any} DutyStepView  protocols.duties.DutyStepView
 */

/** An ended duty is shown this long; a step marked by mistake can be taken back until then. */
export const SHOWN_AFTER_END_MS = 600_000;

/** As `supervisor.console.access`; the hub has the last word. */
export const MAY_DO = ['operator', 'supervisor'];

/** Open duties, the oldest event first. @param {State} state @returns {DutyView[]} */
export function openDuties(state) {
  return Object.values(state.duties)
    .filter((duty) => duty.ended_ns === null)
    .sort((a, b) => a.event_ns - b.event_ns || (a.id < b.id ? -1 : 1));
}

/** Duties that ended lately, the newest end first. @param {State} state @param {number} hub_now_ms @returns {DutyView[]} */
export function endedDuties(state, hub_now_ms) {
  return Object.values(state.duties)
    .filter((duty) => duty.ended_ns !== null && hub_now_ms - duty.ended_ns / 1e6 < SHOWN_AFTER_END_MS)
    .sort((a, b) => b.ended_ns - a.ended_ns || (a.id < b.id ? -1 : 1));
}

/** The open step whose time is over first; null: none is open. @param {DutyView} duty @returns {DutyStepView | null} */
export function nextStep(duty) {
  return duty.steps
    .filter((/** @type {DutyStepView} */ step) => step.state === 'open')
    .reduce((/** @type {any} */ best, /** @type {any} */ step) => (best === null || step.due_ns < best.due_ns ? step : best), null);
}

/** Steps that are late now. @param {DutyView} duty @param {number} hub_now_ms */
export function lateSteps(duty, hub_now_ms) {
  return duty.steps.filter((/** @type {any} */ step) => step.state === 'open' && step.due_ns / 1e6 <= hub_now_ms).length;
}

/** Time that has passed, `2:05`, `1:02:05`; a moment before counts as none. @param {number} ms */
export function elapsed(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const minutes = String(Math.floor((s % 3600) / 60)).padStart(s >= 3600 ? 2 : 1, '0');
  return `${s >= 3600 ? `${Math.floor(s / 3600)}:` : ''}${minutes}:${String(s % 60).padStart(2, '0')}`;
}
