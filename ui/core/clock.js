// @ts-check
/**
 * The hub's clock as this browser knows it.
 *
 * Theory: RFC 5905 §8, four timestamps of one exchange. t1 and t4 are this browser's
 * performance clock, t2 and t3 the hub's monotonic clock:
 *
 *     offset = ((t2 − t1) + (t3 − t4)) / 2        hub = browser + offset
 *     rtt    = (t4 − t1) − (t3 − t2)
 *
 * The true offset lies within ± rtt/2 of that figure whatever the asymmetry of the path.
 * Of the recent exchanges the one with the least `rtt/2 + drift since` wins. Example:
 * t1 = 100, t2 = 1103, t3 = 1104, t4 = 107 gives offset 1000, rtt 6, uncertainty 3 ms.
 *
 * Pure: time comes in as an argument.
 *
 * @typedef {{at_ms: number, offset_ms: number, rtt_ms: number}} Exchange
 * @typedef {{exchanges: readonly Exchange[], steps: number}} Clock
 *   `steps`: how often the two clocks were seen to jump against each other.
 * @typedef {{offset_ms: number, uncertainty_ms: number, rtt_ms: number, trusted: boolean}} Estimate
 */

/** Two free-running or NTP-slewed clocks drift apart by no more than this. */
export const DRIFT_PER_MS = 100e-6;
/** Above this half-width the clock is untrusted, and what depends on it is unknown. */
export const TRUST_LIMIT_MS = 20;
const KEEP_MS = 60_000;
const KEEP_COUNT = 64;

/** @returns {Clock} */
export function emptyClock() {
  return { exchanges: [], steps: 0 };
}

/**
 * Add one exchange. A reply that cannot be true (negative times) changes nothing.
 *
 * @param {Clock} clock
 * @param {number} t1_ms ping left, browser clock
 * @param {number} t2_ns ping arrived, hub clock
 * @param {number} t3_ns pong left, hub clock
 * @param {number} t4_ms pong arrived, browser clock
 * @returns {Clock}
 */
export function addExchange(clock, t1_ms, t2_ns, t3_ns, t4_ms) {
  const t2 = t2_ns / 1e6;
  const t3 = t3_ns / 1e6;
  const rtt_ms = t4_ms - t1_ms - (t3 - t2);
  if (!Number.isFinite(rtt_ms) || rtt_ms < 0 || t4_ms < t1_ms || t3 < t2) return clock;
  const fresh = { at_ms: t4_ms, offset_ms: (t2 - t1_ms + (t3 - t4_ms)) / 2, rtt_ms };
  const agreeing = clock.exchanges.filter(
    (old) =>
      t4_ms - old.at_ms < KEEP_MS &&
      Math.abs(old.offset_ms - fresh.offset_ms) <=
        halfWidth(old, t4_ms) + halfWidth(fresh, t4_ms),
  );
  const kept = clock.exchanges.filter((old) => t4_ms - old.at_ms < KEEP_MS);
  // An exchange that contradicts the newest one was made before a clock jumped
  // (a computer that slept, a hub on another machine): it is no evidence any more.
  const stepped = agreeing.length < kept.length;
  return {
    exchanges: [...agreeing, fresh].slice(-KEEP_COUNT),
    steps: clock.steps + (stepped ? 1 : 0),
  };
}

/**
 * The best knowledge of the hub's clock at `now_ms`, or null before the first exchange.
 *
 * @param {Clock} clock
 * @param {number} now_ms browser clock
 * @returns {Estimate | null}
 */
export function estimate(clock, now_ms) {
  /** @type {Exchange | null} */
  let best = null;
  for (const exchange of clock.exchanges) {
    if (best === null || halfWidth(exchange, now_ms) < halfWidth(best, now_ms)) best = exchange;
  }
  if (best === null) return null;
  const uncertainty_ms = halfWidth(best, now_ms);
  return {
    offset_ms: best.offset_ms,
    uncertainty_ms,
    rtt_ms: best.rtt_ms,
    trusted: uncertainty_ms <= TRUST_LIMIT_MS,
  };
}

/** @param {Exchange} exchange @param {number} now_ms */
function halfWidth(exchange, now_ms) {
  return exchange.rtt_ms / 2 + Math.max(0, now_ms - exchange.at_ms) * DRIFT_PER_MS;
}
