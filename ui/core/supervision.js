// @ts-check
/**
 * How well a vehicle can be supervised, for people: which objective to name first, in
 * which words, and what the hub is about to do. Pure.
 *
 * @typedef {any} SupervisionView  protocols.supervision.SupervisionView
 * @typedef {any} ObjectiveView    protocols.supervision.ObjectiveView
 */
import { ageWithBar, seconds } from './format.js';

/** Worst first. What is unknown is worse than what is merely close to its limit. */
const ORDER = ['violated', 'unknown', 'at_risk', 'met'];

/** Objectives of a purpose count for those after it too. */
const PURPOSES = ['monitor', 'assist', 'drive'];

/**
 * Objectives that matter for what the vehicle is used for now: that nobody could drive it
 * is no fault while it is only watched (`DriveView` says it).
 *
 * @param {SupervisionView | null} view
 * @returns {ObjectiveView[]}
 */
export function inUse(view) {
  const now = PURPOSES.indexOf(view?.purpose);
  return (view?.objectives ?? []).filter(
    (/** @type {ObjectiveView} */ one) =>
      one.reason !== 'not_in_use' && (now < 0 || PURPOSES.indexOf(one.purpose) <= now),
  );
}

/** The one to name first: the worst, of equals the first configured. @param {SupervisionView | null} view @returns {ObjectiveView | null} */
export function worst(view) {
  const judged = inUse(view);
  for (const verdict of ORDER) {
    const found = judged.find((one) => one.verdict === verdict);
    if (found) return found;
  }
  return null;
}

/**
 * What the whole vehicle's state is called: nothing is judged, or its word is older than
 * `stale_ms`: unknown, whatever it was.
 *
 * @param {SupervisionView | null} view
 * @param {number | null} age_ms since the hub said so
 * @param {number} [stale_ms] it is renewed every second
 */
export function standing(view, age_ms, stale_ms = 3_000) {
  if (view === null || age_ms === null || age_ms > stale_ms) return 'unknown';
  return worst(view)?.verdict ?? 'unknown';
}

const MILLISECONDS = ['g2g', 'command_delay', 'closed_loop', 'telemetry_age', 'heartbeat_gap', 'frame_gap', 'clock_uncertainty'];

/** A value of an indicator with its unit. @param {string} indicator @param {number} value */
export function inUnit(indicator, value) {
  if (MILLISECONDS.includes(indicator)) return value < 100 ? `${Math.round(value)} ms` : seconds(value);
  return indicator === 'bitrate' ? `${Math.round(value)} kbit/s` : `${Math.round(value)}`;
}

/** `0.31 s ±0.01 / 0.40 s`; `— / 0.40 s` while it is not known. @param {ObjectiveView} objective */
export function againstLimit(objective) {
  const { indicator, value, uncertainty, limit } = objective;
  if (value == null) return `— / ${inUnit(indicator, limit)}`;
  const measured = MILLISECONDS.includes(indicator) && value >= 100 && uncertainty != null
    ? ageWithBar(value, uncertainty)
    : inUnit(indicator, value);
  return `${measured} / ${inUnit(indicator, limit)}`;
}

/**
 * Values for the words of a reason: times in seconds, numbers to a tenth; never rounded up,
 * so that what is over is never shown as just allowed.
 *
 * @param {Record<string, number>} numbers
 */
export function spoken(numbers) {
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [
      name,
      name.endsWith('_ms') ? (Number.isFinite(value) ? seconds(value) : '—') : String(Math.floor(value * 10 + 1e-6) / 10),
    ]),
  );
}

/**
 * What is about to happen, and when, or null. Down is towards less enforcement.
 *
 * @param {any} ladder LadderView
 * @param {number} hub_now_ms
 * @returns {{rung: string, in_ms: number, down: boolean} | null}
 */
export function announced(ladder, hub_now_ms) {
  if (!ladder || ladder.next_rung == null || ladder.next_at_ns == null) return null;
  return {
    rung: ladder.next_rung,
    in_ms: Math.max(0, ladder.next_at_ns / 1e6 - hub_now_ms),
    down: RUNGS.indexOf(ladder.next_rung) < RUNGS.indexOf(ladder.rung),
  };
}

const RUNGS = ['none', 'protect_focus', 'smaller_layers', 'speed_limit', 'withdraw_drive', 'minimal_risk'];

/**
 * Who set the limit that the vehicle says it obeys. The hub's is believed only once the
 * vehicle has applied it; until then it is the vehicle's own.
 *
 * @param {any} limit SpeedLimitView or null
 * @param {number | null} obeyed_mps what the vehicle says
 */
export function limitSetBy(limit, obeyed_mps) {
  if (!limit || limit.set_by === 'vehicle' || limit.state !== 'applied' || obeyed_mps == null) return 'vehicle';
  return obeyed_mps * 3.6 <= limit.kmh + 0.5 ? limit.set_by : 'vehicle';
}
