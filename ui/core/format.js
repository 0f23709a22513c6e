// @ts-check
/** Numbers for people, each with its unit. Pure. */

/** `0.18 s`; from ten seconds on without decimals, from two minutes on in minutes. @param {number} ms */
export function seconds(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(s < 1 ? 2 : 1)} s`;
  if (s < 120) return `${Math.floor(s)} s`;
  return `${Math.floor(s / 60)} min`;
}

/** How long something has been so, for people who come later: `12 s`, `34 min`, `10 h 8 min`. @param {number} ms */
export function lasting(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 120) return `${s} s`;
  const minutes = Math.floor(s / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** An age with its error bar, `0.18 s ±0.01`. The bar is rounded up, never down. @param {number} age_ms @param {number} uncertainty_ms */
export function ageWithBar(age_ms, uncertainty_ms) {
  const bar = Math.max(0.01, Math.ceil(uncertainty_ms / 10) / 100);
  return `${(age_ms / 1000).toFixed(2)} s ±${bar.toFixed(2)}`;
}

/** A pause while it grows, `1.4`. Rounded down: never more than was seen. @param {number} ms */
export function tenths(ms) {
  return (Math.floor(ms / 100) / 10).toFixed(1);
}

/** Time left, `0:42`; never negative. @param {number} ms */
export function countdown(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}

/** m/s → km/h, whole below 100. @param {number} mps */
export function kmh(mps) {
  return Math.abs(mps * 3.6).toFixed(Math.abs(mps) < 27 ? 1 : 0);
}

/** `site/vehicle` → `site-vehicle` for test ids and element ids. @param {string} id */
export function dashed(id) {
  return id.replace('/', '-');
}

/**
 * Words from a vehicle in the reader's language. A vehicle may say both, Japanese first,
 * as in `けやき並木 / Keyaki-namiki`; anything else is shown as it is.
 * @param {string} text @param {'ja'|'en'} language
 */
export function inLanguage(text, language) {
  const parts = text.split(' / ');
  return parts.length === 2 ? parts[language === 'ja' ? 0 : 1] : text;
}

/** The vehicle part of `site/vehicle`. @param {string} id */
export function shortName(id) {
  return id.slice(id.indexOf('/') + 1);
}

/** @param {number} utc_ms @param {number} shift_h @returns {string} HH:MM:SS of that zone */
export function wallClock(utc_ms, shift_h) {
  return new Date(utc_ms + shift_h * 3_600_000).toISOString().slice(11, 19);
}
