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

  /** @param {import('../shell/console.js').Console} desk @param {string} vehicle @param {HTMLElement} root @param {boolean} large */
  constructor(desk, vehicle, root, large) {
    this.#desk = desk;
    this.#vehicle = vehicle;
    this.root = root;
    const name = dashed(vehicle);
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
    if (!media || !view) {
      this.#set('waiting', t(desk.media.supported ? 'video.waiting' : 'video.no_webrtc'), '');
      return;
    }
    if (media.video.parentElement !== this.#host) {
      media.attachTo(this.#host);
    }
    const still_ms = media.still(now_ms);
    if (!media.hasPicture) {
      const why = !view.media ? t('video.not_publishing')
        : media.state === 'waiting' ? `${t('video.failed')} (${media.reason})` : t('video.waiting');
      this.#set('waiting', why, '');
    } else if (still_ms > FREEZE_MS && !document.hidden) {
      const retry = media.state === 'connected' ? '' : t('video.failed');
      this.#set('frozen', retry, t('video.frozen', { n: tenths(still_ms) }));
    } else if (repeats(view, media)) {
      // Frames come, the picture does not change, the vehicle moves: what is shown is old.
      this.#set('frozen', t('video.repeated_note'), t('video.repeated'));
    } else {
      this.#set('live', '', '');
    }
    this.#write(this.#camera, media.camera);
    const audible = media.hasSound && !media.sound.muted;
    this.#write(this.#sound, audible ? t('video.sound_on') : media.hasPicture && !media.hasSound ? t('video.sound_none') : '');
    if (now_ms - this.#badge_ms >= BADGE_EVERY_MS) {
      this.#badge_ms = now_ms;
      this.#paintBadge(media, desk.streamOf(view, media.camera), still_ms, now_ms);
      paintStages(this.#stages, t, media.stages);
    }
  }

  /** @param {import('../shell/media.js').VehicleMedia} media @param {any} stream @param {number} still_ms @param {number} now_ms */
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

/** One picture again and again: by these pixels, or as the hub knows it. @param {any} view @param {import('../shell/media.js').VehicleMedia} media */
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

/** @param {{desk: import('../shell/console.js').Console, vehicle: string, large?: boolean}} props */
export const Picture = ({ desk, vehicle, large }) => html`<${Mount} key=${vehicle} desk=${desk} vehicle=${vehicle} large=${large} />`;

/** @param {{desk: import('../shell/console.js').Console, vehicle: string, large?: boolean}} props */
function Mount({ desk, vehicle, large = false }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const view = new PictureView(desk, vehicle, /** @type {HTMLElement} */ (ref.current), large);
    shown.add(view);
    view.paint(performance.now());
    return () => {
      shown.delete(view);
    };
  }, [desk, vehicle]);
  return html`<div class="picture" data-testid=${`picture-${dashed(vehicle)}`} ref=${ref}></div>`;
}
