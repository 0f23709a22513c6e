// @ts-check
/**
 * How long this sign-in lasts, and whether its password is fresh enough for driving. Pure;
 * the hub decides.
 *
 * @typedef {import('./store.js').State} State
 * @typedef {'expired'|'idle'|'revoked'|'replaced'|'gone'} Ending
 *   `gone`: the hub does not know the session any more; it was restarted, or time passed
 *   while there was no connection.
 * @typedef {{how: Ending, account: string, held: string | null, at_ms: number}} Ended
 *   `held`: the vehicle that this seat had control of.
 */

/** So long before the end a line says so. */
export const WARN_MS = 300_000;
/** Goodbyes after which the page stays, and says what it can still do. */
const ENDINGS = ['expired', 'idle', 'revoked', 'replaced'];

/** @param {string} reason of a goodbye @returns {Ending | null} null: it does not end the sign-in, or its person did */
export function endingOf(reason) {
  return ENDINGS.includes(reason) ? /** @type {Ending} */ (reason) : null;
}

/** Time left of this sign-in; null while unknown. @param {State} state @param {number} hub_now_ms */
export function leftMs(state, hub_now_ms) {
  return state.session === null ? null : state.session.ends_ns / 1e6 - hub_now_ms;
}

/** The end is near enough to say so. @param {State} state @param {number} hub_now_ms */
export function endsSoon(state, hub_now_ms) {
  const left_ms = leftMs(state, hub_now_ms);
  return state.ended === null && left_ms !== null && left_ms <= WARN_MS;
}

/** Driving may be asked for without giving the password once more. @param {State} state @param {number} hub_now_ms */
export function isProved(state, hub_now_ms) {
  return state.session !== null && hub_now_ms < state.session.proved_until_ns / 1e6;
}
