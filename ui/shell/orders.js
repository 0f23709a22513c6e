// @ts-check
/**
 * Orders on their way: stop, emergency stop, answers, equipment. Each carries an id made
 * here, whatever ways it takes, so that it has one effect; how far it has come is told to
 * the state, and never more than is known.
 */
import { importKey, sealed, stopJson } from '../core/frames.js';
import { call, newId, Unreachable } from './api.js';

/** Without progress for this long a stop also goes by REST. */
const SECOND_PATH_MS = 300;
const REST_TRIES = 3;
const ANSWER_WITHIN_MS = 5_000;
/** An emergency stop is repeated on the data channel, which repeats nothing by itself. */
const REPEAT_MS = 100;
const REPEATS = 20;

export class Orders {
  #desk;
  #send;
  /** @type {Record<string, string>} */
  #stopKeys = {};

  /** @param {import('./console.js').Console} desk @param {(message: object) => boolean} send */
  constructor(desk, send) {
    this.#desk = desk;
    this.#send = send;
  }

  /** What this account stops each vehicle with, hexadecimal. @param {Record<string, string>} keys */
  takeStopKeys(keys) {
    this.#stopKeys = keys;
  }

  /** @param {string} vehicle */
  stop(vehicle) {
    const id = newId();
    const sent = this.#send({ type: 'ask_stop', command_id: id, vehicle });
    this.#asked(id, vehicle, 'stop', sent);
    const second = () => {
      const state = this.#view(id)?.state;
      if (state === undefined || state === 'recording') void this.#byRest(id, vehicle, 'stop');
    };
    if (sent) window.setTimeout(second, SECOND_PATH_MS);
    else second();
  }

  /** By every way at once, under one id; the vehicle has one effect of them. @param {string} vehicle */
  emergencyStop(vehicle) {
    const id = newId();
    const sent = this.#send({ type: 'ask_stop', command_id: id, vehicle, emergency: true });
    this.#asked(id, vehicle, 'emergency_stop', sent);
    void this.#byRest(id, vehicle, 'emergency-stop');
    void this.#byChannel(id, vehicle);
  }

  /**
   * An order that needs control.
   * @param {string} vehicle @param {any} body as `protocols.commands`
   */
  order(vehicle, body) {
    const { age } = this.#desk.picture(vehicle);
    const picture_age_ms = age.ok ? age.age_ms : null;
    const id = newId();
    const message = body.type === 'resume'
      ? { type: 'ask_resume', command_id: id, vehicle, request_id: body.request_id, picture_age_ms }
      : { type: 'ask_command', command_id: id, vehicle, body, picture_age_ms };
    const sent = this.#send(message);
    this.#asked(id, vehicle, body.type, sent);
    if (!sent) this.#progress(id, { rest: 'failed' });
  }

  /** A person's own speed limit; null takes it back. @param {string} vehicle @param {number | null} kmh */
  limit(vehicle, kmh) {
    this.#send({ type: 'ask_limit', vehicle, kmh });
  }

  /** @param {string} id */
  #view(id) {
    return this.#desk.state.peek().commands[id];
  }

  /** @param {string} id @param {object} change */
  #progress(id, change) {
    this.#desk.dispatch({ type: 'local.asked_progress', id, change });
  }

  /** @param {string} id @param {string} vehicle @param {string} type @param {boolean} sent */
  #asked(id, vehicle, type, sent) {
    this.#desk.dispatch({
      type: 'local.asked',
      command: {
        id, vehicle, type, asked_ms: performance.now(),
        socket: sent ? 'sent' : 'closed', rest: 'idle', channel: 'idle', refused: '', timed_out: false,
      },
    });
    window.setTimeout(() => {
      if (!this.#view(id)) this.#progress(id, { timed_out: true });
    }, ANSWER_WITHIN_MS);
  }

  /** Straight to the vehicle, again until it has applied it. @param {string} id @param {string} vehicle */
  async #byChannel(id, vehicle) {
    const key = this.#stopKeys[vehicle];
    if (key === undefined || !globalThis.crypto?.subtle) {
      this.#progress(id, { channel: 'no_key' });
      return;
    }
    const { subtle } = crypto;
    const operator = this.#desk.state.peek().welcome?.account ?? '';
    const frame = await sealed(subtle, await importKey(subtle, key), stopJson({ command_id: id, operator }));
    let went = false;
    for (let n = 0; n < REPEATS; n += 1) {
      const sent = this.#desk.media.of(vehicle)?.sendStop(frame) ?? false;
      if (sent !== went || n === 0) this.#progress(id, { channel: sent || went ? 'sent' : 'closed' });
      went ||= sent;
      await new Promise((done) => window.setTimeout(done, REPEAT_MS));
      if (['applied', 'refused'].includes(this.#view(id)?.state)) return;
    }
  }

  /** Same id, so the vehicle obeys once. @param {string} id @param {string} vehicle @param {'stop'|'emergency-stop'} what */
  async #byRest(id, vehicle, what) {
    this.#progress(id, { rest: 'pending' });
    for (let attempt = 1; attempt <= REST_TRIES; attempt += 1) {
      try {
        const { status, body } = await call(`/api/vehicles/${vehicle}/${what}`, {
          method: 'POST', body: { command_id: id }, within_ms: 1_500,
        });
        if (status < 300) return this.#progress(id, { rest: 'ok' });
        if (status < 500) return this.#progress(id, { rest: 'failed', refused: body?.reason ?? `HTTP ${status}` });
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
      }
    }
    return this.#progress(id, { rest: 'failed' });
  }
}
