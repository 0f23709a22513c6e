// @ts-check
/**
 * One camera on this screen: its video element, when its last frame was really
 * displayed, how old that is, whether it repeats itself. Panels only *host* the element.
 *
 * @typedef {import('../core/clock.js').Estimate} Estimate
 */
import { ageAt, displayedFrame } from '../core/frameage.js';
import { dashed } from '../core/format.js';
import { Sameness } from './sameness.js';

const UNSTAMPED_FRAMES = 5;
/** Displayed frames kept between two reports. */
const MAX_FRAMES = 240;
/** A vehicle that is faster than this moves; a slower one may rightly show one picture. */
const MOVING_MPS = 0.3;
const CAN_TELL = 'requestVideoFrameCallback' in HTMLVideoElement.prototype;

export class CameraView {
  #count = 0;
  /** @type {import('../core/stages.js').Frame[]} */
  #frames = [];
  #sameness = new Sameness();
  /** @type {number | null} */
  #rtp = null;
  #displayed_ms = 0;
  #noticed_ms = 0;
  #attached_ms = 0;
  #unstamped = 0;
  #live = false;
  #revived_ms = 0;

  /** @param {string} vehicle @param {string} camera */
  constructor(vehicle, camera) {
    this.vehicle = vehicle;
    this.camera = camera;
    /** Where the age came from during the last second. @type {readonly import('../core/stages.js').StageTime[]} */
    this.stages = [];
    /** What its picture was last marked as on the screen, and how long after the last frame. @type {{state: 'waiting'|'live'|'frozen', why: ''|'still'|'repeated', still_ms: number} | null} */
    this.told = null;
    this.video = document.createElement('video');
    this.video.muted = true;
    this.video.autoplay = true;
    this.video.playsInline = true;
    this.video.disablePictureInPicture = true;
    this.video.tabIndex = -1;
    this.video.dataset.testid = `video-${dashed(vehicle)}-${camera}`;
  }

  /** @param {MediaStreamTrack} track */
  show(track) {
    this.#unstamped = 0;
    this.video.srcObject = new MediaStream([track]);
    play(this.video);
    if (CAN_TELL) this.video.requestVideoFrameCallback(this.#onFrame);
  }

  /** Nothing is shown any more. */
  forget() {
    this.video.srcObject = null;
    this.#rtp = null;
    this.#frames = [];
    this.#sameness.forget();
    this.#noticed_ms = 0;
  }

  /** The element has a new place: from now on it has to show new frames. @param {HTMLElement} host */
  attachTo(host) {
    host.replaceChildren(this.video);
    this.#attached_ms = performance.now();
    this.resume();
  }

  /** Elements pause when they are moved. */
  resume() {
    if (this.video.srcObject && this.video.paused) play(this.video);
  }

  /** On this screen, where a browser counts displayed frames; elsewhere it does not. */
  get shown() {
    return this.video.isConnected && !document.hidden;
  }

  get hasPicture() {
    return this.#noticed_ms !== 0;
  }

  /** A picture was displayed, but the browser does not say which. */
  get cannotTell() {
    return !CAN_TELL || (this.hasPicture && this.#rtp === null);
  }

  /**
   * Milliseconds since a new frame was displayed, as far as this place of the element
   * could show one; Infinity before the first.
   * @param {number} now_ms
   */
  still(now_ms) {
    return this.#noticed_ms === 0 ? Infinity : Math.max(0, now_ms - Math.max(this.#noticed_ms, this.#attached_ms));
  }

  /** The hub says whether it receives this camera. @param {boolean} live @param {number} now_ms */
  hear(live, now_ms) {
    if (live && !this.#live) this.#revived_ms = now_ms;
    this.#live = live;
  }

  /**
   * Since when a picture should have come, and whether that is because the camera came
   * back; null: nothing can be expected now.
   * @param {number} dialled_ms when its session was dialled
   */
  expectedSince(dialled_ms) {
    if (!this.#live || !this.shown) return null;
    const since_ms = Math.max(this.#noticed_ms, dialled_ms, this.#attached_ms, this.#revived_ms);
    return { since_ms, revived: this.#revived_ms === since_ms };
  }

  /** Capture-to-display delay of the newest frame. @param {any} stream @param {Estimate | null} clock */
  delay(stream, clock) {
    return ageAt(stream, this.#rtp, this.#displayed_ms, clock);
  }

  /** Age of what is on the glass now. @param {any} stream @param {Estimate | null} clock @param {number} now_ms */
  age(stream, clock, now_ms) {
    return ageAt(stream, this.#rtp, now_ms, clock);
  }

  /** Frames displayed since the last call, oldest first; of very many the newest. */
  takeFrames() {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  /** Compare the picture with those before. @param {number} speed_mps of the vehicle @param {number} now_ms */
  compare(speed_mps, now_ms) {
    if (speed_mps > MOVING_MPS && this.shown) this.#sameness.look(this.video, this.#count, now_ms, speed_mps);
    else this.#sameness.forget();
  }

  /** How long one picture has been repeated while the vehicle moved; null: not looked at. */
  get same_ms() {
    return this.#sameness.same_ms;
  }

  /** @type {VideoFrameRequestCallback} */
  #onFrame = (now_ms, frame) => {
    if (this.video.srcObject) this.video.requestVideoFrameCallback(this.#onFrame);
    const shown = displayedFrame(now_ms, frame);
    // Until the first packet a browser may display a black frame of its own making: it
    // carries no timestamp. A browser that never gives one is believed after a few.
    this.#unstamped = shown.rtp === null ? this.#unstamped + 1 : 0;
    if (shown.rtp === null && this.#unstamped <= UNSTAMPED_FRAMES) return;
    this.#count += 1;
    this.#noticed_ms = performance.now();
    this.#displayed_ms = shown.displayed_ms;
    this.#rtp = shown.rtp;
    if (this.#frames.length >= MAX_FRAMES) this.#frames.shift();
    this.#frames.push(shown);
  };
}

/** @param {HTMLMediaElement} element */
export function play(element) {
  element.play().catch((error) => {
    // AbortError: a newer source replaced this one. NotAllowedError: no gesture yet; the
    // start-of-shift check gives one. Both show as what they are: no picture, no sound.
    console.info('media: not playing yet', error.name);
  });
}
