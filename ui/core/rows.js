// @ts-check
/**
 * Which view of a vehicle its status row shows. With hundreds of vehicles that all move ten
 * times a second, drawing every row each time would keep a seat from answering its keys: what
 * people act on is shown at once, numbers twice a second, the rows in turn. Pure.
 *
 * @typedef {{view: any, at_ms: number}} Shown
 */

/** A row's numbers are never older than this by the console's own doing. */
export const NUMBERS_EVERY_MS = 500;

const AT_ONCE = /** @type {const} */ (['link', 'link_why', 'mode', 'mrm', 'odd', 'reason', 'name', 'fallback', 'media']);

/**
 * @param {ReadonlyMap<string, Shown>} before what the rows show
 * @param {Record<string, any>} vehicles as they are
 * @param {readonly string[]} ids of the rows, in their order
 * @param {number} now_ms
 * @returns {Map<string, Shown>}
 */
export function rowViews(before, vehicles, ids, now_ms) {
  return new Map(ids.map((id, at) => {
    const shown = before.get(id);
    const view = vehicles[id];
    if (shown === undefined) return [id, { view, at_ms: now_ms - (at / ids.length) * NUMBERS_EVERY_MS }];
    const due = now_ms - shown.at_ms >= NUMBERS_EVERY_MS || AT_ONCE.some((name) => shown.view[name] !== view[name]);
    return [id, due && view !== shown.view ? { view, at_ms: now_ms } : shown];
  }));
}
