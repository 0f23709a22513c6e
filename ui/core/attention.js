// @ts-check
/**
 * The attention queue as this seat has to see it: what is routed here, what everybody sees,
 * and, quieter, what is somebody else's. Pure.
 *
 * @typedef {import('./store.js').State} State
 * @typedef {{key: string, vehicle: string, kind: 'request'|'alarm', request: any, alarm: any,
 *            priority: number, reason: string, raised_ns: number, deadline_ns: number | null,
 *            step: string, whose: 'mine'|'everybody'|'others', accounts: readonly string[],
 *            taken_by: string}} QueueEntry
 */
import { ending, requestKey } from './store.js';

/**
 * Entries in the order in which they are shown: those of this seat and of everybody first,
 * each part as the hub ranks it. An open request that the hub has not ranked yet is shown to
 * everybody at once.
 *
 * @param {State} state
 * @returns {QueueEntry[]}
 */
export function queueEntries(state) {
  const found = state.attention.flatMap((view) => entryOf(state, view));
  const ranked = new Set(found.map(({ key }) => key));
  const early = Object.values(state.requests)
    .filter((request) => ending(request) === '' && !ranked.has(requestKey(request)))
    .sort(
      (a, b) =>
        (a.deadline_ns ?? Infinity) - (b.deadline_ns ?? Infinity) ||
        a.raised_ns - b.raised_ns ||
        (requestKey(a) < requestKey(b) ? -1 : 1),
    )
    .map((request) => ofRequest(state, request, null));
  const all = [...found, ...early];
  return [...all.filter(({ whose }) => whose !== 'others'), ...all.filter(({ whose }) => whose === 'others')];
}

/** @param {State} state @param {any} view AttentionView @returns {QueueEntry[]} */
function entryOf(state, view) {
  if (view.request_id) {
    const request = state.requests[`${view.vehicle}#${view.request_id}`];
    return request && ending(request) === '' ? [ofRequest(state, request, view)] : [];
  }
  const alarm = state.alarms[view.alarm_id];
  if (!alarm) return [];
  return [{
    key: view.id, vehicle: view.vehicle, kind: 'alarm', request: null, alarm, priority: view.priority, reason: alarm.key,
    raised_ns: view.raised_ns, deadline_ns: view.deadline_ns, step: view.step, ...routing(state, view),
  }];
}

/** @param {State} state @param {any} request @param {any} view @returns {QueueEntry} */
function ofRequest(state, request, view) {
  const late = request.state === 'unanswered';
  return {
    key: requestKey(request), vehicle: request.vehicle, kind: 'request', request, alarm: null,
    priority: state.catalogue[late ? 'takeover.unanswered' : 'takeover.requested']?.priority ?? 1,
    reason: request.reason, raised_ns: request.raised_ns, deadline_ns: request.deadline_ns,
    step: late ? 'unanswered' : (view?.step ?? 'routed'), ...routing(state, view),
  };
}

/** Whose it is. A console without a seat is asked nothing: for it nothing is its own. @param {State} state @param {any} view */
function routing(state, view) {
  const seats = view?.seats ?? [];
  const mine = state.welcome?.seat ?? '';
  const accounts = [...new Set(seats.map((/** @type {string} */ seat) => state.seats.find((one) => one.seat === seat)?.account ?? '').filter(Boolean))];
  const whose = seats.length === 0 || mine === '' ? 'everybody' : seats.includes(mine) ? 'mine' : 'others';
  return { whose: /** @type {'mine'|'everybody'|'others'} */ (whose), accounts, taken_by: view?.taken_by ?? '' };
}

/**
 * Alarms whose sound is not for this seat: what they are about is asked of armed seats
 * elsewhere. Sounds of everything else are heard everywhere.
 *
 * @param {State} state
 * @returns {Set<string>} alarm ids
 */
export function soundsElsewhere(state) {
  const quiet = new Set();
  /** @type {Set<string>} */
  const near = new Set();
  for (const entry of queueEntries(state)) {
    if (entry.kind === 'alarm') {
      if (entry.whose !== 'others') continue;
      quiet.add(entry.alarm.id);
      for (const { id, group } of Object.values(state.alarms)) if (group && group === entry.key) quiet.add(id);
      continue;
    }
    const ids = ['takeover.requested', 'takeover.unanswered'].map((key) => `${key}@${entry.vehicle}`);
    for (const id of ids) (entry.whose === 'others' ? quiet : near).add(id);
  }
  near.forEach((id) => quiet.delete(id));
  return quiet;
}
