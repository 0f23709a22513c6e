// @ts-check
/**
 * The fleet as things to look after: rows of a table, and rates between two answers of
 * `/api/fleet`. Pure.
 *
 * @typedef {any} Equipment  protocols.equipment.Equipment
 * @typedef {{id: string, name: string, kind: string, link: string, since_ns: number | null, cameras: any[],
 *            live: number, kbps: number | null, loss: number | null, g2g_ms: number | null, rtt_ms: number | null,
 *            clock_ms: number | null, maker: string, software: string, session: string, protocol: number | null}} Row
 * @typedef {'name'|'kind'|'link'|'cameras'|'kbps'|'loss'|'g2g'|'rtt'|'clock'|'software'} Column
 */
import { sampleOf } from './history.js';

/** @type {readonly Column[]} */
export const COLUMNS = ['name', 'kind', 'link', 'rtt', 'cameras', 'kbps', 'loss', 'g2g', 'clock', 'software'];

const NAMES = new Intl.Collator('ja', { numeric: true });

/** Worst first. */
const LINKS = ['lost', 'offline', 'unknown', 'degraded', 'online'];

/**
 * @param {import('./store.js').State} state @param {Equipment | null} equipment @param {number} now_ns
 * @returns {Row[]}
 */
export function rows(state, equipment, now_ns) {
  const told = new Map((equipment?.vehicles ?? []).map((/** @type {any} */ one) => [one.vehicle, one]));
  return state.order.map((id) => row(state.vehicles[id], told.get(id), state.socket === 'open', now_ns));
}

/** @param {any} view @param {any} told @param {boolean} connected @param {number} now_ns @returns {Row} */
function row(view, told, connected, now_ns) {
  const sample = sampleOf(view, now_ns);
  const known = (/** @type {number} */ value) => (connected && !Number.isNaN(value) ? value : null);
  const streams = view.streams.filter((/** @type {any} */ one) => one.kind === 'video');
  const cameras = [
    ...view.cameras.map((/** @type {any} */ camera) => ({ ...camera, stream: streams.find((/** @type {any} */ one) => one.name === camera.name) ?? null })),
    ...streams.filter((/** @type {any} */ one) => !view.cameras.some((/** @type {any} */ camera) => camera.name === one.name))
      .map((/** @type {any} */ stream) => ({ name: stream.name, stream })),
  ];
  return {
    id: view.id, name: view.name, kind: view.kind,
    link: connected ? view.link : 'unknown',
    since_ns: told?.link_since_ns ?? null,
    cameras,
    live: connected ? cameras.filter(({ stream }) => stream?.live).length : 0,
    kbps: known(sample.kbps), loss: known(sample.loss), g2g_ms: known(sample.g2g), rtt_ms: known(sample.rtt),
    clock_ms: connected && view.clock_offset_ns !== null && view.clock_uncertainty_ns !== null ? view.clock_uncertainty_ns / 1e6 : null,
    maker: told?.maker ?? '', software: told?.software ?? '', session: told?.session ?? '', protocol: told?.protocol_version ?? null,
  };
}

/** What a column is sorted by; null: unknown, always last. @param {Row} row @param {Column} column @returns {string | number | null} */
function sortKey(row, column) {
  switch (column) {
    case 'name': return row.name;
    case 'kind': return row.kind;
    case 'link': return LINKS.indexOf(row.link);
    case 'cameras': return row.cameras.length === 0 ? null : row.live - row.cameras.length;
    case 'kbps': return row.kbps;
    case 'loss': return row.loss;
    case 'g2g': return row.g2g_ms;
    case 'rtt': return row.rtt_ms;
    case 'clock': return row.clock_ms;
    default: return `${row.maker} ${row.software}`.trim() || null;
  }
}

/** A new order; equal rows keep theirs by id. @param {readonly Row[]} list @param {Column} column @param {boolean} down @returns {Row[]} */
export function sorted(list, column, down) {
  return [...list].sort((a, b) => {
    const [left, right] = [sortKey(a, column), sortKey(b, column)];
    if (left === null || right === null) return left === right ? compare(a.id, b.id) : left === null ? 1 : -1;
    return (down ? -1 : 1) * compare(left, right) || compare(a.id, b.id);
  });
}

/** @param {string | number} a @param {string | number} b */
function compare(a, b) {
  return typeof a === 'string' ? NAMES.compare(a, String(b)) : a - Number(b);
}

/** Rows in which every word of `text` is found. @param {readonly Row[]} list @param {string} text @param {(row: Row) => string} words of a row in the reader's language */
export function filtered(list, text, words) {
  const wanted = text.normalize('NFKC').toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [...list];
  return list.filter((row) => {
    const all = words(row).normalize('NFKC').toLowerCase();
    return wanted.every((word) => all.includes(word));
  });
}

/**
 * What happened each second between two answers; null where a total fell or is missing.
 *
 * @param {Equipment | null} before @param {Equipment} after
 * @returns {{events: number | null, lag_ms: number | null, lag_open: boolean,
 *            workers: {worker: number, packets_in: number | null, packets_out: number | null,
 *                      dropped: number | null, cpu: number | null}[]}}
 *   `lag_ms`: 99 of 100 waits of the event loop were at most this late; `lag_open`: or later.
 */
export function rates(before, after) {
  const span_s = before === null ? 0 : (after.at_ns - before.at_ns) / 1e9;
  const same = before !== null && span_s > 0 && before.hub.started_ns === after.hub.started_ns;
  const each = (/** @type {number | null | undefined} */ old, /** @type {number | null | undefined} */ now) =>
    (!same || old == null || now == null || now < old ? null : (now - old) / span_s);
  const lag = same ? percentile(before.hub.loop_lag, after.hub.loop_lag, 0.99) : null;
  return {
    events: each(before?.hub.totals.enkan_hub_events_total, after.hub.totals.enkan_hub_events_total),
    lag_ms: lag === null ? null : lag.bound_s * 1e3,
    lag_open: lag?.open ?? false,
    workers: after.workers.map((/** @type {any} */ now) => {
      const old = before?.workers.find((/** @type {any} */ one) => one.worker === now.worker);
      return {
        worker: now.worker,
        packets_in: each(old?.packets_in, now.packets_in), packets_out: each(old?.packets_out, now.packets_out),
        dropped: each(old?.dropped, now.dropped), cpu: each(old?.cpu_s, now.cpu_s),
      };
    }),
  };
}

/**
 * The bucket that holds a share of what was observed between two cumulative histograms.
 *
 * @param {readonly [number | null, number][]} before @param {readonly [number | null, number][]} after @param {number} share
 * @returns {{bound_s: number, open: boolean} | null} null: nothing was observed
 */
export function percentile(before, after, share) {
  const grown = after.map(([bound, total], index) => /** @type {[number | null, number]} */ ([bound, total - (before[index]?.[1] ?? 0)]));
  const all = grown.at(-1)?.[1] ?? 0;
  if (all <= 0) return null;
  const found = grown.find(([, total]) => total >= share * all);
  const largest = grown.reduce((most, [bound]) => Math.max(most, bound ?? 0), 0);
  return found === undefined || found[0] === null ? { bound_s: largest, open: true } : { bound_s: found[0], open: false };
}

/** Append; at most `most` are kept. @template T @param {readonly T[]} list @param {T} one @param {number} most @returns {T[]} */
export function kept(list, one, most) {
  return [...list, one].slice(-most);
}

/** Points of a small line, one unit wide for each of `most` values and one high; gaps end a line. @param {readonly (number | null)[]} values @param {number} most @returns {string[]} */
export function sparkline(values, most) {
  const top = Math.max(1e-9, ...values.map((value) => value ?? 0)) * 1.1;
  /** @type {string[][]} */
  const lines = [[]];
  values.forEach((value, index) => {
    if (value === null) lines.push([]);
    else lines[lines.length - 1].push(`${(most - values.length + index).toFixed(0)},${(1 - value / top).toFixed(3)}`);
  });
  return lines.filter((line) => line.length > 0).map((line) => line.join(' '));
}

/** `12.3 GB`, in powers of 1000. @param {number} bytes */
export function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  let value = bytes;
  for (; value >= 1_000 && at < units.length - 1; at += 1) value /= 1_000;
  return `${value.toFixed(at === 0 || value >= 100 ? 0 : 1)} ${units[at]}`;
}

/** `3 d 4 h`, `2 h 10 min`, `45 s`. @param {number} ms */
export function lasting(ms) {
  const s = Math.max(0, Math.floor(ms / 1_000));
  if (s < 120) return `${s} s`;
  if (s < 7_200) return `${Math.floor(s / 60)} min`;
  if (s < 172_800) return `${Math.floor(s / 3_600)} h ${Math.floor((s % 3_600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3_600)} h`;
}
