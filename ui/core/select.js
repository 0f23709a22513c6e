// @ts-check
/**
 * Questions about the state, answered without changing it. Pure.
 *
 * @typedef {import('./store.js').State} State
 */
import { duringFlood, ownLoad, pressing } from './alarmlist.js';
import { queueEntries, soundsElsewhere } from './attention.js';
import { cameraNames, requestKey } from './store.js';

/** More pictures nobody watches; the first nine have a key. */
export const MAX_TILES = 16;

/** Vehicles that send pictures, in the order of their tiles. @param {State} state @returns {string[]} */
export function watched(state) {
  return state.order.filter((id) => cameraNames(state.vehicles[id]).length > 0).slice(0, MAX_TILES);
}

/** Vehicles shown as status rows: no camera, or beyond the last tile. @param {State} state @returns {string[]} */
export function unwatched(state) {
  const tiles = watched(state);
  return state.order.filter((id) => !tiles.includes(id));
}

/** Take-over requests in the order of the queue, those of this seat first. @param {State} state */
export function openRequests(state) {
  return queueEntries(state).flatMap(({ request }) => (request === null ? [] : [request]));
}

/**
 * Keeps cards where the pointer expects them: known cards stay in their places, new
 * ones go to the end until the pointer has left.
 *
 * @param {readonly string[]} shown keys as shown now
 * @param {readonly string[]} wanted keys in their proper order
 * @param {boolean} pointerInside
 */
export function stableOrder(shown, wanted, pointerInside) {
  if (!pointerInside) return [...wanted];
  const kept = shown.filter((key) => wanted.includes(key));
  return [...kept, ...wanted.filter((key) => !kept.includes(key))];
}

/** A request is as urgent as the catalogue says of its alarm. @param {State} state @param {any} request */
export function requestPriority(state, request) {
  const key = request.state === 'unanswered' ? 'takeover.unanswered' : 'takeover.requested';
  return state.catalogue[key]?.priority ?? 1;
}

/** Unacknowledged alarms, a group as one, oldest of the highest priority first. @param {State} state */
export function alarmLine(state) {
  return pressing(state);
}

/**
 * Which alarm sound has to be heard: every unacknowledged alarm (a group once, and low ones not
 * during a flood) but those that other armed seats are asked about, and an open request even
 * if its alarm row has not arrived.
 *
 * @param {State} state
 * @returns {{id: string, priority: number}[]}
 */
export function audible(state) {
  const elsewhere = soundsElsewhere(state);
  const flood = ownLoad(state)?.flood === true;
  const sounds = duringFlood(alarmLine(state), flood).shown
    .filter(({ id }) => !elsewhere.has(id))
    .map(({ id, priority }) => ({ id, priority }));
  for (const { request, whose } of queueEntries(state)) {
    if (request === null || whose === 'others') continue;
    const hasAlarm = Object.values(state.alarms).some(
      (alarm) => alarm.vehicle === request.vehicle && alarm.key.startsWith('takeover.'),
    );
    if (!hasAlarm && request.state === 'open') sounds.push({ id: requestKey(request), priority: requestPriority(state, request) });
  }
  return sounds;
}

/**
 * The latest command of a vehicle and how far it is *known* to have come.
 * `asking`: on its way to the hub; `direct`: sent straight to the vehicle and to nobody else;
 * `not_sent`: no path took it; `unconfirmed`: a path took it and nobody answered.
 *
 * @param {State} state
 * @param {string} vehicle
 * @returns {{id: string, type: string, state: string, reason: string, operator: string,
 *            asked_ns: number|null, asked_ms: number|null, view: any} | null}
 */
export function latestCommand(state, vehicle) {
  const asked = Object.values(state.asked).filter((one) => one.vehicle === vehicle).at(-1);
  const views = Object.values(state.commands).filter((one) => one.vehicle === vehicle);
  const newest = views.reduce((a, b) => (a === null || b.asked_ns >= a.asked_ns ? b : a), /** @type {any} */ (null));
  const own = asked && state.commands[asked.id];
  // The hub has not mentioned our newest command yet; another seat's may be newer still.
  const newest_ms = newest && state.hub_now_at_ms - (state.hub_now_ns - newest.asked_ns) / 1e6;
  if (asked && !own && (newest_ms === null || newest_ms <= asked.asked_ms)) {
    return {
      id: asked.id, type: asked.type, state: localState(asked), reason: asked.refused,
      operator: '', asked_ns: null, asked_ms: asked.asked_ms, view: null,
    };
  }
  if (newest === null) return null;
  return {
    id: newest.id, type: newest.type, state: newest.state, reason: newest.reason ?? '',
    operator: newest.operator, asked_ns: newest.asked_ns, asked_ms: null, view: newest,
  };
}

/** @param {import('./store.js').LocalCommand} asked */
export function localState(asked) {
  if (asked.refused) return 'refused';
  const gone = asked.socket === 'closed' && asked.rest === 'failed';
  if (gone && asked.channel !== 'sent') return 'not_sent';
  if (asked.timed_out) return 'unconfirmed';
  if (asked.rest === 'ok') return 'accepted';
  // Only straight to the vehicle, whose answer would come by the hub.
  if (gone) return 'direct';
  return 'asking';
}

/** The steps of a command for drawing. @param {string} state */
export function progressSteps(state) {
  const reached = { asking: 0, accepted: 0, direct: 0, recording: 0, sent: 1, received: 2, applied: 3 }[state];
  return reached === undefined ? null : reached;
}

/** As `supervisor.console.access`; the hub has the last word. */
export const MAY_STOP = ['operator', 'supervisor', 'maintainer', 'admin'];
