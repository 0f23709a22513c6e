// @ts-check
/**
 * Taking control and giving it back. One wish of the operator becomes the steps ask, offer,
 * accept, and the vehicle's word; each is sent once, for that wish, and never by itself
 * after the socket or the page began anew.
 */
import { ASK_WITHIN_MS, heldVehicle, isMine, standingOf, takeBlockedBy } from '../core/control.js';

/** Where a reload finds what this tab had. */
const HELD = 'enkan.held';
export const HOLD_KEY_MS = 1_000;

export class Taking {
  #desk;
  #send;
  #accepted = '';

  /** @param {import('./console.js').Console} desk @param {(message: object) => boolean} send */
  constructor(desk, send) {
    this.#desk = desk;
    this.#send = send;
  }

  /** This page began anew: what it had before, it has not any more, and says so. */
  begin() {
    const vehicle = sessionStorage.getItem(HELD);
    sessionStorage.removeItem(HELD);
    if (vehicle === null) return;
    this.#desk.dispatch({ type: 'local.gone', gone: { vehicle, how: 'reloaded', by: '', reason: '', at_ms: performance.now() } });
  }

  /** Why control of this vehicle cannot be asked for; '' when it can. @param {string} vehicle @param {string} [preempt] */
  blockedBy(vehicle, preempt) {
    return takeBlockedBy(this.#desk.state.peek(), vehicle, this.#desk.seatArmed.peek(), preempt);
  }

  /**
   * @param {string} vehicle
   * @param {{purpose?: 'assist'|'drive', request_id?: string, preempt?: string}} [wish]
   */
  take(vehicle, { purpose = 'assist', request_id = '', preempt = '' } = {}) {
    const why = this.blockedBy(vehicle, preempt);
    const again = purpose === 'drive' && standingOf(this.#desk.state.peek(), vehicle) === 'held';
    const taking = { vehicle, purpose, request_id, preempt, at_ms: performance.now(), refused: again ? '' : why, detail: '' };
    if (taking.refused === '') {
      const sent = this.#send({ type: 'ask_control', vehicle, purpose, request_id, preempt });
      if (!sent) taking.refused = 'hub_lost';
    }
    this.#desk.dispatch({ type: 'local.taking', taking });
  }

  /** @param {string} vehicle */
  accept(vehicle) {
    this.#send({ type: 'accept_control', vehicle });
  }

  /** @param {string} vehicle @param {string} [cause] */
  giveBack(vehicle, cause = '') {
    this.#send({ type: 'give_back_control', vehicle, cause });
  }

  /** L held for a second: take what is free, give back what is held. @param {string} vehicle */
  toggle(vehicle) {
    const standing = standingOf(this.#desk.state.peek(), vehicle);
    if (['offered', 'confirming', 'held'].includes(standing)) {
      this.giveBack(vehicle, 'key');
      return;
    }
    this.#desk.dispatch({ type: 'local.intervene', vehicle });
    this.take(vehicle, { request_id: this.#requestOf(vehicle) });
  }

  /** After each change of the state. @param {number} now_ms */
  follow(now_ms) {
    const state = this.#desk.state.peek();
    const { taking } = state;
    const held = heldVehicle(state);
    if (held !== null) sessionStorage.setItem(HELD, held);
    else if (state.socket === 'open' && state.seq !== null) sessionStorage.removeItem(HELD);
    if (taking === null || taking.refused !== '') return;
    const control = state.controls[taking.vehicle] ?? null;
    if (isMine(state, control) && control.state === 'offered') {
      // One wish, one key: what was asked for here is taken when it is offered.
      const offer = `${control.vehicle} ${control.epoch} ${control.since_ns}`;
      if (this.#accepted === offer) return;
      this.#accepted = offer;
      this.accept(taking.vehicle);
    } else if (now_ms - taking.at_ms > ASK_WITHIN_MS && !isMine(state, control) && control?.state !== 'releasing') {
      this.#desk.dispatch({ type: 'local.taking', taking: { ...taking, refused: 'no_answer' } });
    }
  }

  /** @param {string} vehicle */
  #requestOf(vehicle) {
    const { requests, takeover } = this.#desk.state.peek();
    const open = takeover === null ? undefined : requests[takeover];
    return open?.vehicle === vehicle ? open.id : '';
  }
}
