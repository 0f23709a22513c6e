// @ts-check
/** What a person says about handing a shift over, to the hub; each is sent once, never later. */

export class Handing {
  #send;

  /** @param {(message: object) => boolean} send */
  constructor(send) {
    this.#send = send;
  }

  /** @param {string} text @param {string} vehicle '' for a general note */
  write(text, vehicle) {
    return this.#send({ type: 'write_note', text, vehicle });
  }

  /** @param {string} note */
  remove(note) {
    this.#send({ type: 'remove_note', note });
  }

  /** @param {string} taking account */
  offer(taking) {
    this.#send({ type: 'offer_handover', taking });
  }

  /** @param {string} handover */
  withdraw(handover) {
    this.#send({ type: 'withdraw_handover', handover });
  }

  /** @param {string} handover @param {string} reason */
  decline(handover, reason) {
    this.#send({ type: 'decline_handover', handover, reason });
  }

  /** @param {string} handover @param {{key: string, rev: number}} item as it is shown */
  see(handover, { key, rev }) {
    this.#send({ type: 'see_handover_item', handover, item: key, rev });
  }

  /** @param {string} handover */
  accept(handover) {
    this.#send({ type: 'accept_handover', handover });
  }
}
