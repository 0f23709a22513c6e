// @ts-check
/**
 * What this console knows: one value, changed only by `reduce(state, message)`.
 *
 * Messages are those of the hub (`type` as on the wire) and the console's own
 * (`type` beginning with `local.`). Pure: no clock, no network, no document.
 * Objects that did not change keep their identity, so that panels can skip them.
 *
 * @typedef {any} VehicleView  protocols.operator.VehicleView with `route` (of its RouteView)
 *   and `supervision` (its SupervisionView, or null) put in, which come by themselves
 * @typedef {any} AlarmView    protocols.operator.AlarmView
 * @typedef {any} RequestView  protocols.operator.RequestView
 * @typedef {any} CommandView  protocols.operator.CommandView
 * @typedef {{id: string, vehicle: string, type: string, asked_ms: number,
 *            socket: 'sent'|'closed', rest: 'idle'|'pending'|'ok'|'failed',
 *            channel: 'idle'|'sent'|'closed'|'no_key', refused: string, timed_out: boolean}} LocalCommand
 *   A command as far as this console has brought it, before the hub says a word.
 * @typedef {{vehicle: string, purpose: string, request_id: string, preempt: string, at_ms: number,
 *            refused: string, detail: string}} Taking
 *   Control that this console has asked for; `refused`: why it did not come.
 * @typedef {{vehicle: string, how: string, by: string, reason: string, at_ms: number}} Gone
 *   Control that this console had, and has not any more without having given it back.
 * @typedef {'connecting'|'open'|'lost'} SocketState
 * @typedef {{
 *   socket: SocketState, socket_since_ms: number, was_open: boolean, needs_resync: boolean,
 *   seq: number | null, hub_now_ns: number, hub_now_at_ms: number,
 *   welcome: any, catalogue: Record<string, any>,
 *   vehicles: Record<string, VehicleView>, order: readonly string[],
 *   routes: Record<string, readonly (readonly [number, number])[]>,
 *   supervision: Record<string, any>,
 *   alarms: Record<string, AlarmView>, requests: Record<string, RequestView>,
 *   commands: Record<string, CommandView>, asked: Record<string, LocalCommand>,
 *   trails: Record<string, readonly (readonly [number, number, number])[]>,
 *   duties: Record<string, any>, coverage: Record<string, any>,
 *   alarm_groups: Record<string, any>, alarm_kpi: any, handover: any,
 *   controls: Record<string, any>, seats: readonly any[], attention: readonly any[],
 *   taking: Taking | null, gone: Gone | null,
 *   session: {ends_ns: number, proved_until_ns: number} | null, ended: import('./session.js').Ended | null,
 *   stopped: boolean, focused: string | null, screen: Screen, takeover: string | null, intervene: string | null,
 *   closed: readonly {key: string, vehicle: string, how: string, at_ms: number}[],
 *   refusal: {ref: string, reason: string, detail: string, at_ms: number} | null,
 * }} State
 *   `stopped`: the hub said that it was stopped on purpose. `intervene`: vehicle of the take-over screen, null: not shown; `takeover`: the request it
 *   was opened for, if any.
 * @typedef {'watch'|'map'|'alarms'|'duties'|'handover'|'seats'|'fleet'|'rehearsal'} Screen
 */
import { heldVehicle, isMine, withControls } from './control.js';

const TRAIL_NS = 120e9;
const TRAIL_STEP_NS = 1e9;
const KEEP_COMMANDS = 64;
/** A closed card stays this long as a confirmation. */
export const CONFIRM_MS = 5_000;

/** @returns {State} */
export function initialState() {
  return {
    socket: 'connecting', socket_since_ms: 0, was_open: false, needs_resync: false,
    seq: null, hub_now_ns: 0, hub_now_at_ms: 0,
    welcome: null, catalogue: {},
    vehicles: {}, order: [], routes: {}, supervision: {}, alarms: {}, requests: {}, commands: {}, asked: {}, trails: {},
    duties: {}, coverage: {},
    alarm_groups: {}, alarm_kpi: null, handover: null,
    controls: {}, seats: [], attention: [], taking: null, gone: null, session: null, ended: null,
    stopped: false, focused: null, screen: 'watch', takeover: null, intervene: null, closed: [], refusal: null,
  };
}

/** @param {RequestView} request */
export function requestKey(request) {
  return `${request.vehicle}#${request.id}`;
}

/**
 * @param {State} state
 * @param {any} message
 * @returns {State}
 */
export function reduce(state, message) {
  switch (message.type) {
    case 'welcome':
      return {
        ...state,
        welcome: message,
        seq: null,
        catalogue: Object.fromEntries(message.alarm_catalogue.map((/** @type {any} */ row) => [row.key, row])),
      };
    case 'snapshot':
      return onSnapshot(state, message);
    case 'delta':
      return onDelta(state, message);
    case 'refusal':
      return onRefusal(state, message);
    case 'goodbye':
      return message.reason === 'shutdown' ? { ...state, stopped: true } : state;
    case 'session':
      return { ...state, session: { ends_ns: message.ends_ns, proved_until_ns: message.proved_until_ns } };
    case 'local.ended': {
      const lost = reduce(state, { type: 'local.socket', state: 'lost', at_ms: message.at_ms });
      const account = state.welcome?.account ?? '';
      return { ...lost, session: null, ended: { how: message.how, account, held: heldVehicle(state) ?? state.gone?.vehicle ?? null, at_ms: message.at_ms } };
    }
    case 'local.socket':
      return {
        ...state,
        socket: message.state,
        socket_since_ms: state.socket === message.state ? state.socket_since_ms : message.at_ms,
        was_open: state.was_open || message.state === 'open',
        needs_resync: false,
        stopped: message.state === 'open' ? false : state.stopped,
        // A seat ends with its socket, and control with the seat; nothing is asked again by itself.
        taking: message.state === 'open' ? state.taking : null,
        gone: seatLost(state, message),
        ended: message.state === 'open' ? null : state.ended,
        seq: message.state === 'open' ? state.seq : null,
      };
    case 'local.focus':
      return state.vehicles[message.vehicle] ? { ...state, focused: message.vehicle } : state;
    case 'local.screen':
      return { ...state, screen: message.screen, takeover: null, intervene: null };
    case 'local.takeover': {
      const request = state.requests[message.key];
      if (!request) return state;
      return { ...state, takeover: message.key, intervene: request.vehicle, focused: request.vehicle };
    }
    case 'local.intervene': {
      if (!state.vehicles[message.vehicle]) return state;
      const request = Object.values(state.requests).find((one) => one.vehicle === message.vehicle && ending(one) === '');
      return { ...state, intervene: message.vehicle, focused: message.vehicle, takeover: request ? requestKey(request) : null };
    }
    case 'local.leave_takeover':
      return { ...state, takeover: null, intervene: null };
    case 'local.taking':
      return { ...state, taking: message.taking };
    case 'local.gone':
      return { ...state, gone: message.gone };
    case 'local.asked':
      return { ...state, asked: trim({ ...state.asked, [message.command.id]: message.command }) };
    case 'local.asked_progress': {
      const before = state.asked[message.id];
      if (!before) return state;
      return { ...state, asked: { ...state.asked, [message.id]: { ...before, ...message.change } } };
    }
    case 'local.expire':
      return expire(state, message.now_ms);
    default:
      return state;
  }
}

/** @param {State} state @param {any} message @returns {State} */
function onSnapshot(state, message) {
  const routes = byVehicle(message.routes ?? [], 'route');
  const supervision = byVehicle(message.supervision ?? []);
  const vehicles = byId(message.vehicles.map((/** @type {any} */ view) => whole(view, routes, supervision)));
  const order = Object.keys(vehicles).sort();
  const requests = Object.fromEntries(message.requests.map((/** @type {any} */ r) => [requestKey(r), r]));
  const controls = message.controls ?? [];
  const next = {
    ...state,
    ...withControls(state, controls, message.at_ms ?? 0),
    controls: byVehicle(controls),
    seats: message.seats ?? [],
    attention: message.attention ?? [],
    duties: byId(message.duties ?? []),
    coverage: byVehicle(message.coverage ?? []),
    alarm_groups: byId(message.alarm_groups ?? []),
    alarm_kpi: message.alarm_kpi ?? null,
    handover: message.handover ?? null,
    seq: message.seq,
    needs_resync: false,
    hub_now_ns: message.hub_now_ns,
    hub_now_at_ms: message.at_ms ?? state.hub_now_at_ms,
    vehicles,
    order,
    routes,
    supervision,
    alarms: byId(message.alarms.filter((/** @type {any} */ a) => a.state !== 'normal')),
    requests,
    commands: byId(message.commands),
    trails: grow(keepOnly(state.trails, order), message.vehicles),
    focused: state.focused && vehicles[state.focused] ? state.focused : firstWatched(vehicles, order),
    takeover: state.takeover && requests[state.takeover] ? state.takeover : null,
    intervene: state.intervene && vehicles[state.intervene] ? state.intervene : null,
  };
  closeFinished(state, next, message.at_ms ?? 0);
  return next;
}

/** @param {State} state @param {any} message @returns {State} */
function onDelta(state, message) {
  // A gap means that something was missed, perhaps an alarm: only a new snapshot helps.
  if (state.seq === null || message.seq !== state.seq + 1) return { ...state, needs_resync: true };
  const next = { ...state, seq: message.seq, hub_now_ns: message.hub_now_ns,
    hub_now_at_ms: message.at_ms ?? state.hub_now_at_ms };
  if (message.routes?.length || message.supervision?.length) {
    next.routes = { ...state.routes, ...byVehicle(message.routes ?? [], 'route') };
    next.supervision = { ...state.supervision, ...byVehicle(message.supervision ?? []) };
    next.vehicles = { ...state.vehicles };
    for (const { vehicle } of [...(message.routes ?? []), ...(message.supervision ?? [])]) {
      const view = next.vehicles[vehicle];
      if (view) next.vehicles[vehicle] = whole(view, next.routes, next.supervision);
    }
  }
  if (message.vehicles?.length) {
    next.vehicles = {
      ...next.vehicles,
      ...byId(message.vehicles.map((/** @type {any} */ view) => whole(view, next.routes, next.supervision))),
    };
    const known = message.vehicles.every((/** @type {any} */ v) => v.id in state.vehicles);
    if (!known) next.order = Object.keys(next.vehicles).sort();
    next.trails = grow(state.trails, message.vehicles);
    if (next.focused === null) next.focused = firstWatched(next.vehicles, next.order);
  }
  if (message.alarms?.length) {
    next.alarms = { ...state.alarms };
    for (const alarm of message.alarms) {
      if (alarm.state === 'normal') delete next.alarms[alarm.id];
      else next.alarms[alarm.id] = alarm;
    }
  }
  if (message.controls?.length) Object.assign(next, withControls(state, message.controls, message.at_ms ?? 0));
  if (message.seats) next.seats = message.seats;
  if (message.attention) next.attention = message.attention;
  if (message.duties?.length) next.duties = { ...state.duties, ...byId(message.duties) };
  if (message.coverage?.length) next.coverage = { ...state.coverage, ...byVehicle(message.coverage) };
  if (message.alarm_kpi) next.alarm_kpi = message.alarm_kpi;
  if (message.handover) next.handover = message.handover;
  if (message.alarm_groups?.length) {
    next.alarm_groups = { ...state.alarm_groups };
    for (const group of message.alarm_groups) {
      if (group.members.length === 0) delete next.alarm_groups[group.id];
      else next.alarm_groups[group.id] = group;
    }
  }
  if (message.commands?.length) {
    next.commands = trim({ ...state.commands, ...byId(message.commands) });
  }
  if (message.requests?.length) {
    next.requests = { ...state.requests };
    for (const request of message.requests) next.requests[requestKey(request)] = request;
  }
  if (message.requests?.length || message.commands?.length) closeFinished(state, next, message.at_ms ?? 0);
  return next;
}

/** A person sees how a card ended before it goes. @param {State} before @param {State} next @param {number} at_ms */
function closeFinished(before, next, at_ms) {
  for (const [key, request] of Object.entries(next.requests)) {
    const how = ending(request);
    if (how === '' || next.closed.some((one) => one.key === key)) continue;
    // Finished before this console ever showed it: nothing to confirm.
    const seen = before.requests[key];
    if (!seen || ending(seen) !== '') continue;
    next.closed = [...next.closed, { key, vehicle: request.vehicle, how, at_ms }];
    if (next.takeover !== key) continue;
    next.takeover = null;
    // Who has control stays, to give it back.
    if (!isMine(next, next.controls[request.vehicle] ?? null)) next.intervene = null;
  }
}

/**
 * How a request ended, or '' while a person is still needed. The hub calls a request
 * answered only once the vehicle has *applied* the answer.
 *
 * @param {RequestView} request
 * @returns {''|'applied'|'cleared'}
 */
export function ending(request) {
  return request.state === 'answered' ? 'applied' : request.state === 'cleared' ? 'cleared' : '';
}

/** @param {State} state @param {any} message */
function seatLost(state, message) {
  const held = message.state === 'open' || state.socket !== 'open' ? null : heldVehicle(state);
  return held === null ? state.gone : { vehicle: held, how: 'seat_lost', by: '', reason: '', at_ms: message.at_ms };
}

/** @param {State} state @param {any} message @returns {State} */
function onRefusal(state, message) {
  const refusal = { ref: message.ref, reason: message.reason, detail: message.detail ?? '', at_ms: message.at_ms ?? 0 };
  const asked = state.asked[message.ref];
  const { taking } = state;
  return {
    ...state,
    refusal,
    taking: taking !== null && taking.vehicle === message.ref ? { ...taking, refused: message.reason, detail: message.detail ?? '' } : taking,
    asked: asked ? { ...state.asked, [message.ref]: { ...asked, refused: message.reason } } : state.asked,
  };
}

/** @param {State} state @param {number} now_ms @returns {State} */
function expire(state, now_ms) {
  const closed = state.closed.filter((one) => now_ms - one.at_ms < CONFIRM_MS);
  const refusal = state.refusal && now_ms - state.refusal.at_ms < 8_000 ? state.refusal : null;
  if (closed.length === state.closed.length && refusal === state.refusal) return state;
  return { ...state, closed, refusal };
}

/**
 * Names of a vehicle's cameras: what its factsheet says, else what it sends (a stock
 * WHIP client has no factsheet).
 *
 * @param {any} vehicle
 * @returns {string[]}
 */
export function cameraNames(vehicle) {
  const said = vehicle.cameras.map((/** @type {any} */ camera) => camera.name);
  if (said.length > 0) return said;
  return vehicle.streams
    .filter((/** @type {any} */ stream) => stream.kind === 'video')
    .map((/** @type {any} */ stream) => stream.name);
}

/** @param {Record<string, VehicleView>} vehicles @param {readonly string[]} order */
function firstWatched(vehicles, order) {
  return order.find((id) => cameraNames(vehicles[id]).length > 0) ?? order[0] ?? null;
}

/** @param {readonly any[]} items @returns {Record<string, any>} */
function byId(items) {
  return Object.fromEntries(items.map((item) => [item.id, item]));
}

/** @param {readonly any[]} items @param {string} [field] only this of each @returns {Record<string, any>} */
function byVehicle(items, field) {
  return Object.fromEntries(items.map((item) => [item.vehicle, field ? item[field] : item]));
}

/**
 * A view with its route and supervision, which are sent only when they change.
 *
 * @param {any} view
 * @param {Record<string, any>} routes
 * @param {Record<string, any>} supervision
 */
function whole(view, routes, supervision) {
  return { ...view, route: routes[view.id] ?? [], supervision: supervision[view.id] ?? null };
}

/** @template T @param {Record<string, T>} record @param {readonly string[]} ids */
function keepOnly(record, ids) {
  return Object.fromEntries(Object.entries(record).filter(([id]) => ids.includes(id)));
}

/** Oldest first out; insertion order is age. @template T @param {Record<string, T>} record */
function trim(record) {
  const ids = Object.keys(record);
  if (ids.length <= KEEP_COMMANDS) return record;
  return Object.fromEntries(ids.slice(-KEEP_COMMANDS).map((id) => [id, record[id]]));
}

/** @param {State['trails']} trails @param {readonly VehicleView[]} vehicles */
function grow(trails, vehicles) {
  const next = { ...trails };
  for (const { id, pose } of vehicles) {
    if (!pose) continue;
    const trail = next[id] ?? [];
    const last = trail[trail.length - 1];
    if (last && pose.at_ns - last[0] < TRAIL_STEP_NS) continue;
    next[id] = [
      ...trail.filter(([at_ns]) => pose.at_ns - at_ns < TRAIL_NS),
      [pose.at_ns, pose.longitude, pose.latitude],
    ];
  }
  return next;
}
