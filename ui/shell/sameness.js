// @ts-check
/**
 * For how long a video element has shown one and the same picture, to the pixel.
 *
 * An encoder that repeats its last picture sends frames on and on, so counting frames
 * finds nothing. Decoding the same picture again gives the same pixels; a camera that
 * moves through the world never does. A keyframe draws the same scene anew with small
 * differences, so one change between equal pictures does not count. The picture is drawn
 * small, so a change of a few pixels may be missed: this is evidence only together with a
 * vehicle that moves, and the hub decides.
 */
const WIDTH = 96;
const HEIGHT = 54;

/** @type {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null} */
let shared = null;

function canvas() {
  if (shared === null) {
    const element = document.createElement('canvas');
    element.width = WIDTH;
    element.height = HEIGHT;
    shared = element.getContext('2d', { willReadFrequently: true, alpha: false });
  }
  return shared;
}

export class Sameness {
  #hash = 0;
  #frames = -1;
  /** @type {number | null} */
  #since_ms = null;
  #seen_ms = 0;
  #equal = 0;
  #changes = 0;

  /**
   * Look at the picture; call a few times a second.
   *
   * @param {HTMLVideoElement} video
   * @param {number} frames displayed so far: without a new one there is nothing to compare
   * @param {number} now_ms
   */
  look(video, frames, now_ms) {
    const context = canvas();
    if (frames === this.#frames || context === null || video.readyState < 2) return;
    context.drawImage(video, 0, 0, WIDTH, HEIGHT);
    this.take(fnv1a(context.getImageData(0, 0, WIDTH, HEIGHT).data), frames, now_ms);
  }

  /** Take in what one look saw. @param {number} hash @param {number} frames @param {number} now_ms */
  take(hash, frames, now_ms) {
    if (this.#frames >= 0 && hash === this.#hash) {
      this.#equal += 1;
      this.#changes = 0;
    } else {
      this.#changes += 1;
    }
    if (this.#since_ms === null || this.#changes > 1) {
      this.#since_ms = now_ms;
      this.#equal = 0;
    }
    this.#hash = hash;
    this.#frames = frames;
    this.#seen_ms = now_ms;
  }

  /** Nothing is known any more: another picture, or nobody looks. */
  forget() {
    this.#frames = -1;
    this.#since_ms = null;
    this.#equal = this.#changes = 0;
  }

  /** Milliseconds, as far as it was seen; 0 while pictures differ, null while nothing is known. */
  get same_ms() {
    if (this.#since_ms === null) return null;
    return this.#equal === 0 ? 0 : this.#seen_ms - this.#since_ms;
  }
}

/** FNV-1a, 32 bits. @param {Uint8ClampedArray} data */
export function fnv1a(data) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < data.length; at += 1) hash = Math.imul(hash ^ data[at], 0x01000193);
  return hash >>> 0;
}
