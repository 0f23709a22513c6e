// @ts-check
/**
 * What this screen really showed: told to the hub once a second, and a picture that is
 * repeated at once.
 */
import { ageAt } from '../core/frameage.js';
import { summary } from '../core/stages.js';
import { SAME_MS } from './media.js';

export class Presentation {
  #desk;
  #send;

  /** @param {import('./console.js').Console} desk @param {(message: object) => boolean} send */
  constructor(desk, send) {
    this.#desk = desk;
    this.#send = send;
  }

  /** Are pictures still coming, and other ones? Called a few times a second. @param {number} now_ms */
  look(now_ms) {
    const { vehicles } = this.#desk.state.peek();
    let repeats = false;
    for (const media of this.#desk.media.all()) {
      const view = vehicles[media.vehicle];
      media.check((camera) => view !== undefined && this.#desk.streamOf(view, camera)?.live === true, now_ms);
      for (const shown of media.views()) {
        const before = shown.same_ms ?? 0;
        shown.compare(Math.abs(view?.pose?.speed_mps ?? 0), now_ms);
        repeats ||= before < SAME_MS && (shown.same_ms ?? 0) >= SAME_MS;
      }
    }
    if (repeats) this.report();
  }

  report() {
    const now_ms = performance.now();
    const { media, clock } = this.#desk;
    const state = this.#desk.state.peek();
    const now = clock.peek();
    const large = new Set(media.all().map((one) => one.large));
    const tiles = media.all().flatMap((one) => one.views()).filter((shown) => shown.shown).map((shown) => {
      const stream = this.#desk.streamOf(state.vehicles[shown.vehicle], shown.camera);
      const frames = shown.takeFrames();
      const still_ms = shown.still(now_ms);
      const { videoWidth: width, videoHeight: height } = shown.video;
      const told = summary(frames, stream, ({ rtp, displayed_ms }) => ageAt(stream, rtp, displayed_ms, now));
      shown.stages = told.stages;
      return {
        vehicle: shown.vehicle,
        camera: shown.camera,
        frames: frames.length,
        still_ms: Number.isFinite(still_ms) ? still_ms : now_ms,
        ...told,
        width: width || null,
        height: height || null,
        same_ms: shown.same_ms,
        focused: shown.vehicle === state.focused && large.has(shown),
      };
    });
    this.#send({ type: 'presentation', visible: !document.hidden, tiles, rtt_ms: now?.rtt_ms ?? null });
  }
}
