// @ts-check
/**
 * The charts of a vehicle: which numbers, in which unit, against which limit. Pure.
 *
 * @typedef {(number | null)[]} Line
 * @typedef {{key: string, unit: string, value: Line, bar: Line | null, second: Line | null, limit: Line,
 *            over: Line, kind: 'most'|'least', now: number | null, now_bar: number | null,
 *            now_second: number | null, limit_now: number | null, digits: number}} Chart
 *   `bar`: half-width of the error bar of `value`; `second`: another line of the same unit;
 *   `over`: the values of `value` that break the limit.
 */
import { beyond, latest, limitOf } from './history.js';

const WIDTH = { g2g: 0, rtt: 0, loss: 2, kbps: 2, speed: 1 };

/**
 * @param {{seconds: number[], series: Record<string, Line>}} history
 * @param {any} supervision of the vehicle now
 * @returns {Chart[]}
 */
export function charts({ seconds, series }, supervision) {
  const flat = (/** @type {number | null} */ limit) => seconds.map(() => limit);
  const bitrate = limitOf(supervision, 'bitrate');
  return [
    chart('g2g', 'ms', series.g2g, flat(limitOf(supervision, 'g2g')), 'most', { bar: series.g2g_bar }),
    chart('rtt', 'ms', series.rtt, flat(null), 'most', {}),
    chart('loss', '%', scaled(series.loss, 100), flat(null), 'most', { second: scaled(series.loss_after, 100) }),
    chart('kbps', 'Mbit/s', scaled(series.kbps, 0.001), flat(bitrate === null ? null : bitrate / 1_000), 'least', {}),
    chart('speed', 'km/h', scaled(series.speed, 3.6), scaled(series.speed_limit, 3.6), 'most', {}),
  ];
}

/**
 * @param {keyof typeof WIDTH} key @param {string} unit @param {Line} value @param {Line} limit
 * @param {'most'|'least'} kind @param {{bar?: Line, second?: Line}} more
 * @returns {Chart}
 */
function chart(key, unit, value, limit, kind, { bar, second }) {
  return {
    key, unit, value, limit, kind, bar: bar ?? null, second: second ?? null,
    over: beyond(value, limit, kind),
    now: latest(value), now_bar: bar ? latest(bar) : null, now_second: second ? latest(second) : null,
    limit_now: latest(limit), digits: WIDTH[key],
  };
}

/** @param {Line} line @param {number} factor @returns {Line} */
function scaled(line, factor) {
  return line.map((value) => (value === null ? null : value * factor));
}

/**
 * The band of a value and its error bar; a value without one has no band.
 *
 * @param {Line} value @param {Line} bar @returns {[Line, Line]} lower, upper
 */
export function band(value, bar) {
  const at = (/** @type {number} */ sign) => value.map((one, index) => {
    const half = bar[index];
    return one === null || half === null ? null : Math.max(0, one + sign * half);
  });
  return [at(-1), at(1)];
}

/** The upper end of the axis: room for the values, the limit if it is near, and never nothing. @param {Chart} chart @param {number} least */
export function ceiling({ value, bar, second, limit, limit_now }, least) {
  let top = least;
  value.forEach((one, index) => {
    if (one !== null) top = Math.max(top, one + (bar?.[index] ?? 0), limit[index] ?? 0);
    top = Math.max(top, second?.[index] ?? 0);
  });
  return Math.max(top, limit_now ?? 0) * 1.08;
}
