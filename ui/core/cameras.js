// @ts-check
/**
 * Which of a vehicle's cameras are shown, how large, and in which size they are asked for.
 *
 * A picture area of W × H shows one camera large. What is left at its side holds the
 * others as thumbnails, and a replay above them while one runs. Thumbnails that would be
 * too small to see anything on are not shown, and so not asked for:
 *
 *     1366×768, four cells: an area of 575×222, two thumbnails of 126×71
 *     take-over at 1920×1080: 1250×640, two of 222×125
 *
 * Pure.
 *
 * @typedef {{side: number, columns: number, thumb: {width: number, height: number} | null}} Arrangement
 *   `side`: width of the column at the side, 0: none; `thumb`: null: no thumbnails.
 */

/** A person does not see a cyclist on less. */
export const LEAST_THUMB_WIDTH = 96;
/** More cameras than this are reached one after the other, by key. */
export const MOST_THUMBS = 4;
const RATIO = 16 / 9;
const GAP = 4;
/** Below a replay: its words, the scrub bar and the buttons. */
export const REPLAY_CHROME = 92;
const LEAST_REPLAY = 224;
const MOST_REPLAY = 430;
const SIDE_SHARE = 0.23;
const REPLAY_SHARE = 0.34;
const MOST_SIDE = 300;
const LEAST_AREA = { width: 330, height: 150 };

/**
 * @param {number} width of the picture area, CSS pixels
 * @param {number} height
 * @param {number} others how many cameras there are besides the large one
 * @param {boolean} replay is a replay shown
 * @returns {Arrangement}
 */
export function arrange(width, height, others, replay) {
  const none = { side: 0, columns: 1, thumb: null };
  const count = Math.min(others, MOST_THUMBS);
  if (!replay && (count === 0 || width < LEAST_AREA.width || height < LEAST_AREA.height)) return none;
  const side = Math.round(replay
    ? Math.min(MOST_REPLAY, Math.max(LEAST_REPLAY, width * REPLAY_SHARE))
    : Math.min(MOST_SIDE, width * SIDE_SHARE));
  const left = height - (replay ? side / RATIO + REPLAY_CHROME : 0);
  const best = bestThumb(side, left, count);
  if (best === null && !replay) return none;
  return { side, columns: best?.columns ?? 1, thumb: best?.thumb ?? null };
}

/** @param {number} width @param {number} height @param {number} count */
function bestThumb(width, height, count) {
  let best = null;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const w = Math.min((width - GAP * (columns - 1)) / columns, ((height - GAP * (rows - 1)) / rows) * RATIO);
    if (w >= LEAST_THUMB_WIDTH && (best === null || w > best.thumb.width)) {
      best = { columns, thumb: { width: Math.floor(w), height: Math.floor(w / RATIO) } };
    }
  }
  return best;
}

/**
 * In which size a camera is asked for. Only what a person looks at in full is worth full
 * size: a tile and a thumbnail are small on the glass too.
 *
 * @param {boolean} large is it the vehicle's large picture
 * @param {boolean} focused is it the focused vehicle
 * @returns {import('../shell/whep.js').Layer}
 */
export function layerOf(large, focused) {
  return large && focused ? 'high' : 'low';
}

/**
 * The camera after this one, for a key that goes round.
 *
 * @param {readonly string[]} names
 * @param {string} now
 */
export function nextCamera(names, now) {
  return names[(names.indexOf(now) + 1) % names.length] ?? now;
}

/**
 * How the shown cameras are spread over a vehicle's two sessions. The *main* one carries
 * one camera, sound and the command lines, and is never dialled anew because thumbnails
 * come or go; the *side* one carries all others that are shown.
 *
 * @param {string} main the camera the main session carries now
 * @param {string} large
 * @param {readonly string[]} thumbs cameras wanted as thumbnails
 * @returns {{main: string, side: string[]}}
 */
export function spread(main, large, thumbs) {
  // Nobody looks at what the main session carries: let it carry the large one.
  const carried = main === large || thumbs.includes(main) ? main : large;
  return { main: carried, side: [...new Set([large, ...thumbs])].filter((name) => name !== carried).sort() };
}
