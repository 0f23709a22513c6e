// @ts-check
/**
 * For how long a video element has shown one and the same picture while its vehicle moved.
 *
 * An encoder that repeats its last picture sends frames on and on, so counting frames
 * finds nothing. Two kinds of evidence, both on a small grey picture:
 *
 *   equal   decoding the same picture again gives the same pixels; a camera that moves
 *           through the world never does.
 *   alike   a camera that is stuck before a healthy encoder: the encoder goes on refining
 *           the one picture, by a level or two. It counts once the vehicle has moved half a
 *           metre meanwhile, and only for a picture with edges in it: fog, or a night
 *           without lamps, looks alike from everywhere.
 *
 * Measured on the synthetic street and field through x264 at 0.8 to 2.5 Mbit/s: stuck, at
 * most 1 cell of 5,184 is off by more than 6 levels; at 0.35 m/s at least 43 are after a
 * quarter of a second. A keyframe draws the same scene anew, so one change between alike
 * pictures does not count. The hub decides what follows.
 */
const WIDTH = 96;
const HEIGHT = 54;
/** Levels by which a cell may be off, and how many cells may be off by more. */
const LEVELS = 6;
const FEW = 4;
/** So many steps from a cell to its neighbour by more than LEVELS: there is something to see. */
const EDGES = 60;
const MOVED_M = 0.5;

/** @type {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null} */
let shared = null;

function canvas() {
  if (shared === null) {
    const element = document.createElement('canvas');
    element.width = WIDTH;
    element.height = HEIGHT;
    shared = element.getContext('2d', { willReadFrequently: true, alpha: false });
    // Each cell is to be the mean of what it stands for, not one pixel of it.
    if (shared !== null) shared.imageSmoothingQuality = 'medium';
  }
  return shared;
}

export class Sameness {
  /** The newest picture, and the one that this run of alike ones began with. @type {Uint8Array | null} */
  #newest = null;
  /** @type {Uint8Array | null} */
  #first = null;
  #edges = 0;
  #frames = -1;
  /** @type {number | null} */
  #since_ms = null;
  #seen_ms = 0;
  #equal = 0;
  #moved_m = 0;
  #changes = 0;

  /**
   * Look at the picture; call a few times a second.
   *
   * @param {HTMLVideoElement} video
   * @param {number} frames displayed so far: without a new one there is nothing to compare
   * @param {number} now_ms
   * @param {number} speed_mps of the vehicle
   */
  look(video, frames, now_ms, speed_mps) {
    const context = canvas();
    if (frames === this.#frames || context === null || video.readyState < 2) return;
    context.drawImage(video, 0, 0, WIDTH, HEIGHT);
    this.take(greys(context.getImageData(0, 0, WIDTH, HEIGHT).data), frames, now_ms, speed_mps);
  }

  /** Take in what one look saw. @param {Uint8Array} picture @param {number} frames @param {number} now_ms @param {number} speed_mps */
  take(picture, frames, now_ms, speed_mps) {
    const equal = this.#newest !== null && off(this.#newest, picture, 0) === 0;
    const alike = equal || (this.#first !== null && this.#edges >= EDGES && off(this.#first, picture, LEVELS) <= FEW);
    if (alike) {
      this.#changes = 0;
      this.#moved_m += (speed_mps * (now_ms - this.#seen_ms)) / 1_000;
    } else {
      this.#changes += 1;
    }
    if (equal) this.#equal += 1;
    if (this.#since_ms === null || this.#changes > 1) {
      this.#since_ms = now_ms;
      this.#first = picture;
      this.#edges = edges(picture);
      this.#equal = this.#moved_m = 0;
    }
    this.#newest = picture;
    this.#frames = frames;
    this.#seen_ms = now_ms;
  }

  /** Nothing is known any more: another picture, or nobody looks. */
  forget() {
    this.#newest = this.#first = null;
    this.#frames = -1;
    this.#since_ms = null;
    this.#equal = this.#changes = this.#moved_m = 0;
  }

  /** Milliseconds, as far as it was seen; 0 while pictures differ, null while nothing is known. */
  get same_ms() {
    if (this.#since_ms === null) return null;
    return this.#equal > 0 || this.#moved_m >= MOVED_M ? this.#seen_ms - this.#since_ms : 0;
  }
}

/** Luma by ITU-R BT.601, from RGBA. @param {Uint8ClampedArray} data */
export function greys(data) {
  const picture = new Uint8Array(data.length / 4);
  for (let at = 0; at < picture.length; at += 1) {
    picture[at] = (77 * data[4 * at] + 150 * data[4 * at + 1] + 29 * data[4 * at + 2]) >> 8;
  }
  return picture;
}

/** How many cells are off by more than so many levels. @param {Uint8Array} a @param {Uint8Array} b @param {number} levels */
function off(a, b, levels) {
  let count = 0;
  for (let at = 0; at < a.length; at += 1) if (Math.abs(a[at] - b[at]) > levels) count += 1;
  return count;
}

/** Steps between neighbours in a row that can be seen. @param {Uint8Array} picture */
function edges(picture) {
  let count = 0;
  for (let at = 1; at < picture.length; at += 1) if (at % WIDTH !== 0 && Math.abs(picture[at] - picture[at - 1]) > LEVELS) count += 1;
  return count;
}
