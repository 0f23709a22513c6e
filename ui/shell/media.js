// @ts-check
/**
 * The pictures and sounds of the watched vehicles: who is dialled, with which cameras,
 * and which element shows what.
 *
 *     main session   one camera, sound both ways, command lines; lives as long as the tile
 *     side session   all other cameras that are shown now, small; comes and goes with them
 *
 * So thumbnails never interrupt the large picture or a command line, and making another
 * camera large is a change of sizes, not a new dial, while both are shown.
 */
import { signal } from '@preact/signals';
import { layerOf, nextCamera, spread } from '../core/cameras.js';
import { dashed } from '../core/format.js';
import { cameraNames } from '../core/store.js';
import { CameraView, play } from './cameraview.js';
import { RingDesk } from './ring.js';
import { WhepSession } from './whep.js';

/** No frame for this long is a freeze; checked often enough to be shown by 300 ms. */
export const FREEZE_MS = 250;
const REDIAL_STILL_MS = 3_000;
/** After the vehicle came back: its worker may be another one, which does not know us. */
const REVIVED_STILL_MS = 800;
/** One picture repeated for this long, while the vehicle moves, is told. */
export const SAME_MS = 450;

/**
 * One session with its state.
 *
 * @typedef {{session: WhepSession, state: import('./whep.js').WhepState, reason: string, dialled_ms: number}} Line
 */

export class VehicleMedia {
  /** @type {Map<string, CameraView>} */
  #views = new Map();
  /** @type {Line | null} */
  #main = null;
  /** @type {Line | null} */
  #side = null;
  #carried;
  /** @type {readonly string[]} */
  #thumbs = [];
  #focused = false;
  #hooks;

  /**
   * @param {string} vehicle
   * @param {string} camera the large one
   * @param {{onWord: (vehicle: string, text: string) => void, ring: RingDesk, sounds: HTMLElement}} hooks
   */
  constructor(vehicle, camera, hooks) {
    this.vehicle = vehicle;
    this.camera = camera;
    this.#carried = camera;
    this.#hooks = hooks;
    this.hasSound = false;
    this.sound = document.createElement('audio');
    this.sound.muted = true;
    this.sound.dataset.testid = `sound-${dashed(vehicle)}`;
    hooks.sounds.append(this.sound);
  }

  /** @param {string} camera */
  view(camera) {
    let view = this.#views.get(camera);
    if (view === undefined) {
      view = new CameraView(this.vehicle, camera);
      this.#views.set(camera, view);
    }
    return view;
  }

  /** The large camera. */
  get large() {
    return this.view(this.camera);
  }

  get video() {
    return this.large.video;
  }

  get stages() {
    return this.large.stages;
  }

  /** The cameras that are carried now, the large one first. */
  views() {
    const names = [this.camera, ...(this.#main?.session.cameras ?? []), ...(this.#side?.session.cameras ?? [])];
    return [...new Set(names)].map((name) => this.view(name));
  }

  /** What is known of the session that carries a camera. @param {string} camera */
  line(camera) {
    const line = this.#side?.session.cameras.includes(camera) ? this.#side : this.#main;
    return { state: line?.state ?? /** @type {const} */ ('stopped'), reason: line?.reason ?? '' };
  }

  /**
   * Which cameras to show, and dial what is missing.
   *
   * @param {string} large
   * @param {readonly string[]} thumbs
   * @param {boolean} focused
   */
  want(large, thumbs, focused) {
    this.camera = large;
    this.#thumbs = thumbs;
    this.#focused = focused;
    if (this.#main !== null) this.#follow();
  }

  dial() {
    if (this.#main === null) this.#follow();
  }

  #follow() {
    const { main, side } = spread(this.#carried, this.camera, this.#thumbs);
    if (this.#main === null || main !== this.#carried) {
      this.#end(this.#main);
      this.#carried = main;
      this.#main = this.#begin([main], true);
    }
    if (side.join() !== (this.#side?.session.cameras ?? []).join()) {
      this.#end(this.#side);
      this.#side = side.length === 0 ? null : this.#begin(side, false);
    }
    this.#main.session.want(this.#layers([main]));
    this.#side?.session.want(this.#layers(side));
  }

  /** @param {readonly string[]} cameras */
  #layers(cameras) {
    return Object.fromEntries(cameras.map((camera) => [camera, layerOf(camera === this.camera, this.#focused)]));
  }

  /** @param {readonly string[]} cameras @param {boolean} extras @returns {Line} */
  #begin(cameras, extras) {
    const { ring, onWord } = this.#hooks;
    const session = new WhepSession(this.vehicle, this.#layers(cameras), extras, {
      onVideo: (camera, track) => this.view(camera).show(track),
      onReceiver: (camera, receiver) => ring.keep(this.vehicle, camera, receiver),
      onAudio: (track) => this.#hear(track),
      onWord: (text) => onWord(this.vehicle, text),
      onState: (state, reason) => {
        line.state = state;
        if (reason !== '' || state === 'connected') line.reason = reason;
        if (state === 'dialling') line.dialled_ms = performance.now();
      },
    });
    /** @type {Line} */
    const line = { session, state: 'stopped', reason: '', dialled_ms: performance.now() };
    session.start();
    return line;
  }

  /** @param {Line | null} line */
  #end(line) {
    if (line === null) return;
    line.session.stop();
    for (const camera of line.session.cameras) {
      this.view(camera).forget();
      this.#hooks.ring.forget(this.vehicle, camera);
    }
    if (line === this.#main) {
      this.sound.srcObject = null;
      this.hasSound = false;
    }
  }

  hangUp() {
    this.#end(this.#main);
    this.#end(this.#side);
    this.#main = this.#side = null;
    this.sound.remove();
  }

  /** Dial all anew. @param {string} reason */
  redial(reason) {
    this.#main?.session.redial(reason);
    this.#side?.session.redial(reason);
  }

  /** Frames for the vehicle can leave. */
  get commandOpen() {
    return this.#main?.session.isOpen('command') ?? false;
  }

  /** @param {Uint8Array<ArrayBuffer>} frame */
  sendCommand(frame) {
    return this.#main?.session.send('command', frame) ?? false;
  }

  /** @param {Uint8Array<ArrayBuffer>} frame */
  sendStop(frame) {
    return this.#main?.session.send('stop', frame) ?? false;
  }

  get connection() {
    return this.#main?.session.connection ?? null;
  }

  /** The video receiver of every picture on screen. @returns {{view: CameraView, receiver: RTCRtpReceiver}[]} */
  receivers() {
    return this.views().filter((view) => view.shown).flatMap((view) => {
      const line = this.#side?.session.cameras.includes(view.camera) ? this.#side : this.#main;
      const track = /** @type {MediaStream | null} */ (view.video.srcObject)?.getVideoTracks()[0];
      const receiver = track && line?.session.connection?.getReceivers().find((one) => one.track === track);
      return receiver ? [{ view, receiver }] : [];
    });
  }

  /** Where the operator's voice goes; null while nothing is connected. */
  get voice() {
    return this.#main?.session.voice ?? null;
  }

  /** Dial again what displays nothing new although the hub receives. @param {(camera: string) => boolean} isLive @param {number} now_ms */
  check(isLive, now_ms) {
    for (const view of this.views()) {
      view.hear(isLive(view.camera), now_ms);
      const line = this.#side?.session.cameras.includes(view.camera) ? this.#side : this.#main;
      const expected = line?.state === 'connected' ? view.expectedSince(line.dialled_ms) : null;
      if (line === null || expected === null) continue;
      const patience_ms = expected.revived ? REVIVED_STILL_MS : REDIAL_STILL_MS;
      if (now_ms - expected.since_ms <= patience_ms) continue;
      this.#hooks.ring.suspect();
      line.session.redial('no_frames');
    }
  }

  /** @param {boolean} audible @param {number} volume 0 to 1 */
  setAudible(audible, volume) {
    this.sound.muted = !audible;
    this.sound.volume = volume;
    if (audible && this.sound.paused && this.sound.srcObject) play(this.sound);
  }

  resume() {
    for (const view of this.views()) view.resume();
  }

  /** @param {MediaStreamTrack} track */
  #hear(track) {
    this.sound.srcObject = new MediaStream([track]);
    this.hasSound = !track.muted;
    track.onunmute = () => (this.hasSound = true);
    track.onmute = () => (this.hasSound = false);
    play(this.sound);
  }
}

/** All watched vehicles. */
export class MediaDesk {
  /** @type {Map<string, VehicleMedia>} */
  #media = new Map();
  supported = 'RTCPeerConnection' in window;
  ring = new RingDesk(() => this.#media.forEach((media) => media.redial('no_rewind')));
  /** The large camera of each vehicle that has one chosen. @type {import('@preact/signals').Signal<Readonly<Record<string, string>>>} */
  chosen = signal({});
  /** How loud the focused vehicle is, 0 to 1. */
  volume = signal(1);
  /** Thumbnails on this screen, by vehicle. @type {Map<string, readonly string[]>} */
  #thumbs = new Map();
  #sounds = document.createElement('div');
  #onWord;
  #refollow = () => {};

  /** @param {(vehicle: string, text: string) => void} [onWord] a vehicle's word to who has control of it */
  constructor(onWord = () => {}) {
    this.#onWord = onWord;
    this.#sounds.hidden = true;
    document.body.append(this.#sounds);
    window.addEventListener('pagehide', () => this.close());
  }

  /**
   * Follow the hub: a medium per watched vehicle, dialled once it publishes.
   *
   * @param {readonly string[]} watched
   * @param {Record<string, any>} vehicles
   * @param {string | null} focused
   */
  follow(watched, vehicles, focused) {
    if (!this.supported) return;
    this.#refollow = () => this.follow(watched, vehicles, focused);
    for (const [vehicle, media] of this.#media) {
      if (!watched.includes(vehicle)) {
        media.hangUp();
        this.#media.delete(vehicle);
      }
    }
    // A picture is not held up by the rewind, but what comes before it is ready cannot be rewound.
    if (!this.ring.settled(this.#refollow)) return;
    for (const vehicle of watched) {
      const view = vehicles[vehicle];
      const names = cameraNames(view);
      const large = this.largeOf(vehicle, names);
      let media = this.#media.get(vehicle);
      if (media === undefined) {
        media = new VehicleMedia(vehicle, large, { onWord: this.#onWord, ring: this.ring, sounds: this.#sounds });
        this.#media.set(vehicle, media);
      }
      media.want(large, this.thumbsOf(vehicle, view, large), vehicle === focused);
      if (view.media) media.dial();
    }
  }

  /** @param {string} vehicle @param {readonly string[]} names */
  largeOf(vehicle, names) {
    const chosen = this.chosen.value[vehicle];
    return chosen !== undefined && names.includes(chosen) ? chosen : names[0];
  }

  /** Only what the vehicle really sends is asked for. @param {string} vehicle @param {any} view @param {string} large */
  thumbsOf(vehicle, view, large) {
    const sent = view.streams.map((/** @type {any} */ stream) => stream.name);
    return (this.#thumbs.get(vehicle) ?? []).filter((name) => name !== large && sent.includes(name));
  }

  /** Make a camera large. @param {string} vehicle @param {string} camera */
  choose(vehicle, camera) {
    this.chosen.value = { ...this.chosen.peek(), [vehicle]: camera };
    this.#refollow();
  }

  /** The next camera of a vehicle becomes large. @param {string} vehicle @param {readonly string[]} names */
  chooseNext(vehicle, names) {
    if (names.length > 1) this.choose(vehicle, nextCamera(names, this.largeOf(vehicle, names)));
  }

  /** Which thumbnails there is room for. @param {string} vehicle @param {readonly string[]} cameras */
  showThumbs(vehicle, cameras) {
    if ((this.#thumbs.get(vehicle) ?? []).join() === cameras.join()) return;
    this.#thumbs.set(vehicle, cameras);
    this.#refollow();
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
    for (const media of this.#media.values()) media.setAudible(media.vehicle === vehicle, this.volume.peek());
  }

  close() {
    for (const media of this.#media.values()) media.hangUp();
    this.#media.clear();
    this.ring.close();
    this.#sounds.remove();
  }
}
