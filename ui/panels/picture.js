// @ts-check
/**
 * A live picture with the truth about itself: age badge, freeze, what is missing.
 *
 * Drawn by hand and not by the view library: a video element must never be rendered
 * again, and the truth has to change within 300 ms even if nothing else does. One
 * timer serves all pictures.
 */
import { useEffect, useRef } from 'preact/hooks';
import { ageWithBar, dashed, tenths } from '../core/format.js';
import { FREEZE_MS, SAME_MS } from '../shell/media.js';
import { paintStages } from './stages.js';
import { html } from '../view.js';

const LOOK_EVERY_MS = 50;
const BADGE_EVERY_MS = 250;

/** @type {Set<PictureView>} */
const shown = new Set();
window.setInterval(() => {
  const now_ms = performance.now();
  for (const view of shown) view.paint(now_ms);
}, LOOK_EVERY_MS);

class PictureView {
  #desk;
  #vehicle;
  /** Which camera; null: the large one, whichever that is. @type {string | null} */
  #which;
  #host;
  #badge;
  #freeze;
  #note;
  #sound;
  #camera;
  #stages;
  #badge_ms = 0;
  /** @type {Map<Node, string>} */
  #written = new Map();

  /** @param {import('../shell/console.js').Console} desk @param {string} vehicle @param {string | null} which @param {HTMLElement} root @param {boolean} large */
  constructor(desk, vehicle, which, root, large) {
    this.#desk = desk;
    this.#vehicle = vehicle;
    this.#which = which;
    this.root = root;
    const name = which === null ? dashed(vehicle) : `${dashed(vehicle)}-${which}`;
    this.#host = part(root, 'picture-host', '');
    part(root, 'picture-hatch', '');
    this.#note = part(root, 'picture-note', `note-${name}`);
    this.#freeze = part(root, 'picture-freeze', `frozen-${name}`);
    this.#camera = part(root, 'picture-camera', '');
    this.#sound = part(root, 'picture-sound', `hearing-${name}`);
    this.#badge = part(root, 'picture-age', '');
    this.#badge.addEventListener('click', () => desk.histories.toggle(vehicle));
    this.#stages = part(root, 'picture-stages', `stages-${name}`);
    root.dataset.large = String(large);
  }

  /** @param {number} now_ms */
  paint(now_ms) {
    const desk = this.#desk;
    const { t } = desk;
    const media = desk.media.of(this.#vehicle);
    const state = desk.state.peek();
    const view = state.vehicles[this.#vehicle];
    if (state.ended !== null) {
      this.#set('waiting', t('session.picture'), '');
      return;
    }
    if (!media || !view) {
      this.#set('waiting', t(desk.media.supported ? 'video.waiting' : 'video.no_webrtc'), '');
      return;
    }
    // A thumbnail whose camera has just become large is about to go; the large one has it now.
    if (this.#which === media.camera) return;
    const shown = this.#which === null ? media.large : media.view(this.#which);
    if (shown.video.parentElement !== this.#host) shown.attachTo(this.#host);
    const line = media.line(shown.camera);
    const still_ms = shown.still(now_ms);
    if (!shown.hasPicture) {
      const why = !view.media ? t('video.not_publishing')
        : line.state === 'waiting' ? `${t('video.failed')} (${line.reason})` : t('video.waiting');
      this.#set('waiting', why, '');
      tell(shown, 'waiting', '', still_ms);
    } else if (still_ms > FREEZE_MS && !document.hidden) {
      const retry = line.state === 'connected' ? '' : t('video.failed');
      const words = this.#which === null ? 'video.frozen' : 'video.frozen_small';
      this.#set('frozen', retry, t(words, { n: tenths(still_ms) }));
      tell(shown, 'frozen', 'still', still_ms);
    } else if (repeats(view, shown)) {
      // Frames come, the picture does not change, the vehicle moves: what is shown is old.
      this.#set('frozen', t('video.repeated_note'), t(this.#which === null ? 'video.repeated' : 'video.repeated_small'));
      tell(shown, 'frozen', 'repeated', still_ms);
    } else {
      this.#set('live', '', '');
      tell(shown, 'live', '', still_ms);
    }
    this.#write(this.#camera, cameraWords(t, shown.camera));
    this.#camera.dataset.camera = shown.camera;
    if (this.#which === null) {
      const audible = media.hasSound && !media.sound.muted;
      this.#write(this.#sound, audible ? t('video.sound_on') : shown.hasPicture && !media.hasSound ? t('video.sound_none') : '');
    }
    if (now_ms - this.#badge_ms >= BADGE_EVERY_MS) {
      this.#badge_ms = now_ms;
      this.#paintBadge(shown, desk.streamOf(view, shown.camera), still_ms, now_ms);
      if (this.#which === null) paintStages(this.#stages, t, shown.stages);
    }
  }

  /** @param {import('../shell/cameraview.js').CameraView} media @param {any} stream @param {number} still_ms @param {number} now_ms */
  #paintBadge(media, stream, still_ms, now_ms) {
    const { t } = this.#desk;
    const clock = this.#desk.clock.peek();
    const age = still_ms > FREEZE_MS ? media.age(stream, clock, now_ms) : media.delay(stream, clock);
    const { dataset } = this.#badge;
    const testid = `age-${dashed(media.vehicle)}-${media.camera}`;
    if (dataset.testid !== testid) dataset.testid = testid;
    if (age.ok) {
      this.#write(this.#badge, ageWithBar(age.age_ms, age.uncertainty_ms));
      dataset.ms = age.age_ms.toFixed(1);
      dataset.uncertaintyMs = age.uncertainty_ms.toFixed(1);
      dataset.reason = '';
    } else {
      const reason = media.cannotTell ? 'unsupported' : age.reason;
      this.#write(this.#badge, `— ${t(`age.${reason}`)}`);
      delete dataset.ms;
      delete dataset.uncertaintyMs;
      dataset.reason = reason;
    }
  }

  /** @param {string} state @param {string} note @param {string} freeze */
  #set(state, note, freeze) {
    if (this.root.dataset.state !== state) this.root.dataset.state = state;
    this.#write(this.#note, note);
    this.#write(this.#freeze, freeze);
  }

  /** Touch the document only when a text changes. @param {HTMLElement} node @param {string} text */
  #write(node, text) {
    if (this.#written.get(node) === text) return;
    this.#written.set(node, text);
    node.textContent = text;
  }
}

/** The name of a camera; its own if these words have none for it. @param {(key: string, values?: any, fallback?: string) => string} t @param {string} camera */
export function cameraWords(t, camera) {
  return t(`camera.${camera}`, {}, camera);
}

/** What is on the screen now is known to who asks. @param {import('../shell/cameraview.js').CameraView} media @param {'waiting'|'live'|'frozen'} state @param {''|'still'|'repeated'} why @param {number} still_ms */
function tell(media, state, why, still_ms) {
  if (media.told?.state !== state || media.told.why !== why) media.told = { state, why, still_ms };
}

/** One picture again and again: by these pixels, or as the hub knows it. @param {any} view @param {import('../shell/cameraview.js').CameraView} media */
function repeats(view, media) {
  if ((media.same_ms ?? 0) >= SAME_MS) return true;
  return (view.supervision?.frozen ?? []).some(
    (/** @type {any} */ one) => one.cause === 'content' && (one.camera === media.camera || one.camera === '*'),
  );
}

/** @param {HTMLElement} root @param {string} className @param {string} testid */
function part(root, className, testid) {
  const node = document.createElement('div');
  node.className = className;
  if (testid) node.dataset.testid = testid;
  root.append(node);
  return node;
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: string, large?: boolean, camera?: string | null}} props `camera`: null: the large one */
export const Picture = ({ desk, vehicle, large, camera = null }) => html`<${Mount} key=${`${vehicle} ${camera}`} desk=${desk} vehicle=${vehicle} large=${large} camera=${camera} />`;

/** @param {{desk: import('../shell/console.js').Console, vehicle: string, large?: boolean, camera?: string | null}} props */
function Mount({ desk, vehicle, large = false, camera = null }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const view = new PictureView(desk, vehicle, camera, /** @type {HTMLElement} */ (ref.current), large);
    shown.add(view);
    view.paint(performance.now());
    return () => {
      shown.delete(view);
    };
  }, [desk, vehicle, camera]);
  const name = camera === null ? dashed(vehicle) : `${dashed(vehicle)}-${camera}`;
  return html`<div class="picture" data-testid=${`picture-${name}`} ref=${ref}></div>`;
}
