// @ts-check
/**
 * The alarm list: alarms that began together as one line, filters, what this operator bears.
 * Pure.
 *
 * @typedef {import('./store.js').State} State
 * @typedef {{id: string, key: string, priority: number, state: string, raised_ns: number,
 *            alarm: any, group: any, members: readonly any[]}} Item
 *   One line: an alarm (`alarm`), or a group (`group`) with its members.
 * @typedef {'open'|'acknowledged'|'shelved'|'suppressed'|'out'|'all'} Filter
 */

const UNACKNOWLEDGED = ['unacknowledged', 'returned_unacknowledged'];

/** @type {Readonly<Record<Filter, readonly string[]>>} */
const STATES = {
  open: [...UNACKNOWLEDGED, 'acknowledged'],
  acknowledged: ['acknowledged'],
  shelved: ['shelved'],
  suppressed: ['suppressed_by_design'],
  out: ['out_of_service'],
  all: [...UNACKNOWLEDGED, 'acknowledged', 'shelved', 'suppressed_by_design', 'out_of_service'],
};

/** @type {readonly Filter[]} */
export const FILTERS = ['open', 'shelved', 'suppressed', 'out', 'all'];

/** As `supervisor.console.access`; the hub has the last word. */
export const MAY_SHELVE = ['operator', 'supervisor'];
export const MAY_SERVE = ['maintainer', 'supervisor'];

/** How long an alarm may be put aside, seconds. */
export const SHELVES_S = [900, 3_600, 4 * 3_600, 8 * 3_600];

/** @param {{state: string}} item */
export function isUnacknowledged(item) {
  return UNACKNOWLEDGED.includes(item.state);
}

/** Unacknowledged first, highest priority, then oldest. @param {Item} a @param {Item} b */
function order(a, b) {
  return (
    Number(isUnacknowledged(b)) - Number(isUnacknowledged(a)) ||
    a.priority - b.priority ||
    a.raised_ns - b.raised_ns ||
    (a.id < b.id ? -1 : 1)
  );
}

/**
 * Every alarm that is not normal, those of one group as one line.
 *
 * @param {State} state
 * @returns {Item[]}
 */
export function folded(state) {
  /** @type {Item[]} */
  const items = [];
  const grouped = new Set();
  for (const group of Object.values(state.alarm_groups)) {
    const members = group.members.map((/** @type {string} */ id) => state.alarms[id]).filter(Boolean);
    if (members.length < 2) continue;
    for (const alarm of members) grouped.add(alarm.id);
    const { id, key, priority, raised_ns } = group;
    items.push({ id, key, priority, state: group.state, raised_ns, alarm: null, group, members });
  }
  for (const alarm of Object.values(state.alarms)) {
    if (grouped.has(alarm.id)) continue;
    const { id, key, priority, raised_ns } = alarm;
    items.push({ id, key, priority, state: alarm.state, raised_ns, alarm, group: null, members: [] });
  }
  return items.sort(order);
}

/** What still has to be acknowledged, the most pressing first. @param {State} state */
export function pressing(state) {
  return folded(state).filter(isUnacknowledged);
}

/** @param {readonly Item[]} items @param {Filter} filter */
export function filtered(items, filter) {
  return items.filter((item) => STATES[filter].includes(item.state));
}

/** @param {readonly Item[]} items @returns {Record<Filter, number>} */
export function counted(items) {
  const count = (/** @type {Filter} */ filter) => filtered(items, filter).length;
  return {
    open: count('open'), acknowledged: count('acknowledged'), shelved: count('shelved'),
    suppressed: count('suppressed'), out: count('out'), all: items.length,
  };
}

/** What alarms asked of whoever sits here; null: not counted. @param {State} state */
export function ownLoad(state) {
  const account = state.welcome?.account;
  return state.alarm_kpi?.operators.find((/** @type {any} */ one) => one.account === account) ?? null;
}

/**
 * During a flood the low alarms of the list step back behind one line; urgent and high ones
 * stay where they are.
 *
 * @param {readonly Item[]} items
 * @param {boolean} flood
 * @returns {{shown: readonly Item[], behind: readonly Item[]}}
 */
export function duringFlood(items, flood) {
  if (!flood) return { shown: items, behind: [] };
  const behind = items.filter((item) => item.priority >= 3);
  return { shown: items.filter((item) => item.priority < 3), behind };
}

/** Whether an alarm may be put aside by this role. @param {State} state @param {any} alarm */
export function mayShelve(state, alarm) {
  const row = state.catalogue[alarm.key];
  return (
    MAY_SHELVE.includes(state.welcome?.role) &&
    row?.shelvable === true && alarm.priority > 1 &&
    alarm.state !== 'shelved' && alarm.state !== 'out_of_service'
  );
}

/** Shares of priorities, in per cent; null: nothing was announced. @param {readonly number[]} counts */
export function shares(counts) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return total === 0 ? null : counts.map((count) => Math.round((100 * count) / total));
}
