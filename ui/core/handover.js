// @ts-check
/**
 * Handing a shift over: what is on the list, what of it is seen, what blocks it. Pure; the
 * hub decides again.
 *
 * @typedef {import('./store.js').State} State
 * @typedef {any} Board     protocols.handover.HandoverBoardView
 * @typedef {any} Handover  protocols.handover.HandoverView
 * @typedef {any} Item      protocols.handover.HandoverItem
 */

/** As `supervisor.console.access`; the hub has the last word. */
export const MAY_HAND_OVER = ['operator', 'supervisor'];
export const MAX_NOTE = 500;
const OPEN = ['offered', 'confirming'];
const EMPTY = { items: [], omitted: 0, notes: [], handovers: [] };

/** @param {State} state @returns {Board} */
export function boardOf(state) {
  return state.handover ?? EMPTY;
}

/** @param {State} state */
export function mayHandOver(state) {
  return MAY_HAND_OVER.includes(state.welcome?.role);
}

/** Open handovers; this person's own first. @param {State} state @returns {Handover[]} */
export function openHandovers(state) {
  const rank = { taking: 0, leaving: 1, other: 2 };
  return boardOf(state).handovers
    .filter((/** @type {Handover} */ one) => OPEN.includes(one.state))
    .sort((/** @type {Handover} */ a, /** @type {Handover} */ b) => rank[partOf(state, a)] - rank[partOf(state, b)]);
}

/** Those that ended, the newest first. @param {State} state @returns {Handover[]} */
export function endedHandovers(state) {
  return boardOf(state).handovers
    .filter((/** @type {Handover} */ one) => !OPEN.includes(one.state))
    .sort((/** @type {Handover} */ a, /** @type {Handover} */ b) => b.since_ns - a.since_ns);
}

/** Which part this console plays. @param {State} state @param {Handover} handover @returns {'leaving'|'taking'|'other'} */
export function partOf(state, handover) {
  const account = state.welcome?.account ?? '';
  if (handover.leaving === account) return 'leaving';
  const elsewhere = handover.seat && handover.seat !== state.welcome?.seat;
  return handover.taking === account && !elsewhere ? 'taking' : 'other';
}

/** @param {Handover} handover @param {Item} item @returns {'seen'|'changed'|'unseen'} */
export function seenState(handover, item) {
  const rev = (handover.seen ?? {})[item.key];
  if (rev === undefined) return 'unseen';
  return rev === item.rev ? 'seen' : 'changed';
}

/** It was not so when the leaving person confirmed. @param {Handover} handover @param {Item} item */
export function cameLater(handover, item) {
  return (handover.offered ?? {})[item.key] !== item.rev;
}

/** @param {State} state @param {Handover} handover */
export function unseenCount(state, handover) {
  return boardOf(state).items.filter((/** @type {Item} */ item) => seenState(handover, item) !== 'seen').length;
}

/** Whom a shift can be offered to: people at open consoles, each once. @param {State} state @returns {string[]} */
export function takers(state) {
  const mine = state.welcome?.account ?? '';
  return [...new Set(state.seats.map((seat) => seat.account))].filter((account) => account !== mine).sort();
}

/** Vehicles that this person has control of, here or at another console. @param {State} state @returns {string[]} */
export function ownControls(state) {
  const account = state.welcome?.account ?? '';
  return Object.values(state.controls)
    .filter((control) => control.state !== 'free' && control.holder === account)
    .map((control) => control.vehicle)
    .sort();
}

/** Why this shift cannot be offered now; '' when it can. @param {State} state @param {string} taking */
export function offerBlockedBy(state, taking) {
  const connected = connectedBlock(state);
  if (connected) return connected;
  if (ownControls(state).length > 0) return 'holds_control';
  if (takers(state).length === 0) return 'no_taker';
  return takers(state).includes(taking) ? '' : 'choose';
}

/** Why it cannot be taken over now; '' when it can. @param {State} state @param {Handover} handover @param {boolean} armed */
export function acceptBlockedBy(state, handover, armed) {
  const connected = connectedBlock(state);
  if (connected) return connected;
  if (handover.state === 'confirming') return 'confirming';
  if ((handover.holds ?? []).length > 0) return 'leaving_holds';
  if (!armed) return 'seat';
  return unseenCount(state, handover) > 0 ? 'unseen' : '';
}

/** @param {State} state */
function connectedBlock(state) {
  if (state.socket !== 'open' || state.seq === null) return 'hub_lost';
  return mayHandOver(state) ? '' : 'role';
}

/** Items in groups of one kind, in the hub's order. @param {readonly Item[]} items @returns {[string, Item[]][]} */
export function byKind(items) {
  /** @type {Map<string, Item[]>} */
  const groups = new Map();
  for (const item of items) groups.set(item.kind, [...(groups.get(item.kind) ?? []), item]);
  return [...groups];
}

/** Handovers of this person's own shift that are over, by id. @param {State} state @returns {string[]} */
export function ownAccepted(state) {
  const account = state.welcome?.account ?? '';
  return boardOf(state).handovers
    .filter((/** @type {Handover} */ one) => one.state === 'accepted' && one.leaving === account)
    .map((/** @type {Handover} */ one) => one.id);
}
