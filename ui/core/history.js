// @ts-check
/**
 * What a vehicle's numbers have been: one sample a second, ten minutes, in a ring of fixed size
 * (24 kB a vehicle). Pure: the caller brings the time.
 *
 * A sample holds only what was known and fresh at its second; everything else is NaN, and is
 * given back as null: a gap. A second without a sample is a gap too.
 *
 * @typedef {Record<Series, number>} Sample  NaN: unknown
 * @typedef {'g2g'|'g2g_bar'|'rtt'|'loss'|'loss_after'|'kbps'|'speed'|'speed_limit'} Series
 * @typedef {{seconds: Int32Array, values: Float32Array, newest: number}} Ring
 * @typedef {Map<string, Ring>} Histories  by vehicle
 */

/** g2g, g2g_bar, rtt: ms; loss, loss_after: share, 0 to 1; kbps; speed, speed_limit: m/s. */
export const SERIES = /** @type {const} */ (['g2g', 'g2g_bar', 'rtt', 'loss', 'loss_after', 'kbps', 'speed', 'speed_limit']);
export const SPAN_S = 600;
/** More vehicles than these have no history; a hub has at most some two hundred. */
export const MOST_VEHICLES = 256;

/** Older telemetry and heartbeats are no present values. */
const FRESH_NS = 1_500e6;
/** Supervision is told once a second. */
const SUPERVISION_FRESH_NS = 3_000e6;

/** @returns {Ring} */
export function emptyRing() {
  return {
    seconds: new Int32Array(SPAN_S).fill(-1),
    values: new Float32Array(SPAN_S * SERIES.length).fill(NaN),
    newest: -1,
  };
}

/**
 * Take in the sample of one second. Time only goes forward: a second before the newest is
 * not taken, the same second replaces.
 *
 * @param {Ring} ring @param {number} at_s whole, ≥ 0 @param {Sample} sample
 * @returns {boolean} whether it was taken
 */
export function put(ring, at_s, sample) {
  if (!Number.isInteger(at_s) || at_s < 0 || at_s < ring.newest) return false;
  const slot = at_s % SPAN_S;
  ring.seconds[slot] = at_s;
  ring.newest = at_s;
  SERIES.forEach((name, column) => (ring.values[slot * SERIES.length + column] = sample[name]));
  return true;
}

/**
 * The ten minutes that end at `to_s`, second by second, oldest first.
 *
 * @param {Ring | undefined} ring @param {number} to_s
 * @returns {{seconds: number[], series: Record<Series, (number | null)[]>, known: number}}
 *   `known`: seconds that have any value.
 */
export function read(ring, to_s) {
  const seconds = Array.from({ length: SPAN_S }, (_, index) => to_s - SPAN_S + 1 + index);
  const series = /** @type {Record<Series, (number | null)[]>} */ (
    Object.fromEntries(SERIES.map((name) => [name, new Array(SPAN_S).fill(null)])));
  let known = 0;
  if (ring === undefined) return { seconds, series, known };
  seconds.forEach((second, index) => {
    const slot = ((second % SPAN_S) + SPAN_S) % SPAN_S;
    if (second < 0 || ring.seconds[slot] !== second) return;
    let any = false;
    SERIES.forEach((name, column) => {
      const value = ring.values[slot * SERIES.length + column];
      if (Number.isNaN(value)) return;
      series[name][index] = value;
      any = true;
    });
    if (any) known += 1;
  });
  return { seconds, series, known };
}

/**
 * What is known of a vehicle now.
 *
 * @param {any} view a vehicle of the store
 * @param {number} now_ns the hub's clock
 * @returns {Sample}
 */
export function sampleOf(view, now_ns) {
  const told = view.supervision && now_ns - view.supervision.at_ns <= SUPERVISION_FRESH_NS ? view.supervision : null;
  const heard = ['online', 'degraded'].includes(view.link) && view.link_at_ns !== null && now_ns - view.link_at_ns <= FRESH_NS;
  const pose = view.pose && heard && now_ns - view.pose.at_ns <= FRESH_NS ? view.pose : null;
  const live = view.streams.filter((/** @type {any} */ one) => one.kind === 'video' && one.live
    && one.last_frame_ns !== null && now_ns - one.last_frame_ns <= FRESH_NS);
  return {
    g2g: told?.closed_loop.g2g_ms ?? NaN,
    g2g_bar: told?.closed_loop.g2g_uncertainty_ms ?? NaN,
    rtt: (heard ? told?.round_trip_ms : null) ?? NaN,
    loss: told?.loss?.before ?? NaN,
    loss_after: told?.loss?.after ?? NaN,
    kbps: live.length === 0 ? NaN : live.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.kbps, 0),
    speed: pose ? Math.abs(pose.speed_mps) : NaN,
    speed_limit: pose?.speed_limit_mps ?? NaN,
  };
}

/**
 * One second of the whole fleet; vehicles that are gone lose their history.
 *
 * @param {Histories} histories @param {import('./store.js').State} state
 * @param {number} at_s @param {number} now_ns the hub's clock
 */
export function sampleFleet(histories, state, at_s, now_ns) {
  for (const id of histories.keys()) if (!state.vehicles[id]) histories.delete(id);
  if (state.socket !== 'open' || state.seq === null) return;
  for (const id of state.order) {
    let ring = histories.get(id);
    if (ring === undefined) {
      if (histories.size >= MOST_VEHICLES) return;
      ring = emptyRing();
      histories.set(id, ring);
    }
    put(ring, at_s, sampleOf(state.vehicles[id], now_ns));
  }
}

/**
 * The strictest limit of an indicator among the objectives that are judged now; null: none.
 *
 * @param {any} supervision @param {string} indicator
 * @returns {number | null}
 */
export function limitOf(supervision, indicator) {
  const limits = (supervision?.objectives ?? [])
    .filter((/** @type {any} */ one) => one.indicator === indicator && one.reason !== 'not_in_use')
    .map((/** @type {any} */ one) => one.limit);
  if (limits.length === 0) return null;
  return indicator === 'bitrate' ? Math.max(...limits) : Math.min(...limits);
}

/** The values that break the limit, the others as gaps. @param {readonly (number | null)[]} values @param {number | null | readonly (number | null)[]} limit @param {'most'|'least'} kind */
export function beyond(values, limit, kind) {
  return values.map((value, index) => {
    const here = Array.isArray(limit) ? limit[index] : limit;
    if (value === null || here === null || here === undefined) return null;
    return (kind === 'most' ? value > /** @type {number} */ (here) : value < /** @type {number} */ (here)) ? value : null;
  });
}

/** Newest value and its index, if it is one of the last `within` seconds. @param {readonly (number | null)[]} values @param {number} [within] */
export function latest(values, within = 3) {
  for (let index = values.length - 1; index >= Math.max(0, values.length - within); index -= 1) {
    if (values[index] !== null) return values[index];
  }
  return null;
}
