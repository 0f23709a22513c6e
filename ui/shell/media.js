// @ts-check
/**
 * The pictures and sounds of the watched vehicles: who is dialled, which element shows
 * what, and when the last frame was really displayed. Panels only *host* the video
 * elements; nothing here is ever re-rendered.
 *
 * @typedef {import('../core/clock.js').Estimate} Estimate
 */
import { ageAt, displayedFrame } from '../core/frameage.js';
import { dashed } from '../core/format.js';
import { cameraNames } from '../core/store.js';
import { Sameness } from './sameness.js';
import { WhepSession } from './whep.js';

/** No frame for this long is a freeze; checked often enough to be shown by 300 ms. */
export const FREEZE_MS = 250;
const REDIAL_STILL_MS = 3_000;
/** After the vehicle came back: its worker may be another one, which does not know us. */
const REVIVED_STILL_MS = 800;
const UNSTAMPED_FRAMES = 5;
/** Displayed frames kept between two reports. */
const MAX_FRAMES = 240;
/** One picture repeated for this long, while the vehicle moves, is told. */
export const SAME_MS = 450;

export class VehicleMedia {
  /** @type {WhepSession | null} */
  #session = null;
  #dialled_ms = 0;
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
  #canTell = 'requestVideoFrameCallback' in HTMLVideoElement.prototype;

  /** @param {string} vehicle @param {string} camera @param {(vehicle: string, text: string) => void} [onWord] */
  constructor(vehicle, camera, onWord = () => {}) {
    this.vehicle = vehicle;
    this.onWord = onWord;
    this.camera = camera;
    /** @type {import('./whep.js').WhepState} */
    this.state = 'stopped';
    this.reason = '';
    this.hasSound = false;
    /** @type {import('./whep.js').Layer} */
    this.layer = 'low';
    /** Where the age came from during the last second. @type {readonly import('../core/stages.js').StageTime[]} */
    this.stages = [];
    this.video = document.createElement('video');
    this.video.muted = true;
    this.video.autoplay = true;
    this.video.playsInline = true;
    this.video.disablePictureInPicture = true;
    this.video.tabIndex = -1;
    this.sound = document.createElement('audio');
    this.sound.muted = true;
    this.sound.dataset.testid = `sound-${dashed(vehicle)}`;
    this.#name();
  }

  #name() {
    this.video.dataset.testid = `video-${dashed(this.vehicle)}-${this.camera}`;
  }

  dial() {
    if (this.#session !== null) return;
    this.#dialled_ms = performance.now();
    this.#session = new WhepSession(this.vehicle, [this.camera], this.layer, {
      onVideo: (_camera, track) => this.#show(track),
      onAudio: (track) => this.#hear(track),
      onWord: (text) => this.onWord(this.vehicle, text),
      onState: (state, reason) => {
        this.state = state;
        if (reason !== '' || state === 'connected') this.reason = reason;
        if (state === 'dialling') this.#dialled_ms = performance.now();
      },
    });
    this.#session.start();
  }

  /** Ask for another size. @param {import('./whep.js').Layer} layer */
  want(layer) {
    this.layer = layer;
    this.#session?.want(layer);
  }

  hangUp() {
    this.#session?.stop();
    this.#session = null;
    this.video.srcObject = null;
    this.sound.srcObject = null;
    this.hasSound = false;
    this.#rtp = null;
    this.#frames = [];
    this.#sameness.forget();
    this.#noticed_ms = 0;
  }

  /** @param {string} camera */
  switchTo(camera) {
    if (camera === this.camera) return;
    this.hangUp();
    this.camera = camera;
    this.#name();
    this.dial();
  }

  /** Frames for the vehicle can leave. */
  get commandOpen() {
    return this.#session?.isOpen('command') ?? false;
  }

  /** @param {Uint8Array<ArrayBuffer>} frame */
  sendCommand(frame) {
    return this.#session?.send('command', frame) ?? false;
  }

  /** @param {Uint8Array<ArrayBuffer>} frame */
  sendStop(frame) {
    return this.#session?.send('stop', frame) ?? false;
  }

  get connection() {
    return this.#session?.connection ?? null;
  }

  /** Dial again if nothing new was displayed although the hub receives. @param {boolean} live @param {number} now_ms */
  check(live, now_ms) {
    if (live && !this.#live) this.#revived_ms = now_ms;
    this.#live = live;
    if (this.state !== 'connected' || !live || !this.shown) return;
    const since = Math.max(this.#noticed_ms, this.#dialled_ms, this.#attached_ms, this.#revived_ms);
    const patience_ms = this.#revived_ms === since ? REVIVED_STILL_MS : REDIAL_STILL_MS;
    if (now_ms - since > patience_ms) this.#session?.redial('no_frames');
  }

  /** On this screen, where a browser counts displayed frames; elsewhere it does not. */
  get shown() {
    return this.video.isConnected && !document.hidden;
  }

  /** The element has a new place: from now on it has to show new frames. @param {HTMLElement} host */
  attachTo(host) {
    host.replaceChildren(this.video, this.sound);
    this.#attached_ms = performance.now();
    this.resume();
  }

  /**
   * Milliseconds since a new frame was displayed, as far as this place of the element
   * could show one; Infinity before the first.
   * @param {number} now_ms
   */
  still(now_ms) {
    return this.#noticed_ms === 0 ? Infinity : Math.max(0, now_ms - Math.max(this.#noticed_ms, this.#attached_ms));
  }

  /** Capture-to-display delay of the newest frame. @param {any} stream @param {Estimate | null} clock */
  delay(stream, clock) {
    return ageAt(stream, this.#rtp, this.#displayed_ms, clock);
  }

  /** Age of what is on the glass now. @param {any} stream @param {Estimate | null} clock @param {number} now_ms */
  age(stream, clock, now_ms) {
    return ageAt(stream, this.#rtp, now_ms, clock);
  }

  get hasPicture() {
    return this.#noticed_ms !== 0;
  }

  /** A picture was displayed, but the browser does not say which. */
  get cannotTell() {
    return !this.#canTell || (this.hasPicture && this.#rtp === null);
  }

  /** Frames displayed since the last call, oldest first; of very many the newest. */
  takeFrames() {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  /** Compare the picture with the one before. @param {boolean} moving is the vehicle @param {number} now_ms */
  compare(moving, now_ms) {
    if (moving && this.shown) this.#sameness.look(this.video, this.#count, now_ms);
    else this.#sameness.forget();
  }

  /** How long one picture has been repeated while the vehicle moved; null: not looked at. */
  get same_ms() {
    return this.#sameness.same_ms;
  }

  /** @param {boolean} audible */
  setAudible(audible) {
    this.sound.muted = !audible;
    if (audible && this.sound.paused && this.sound.srcObject) play(this.sound);
  }

  /** Elements pause when they are moved. */
  resume() {
    if (this.video.srcObject && this.video.paused) play(this.video);
  }

  /** @param {MediaStreamTrack} track */
  #show(track) {
    this.#unstamped = 0;
    this.video.srcObject = new MediaStream([track]);
    play(this.video);
    if (this.#canTell) this.video.requestVideoFrameCallback(this.#onFrame);
  }

  /** @param {MediaStreamTrack} track */
  #hear(track) {
    this.sound.srcObject = new MediaStream([track]);
    this.hasSound = !track.muted;
    track.onunmute = () => (this.hasSound = true);
    track.onmute = () => (this.hasSound = false);
    play(this.sound);
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
function play(element) {
  element.play().catch((error) => {
    // AbortError: a newer source replaced this one. NotAllowedError: no gesture yet; the
    // start-of-shift check gives one. Both show as what they are: no picture, no sound.
    console.info('media: not playing yet', error.name);
  });
}

/** All watched vehicles. */
export class MediaDesk {
  /** @type {Map<string, VehicleMedia>} */
  #media = new Map();
  supported = 'RTCPeerConnection' in window;
  #onWord;

  /** @param {(vehicle: string, text: string) => void} [onWord] a vehicle's word to who has control of it */
  constructor(onWord = () => {}) {
    this.#onWord = onWord;
    window.addEventListener('pagehide', () => this.close());
  }

  /**
   * Follow the hub: a medium per watched vehicle, dialled once it publishes. The focused
   * one is asked for in full, tiles in small.
   * @param {readonly string[]} watched
   * @param {Record<string, any>} vehicles
   * @param {string | null} focused
   */
  follow(watched, vehicles, focused) {
    if (!this.supported) return;
    for (const [vehicle, media] of this.#media) {
      if (!watched.includes(vehicle)) {
        media.hangUp();
        this.#media.delete(vehicle);
      }
    }
    for (const vehicle of watched) {
      const { media: publishes } = vehicles[vehicle];
      let media = this.#media.get(vehicle);
      if (media === undefined) {
        media = new VehicleMedia(vehicle, cameraNames(vehicles[vehicle])[0], this.#onWord);
        this.#media.set(vehicle, media);
      }
      media.want(vehicle === focused ? 'high' : 'low');
      if (publishes) media.dial();
    }
  }

  /** @param {string} vehicle */
  of(vehicle) {
    return this.#media.get(vehicle);
  }

  all() {
    return [...this.#media.values()];
  }

  /** @param {string | null} vehicle the only one to be heard */
  hear(vehicle) {
    for (const media of this.#media.values()) media.setAudible(media.vehicle === vehicle);
  }

  close() {
    for (const media of this.#media.values()) media.hangUp();
    this.#media.clear();
  }
}
