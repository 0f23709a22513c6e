// @ts-check
/**
 * The rehearsal of a demo: asks the hub to break and mend, looks at this console while
 * something is expected, and keeps what was seen. Exists only where the hub says so.
 */
import { signal } from '@preact/signals';
import { begin, done, mendedAt, mending, observe, watching, MENDS_ITSELF } from '../core/rehearsal.js';
import { isMine } from '../core/control.js';
import { call, Unreachable } from './api.js';

/** Looks while something is expected. */
const LOOK_MS = 25;
/** How things stand behind the console: while something is expected, and else. */
const ASK_MS = 300;
const IDLE_MS = 1_500;
/** Breaking may be an exchange with the vehicle. */
const WITHIN_MS = 12_000;

/** @typedef {import('../core/rehearsal.js').Fault} Fault @typedef {import('../core/rehearsal.js').Facts} Facts */

export class Rehearsal {
  /** This hub has one. */
  offered = signal(false);
  /** The newest rehearsal of each fault. @type {import('@preact/signals').Signal<Partial<Record<Fault, import('../core/rehearsal.js').Run>>>} */
  runs = signal({});
  /** How things stand, as the demo says. @type {import('@preact/signals').Signal<any>} */
  standing = signal(null);
  /** @type {import('@preact/signals').Signal<Fault>} */
  chosen = signal(/** @type {Fault} */ ('freeze'));
  /** A wish on its way. @type {import('@preact/signals').Signal<Fault | null>} */
  busy = signal(null);
  /** Why the last wish was not carried out. */
  problem = signal('');

  #desk;
  /** @type {number} */
  #looks = 0;
  /** @type {number} */
  #asks = 0;
  #open = false;

  /** @param {import('./console.js').Console} desk */
  constructor(desk) {
    this.#desk = desk;
  }

  /** Who signed in may rehearse, if this hub can. @param {any} welcome */
  async find(welcome) {
    if (!welcome?.demo || !['operator', 'supervisor'].includes(welcome.role)) return;
    this.offered.value = await this.#ask();
  }

  /** The panel is on the screen. */
  enter() {
    this.#open = true;
    void this.#keepAsking();
  }

  leave() {
    this.#open = false;
  }

  stop() {
    this.leave();
    window.clearInterval(this.#looks);
    window.clearTimeout(this.#asks);
  }

  /** @param {Fault} fault @param {string} vehicle */
  async break(fault, vehicle) {
    if (this.busy.peek() !== null) return;
    this.chosen.value = fault;
    this.#put(begin(fault, vehicle, this.facts(vehicle)));
    const standing = await this.#wish('break', fault, vehicle);
    const run = this.runs.peek()[fault];
    if (!run) return;
    if (standing === null) {
      const { [fault]: _, ...rest } = this.runs.peek();
      this.runs.value = rest;
    } else {
      this.#put(done(run, standing.at_ns / 1e6));
    }
  }

  /** @param {Fault} fault @param {string} vehicle */
  async mend(fault, vehicle) {
    if (this.busy.peek() !== null) return;
    this.chosen.value = fault;
    const before = this.runs.peek()[fault];
    const run = before?.vehicle === vehicle ? before : done(begin(fault, vehicle, this.facts(vehicle)), this.#desk.hubNow());
    this.#put(mending(run, this.facts(vehicle)));
    const standing = await this.#wish('mend', fault, vehicle);
    const now = this.runs.peek()[fault];
    if (standing !== null && now) this.#put(mendedAt(now, standing.at_ns / 1e6));
  }

  /** Since when a fault is there, hub clock in ms; null: it is not. @param {Fault} fault @param {string} vehicle @returns {number | null} */
  brokenSince(fault, vehicle) {
    const found = (this.standing.value?.broken ?? []).find((/** @type {any} */ one) => one.fault === fault && one.vehicle === vehicle);
    return found ? found.at_ns / 1e6 : null;
  }

  /** One look at this console. @param {string} vehicle @returns {Facts} */
  facts(vehicle) {
    const desk = this.#desk;
    const state = desk.state.peek();
    const view = state.vehicles[vehicle];
    const media = desk.media.of(vehicle);
    const told = media?.large.shown ? media.large.told : null;
    const stream = media && view ? desk.streamOf(view, media.camera) : null;
    const control = state.controls[vehicle] ?? null;
    const known = state.socket === 'open' && view;
    const age = media && stream ? media.large.delay(stream, desk.clock.peek()) : null;
    const word = this.standing.peek()?.words?.[vehicle];
    return {
      now_ms: desk.hubNow(),
      picture: told?.state ?? '',
      why: told?.why ?? '',
      still_ms: told?.still_ms ?? null,
      age_ms: age?.ok ? age.age_ms : null,
      link: known ? view.link : '',
      telemetry_ms: known ? desk.since(view.pose?.at_ns) : null,
      round_trip_ms: view?.supervision?.round_trip_ms ?? null,
      loss: stream?.loss ?? null,
      streaming: stream?.live === true,
      speed_kmh: view?.pose ? Math.abs(view.pose.speed_mps) * 3.6 : null,
      limit_kmh: view?.pose?.speed_limit_mps == null ? null : view.pose.speed_limit_mps * 3.6,
      mrm: view?.mrm ?? null,
      alarms: Object.values(state.alarms)
        .filter((one) => one.vehicle === vehicle && ['unacknowledged', 'acknowledged'].includes(one.state))
        .map(({ key }) => key),
      mine: isMine(state, control) && control.state === 'held',
      holder: control && control.state !== 'free' ? control.holder : '',
      gone: state.gone?.vehicle === vehicle ? state.gone.how : '',
      word: word ? { speed_kmh: Math.abs(word.speed_mps) * 3.6, limit_kmh: word.limit_mps * 3.6, mrm: word.mrm, link_up: word.link_up } : null,
      broker_pid: this.standing.peek()?.broker_pid ?? null,
      purpose: view?.supervision?.purpose ?? '',
      allowed_kmh: view?.supervision?.speed_limit?.allowed_kmh ?? null,
      promise: !view?.fallback ? '' : view.fallback === 'NONE' ? 'continues' : 'stops',
    };
  }

  // ---------------------------------------------------------------- inside

  /** @param {import('../core/rehearsal.js').Run} run */
  #put(run) {
    this.runs.value = { ...this.runs.peek(), [run.fault]: run };
    if (this.#looks === 0) this.#looks = window.setInterval(() => this.#look(), LOOK_MS);
  }

  #look() {
    const runs = { ...this.runs.peek() };
    let any = false;
    for (const [fault, run] of Object.entries(runs)) {
      if (!watching(run)) continue;
      any = true;
      runs[/** @type {Fault} */ (fault)] = observe(run, this.facts(run.vehicle));
    }
    if (!any) {
      window.clearInterval(this.#looks);
      this.#looks = 0;
    } else if (Object.entries(runs).some(([fault, run]) => this.runs.peek()[/** @type {Fault} */ (fault)] !== run)) {
      this.runs.value = runs;
    }
  }

  /** @param {'break'|'mend'} what @param {Fault} fault @param {string} vehicle @returns {Promise<any>} */
  async #wish(what, fault, vehicle) {
    this.busy.value = fault;
    this.problem.value = '';
    try {
      const body = { fault, vehicle: MENDS_ITSELF.includes(fault) ? '' : vehicle };
      const answer = await call(`/api/rehearsal/${what}`, { method: 'POST', body, within_ms: WITHIN_MS });
      if (answer.status === 200) {
        this.standing.value = answer.body;
        return answer.body;
      }
      this.problem.value = answer.body?.reason ?? 'demo_gone';
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      this.problem.value = 'demo_gone';
    } finally {
      this.busy.value = null;
      if (this.#open) void this.#keepAsking();
    }
    return null;
  }

  /** Learn how things stand; false: there is no rehearsal here, or nobody answers. */
  async #ask() {
    try {
      const { status, body } = await call('/api/rehearsal');
      if (status === 200) this.standing.value = body;
      return status === 200;
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      return false;
    }
  }

  async #keepAsking() {
    window.clearTimeout(this.#asks);
    await this.#ask();
    if (!this.#open) return;
    const soon = Object.values(this.runs.peek()).some((run) => watching(run));
    window.clearTimeout(this.#asks);
    this.#asks = window.setTimeout(() => void this.#keepAsking(), soon ? ASK_MS : IDLE_MS);
  }
}
