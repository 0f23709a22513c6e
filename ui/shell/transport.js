// @ts-check
/**
 * The one WebSocket to the hub: opens, pings, notices silence, comes back with jitter.
 * It keeps nothing: what it hears goes to `onMessage`, and nothing is sent twice.
 */
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5_000;
const OPEN_WITHIN_MS = 5_000;
/** The hub answers a ping each second; silence for longer means that it is gone. */
const SILENCE_MS = 3_000;
const PING_MS = 1_000;
/** Never queue into a socket that does not drain: a late STOP must take the other path. */
const MAX_BUFFERED = 64 * 1024;

export class Transport {
  #url;
  #hooks;
  /** @type {WebSocket | null} */
  #socket = null;
  #delay_ms = FIRST_DELAY_MS;
  #heard_ms = 0;
  #opened = false;
  #ended = false;
  /** @type {number | undefined} */
  #retry;
  /** @type {number | undefined} */
  #pinger;
  /** @type {number | undefined} */
  #opening;

  /**
   * @param {string} url
   * @param {{onMessage: (message: any, at_ms: number) => void, onOpen: () => void,
   *          onLost: () => void, onRefused: () => void}} hooks
   *   `onLost`: was open and is not. `onRefused`: an attempt failed before it opened.
   */
  constructor(url, hooks) {
    this.#url = url;
    this.#hooks = hooks;
  }

  get open() {
    return this.#opened && this.#socket?.readyState === WebSocket.OPEN;
  }

  start() {
    this.#ended = false;
    this.#delay_ms = FIRST_DELAY_MS;
    this.#connect();
    this.#pinger = window.setInterval(() => this.#beat(), PING_MS);
  }

  stop() {
    this.#ended = true;
    window.clearInterval(this.#pinger);
    window.clearTimeout(this.#retry);
    window.clearTimeout(this.#opening);
    this.#drop();
  }

  /** Send now or say false; never later. @param {object} message @returns {boolean} */
  send(message) {
    if (!this.open || this.#socket === null || this.#socket.bufferedAmount > MAX_BUFFERED) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Start again with a fresh snapshot (a gap in the sequence). */
  resync() {
    this.#lost();
  }

  #connect() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#opening = window.setTimeout(() => this.#lost(), OPEN_WITHIN_MS);
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      window.clearTimeout(this.#opening);
      this.#opened = true;
      this.#heard_ms = performance.now();
      this.#hooks.onOpen();
      this.#ping();
    };
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      const at_ms = performance.now();
      this.#heard_ms = at_ms;
      const message = JSON.parse(event.data);
      if (message.type === 'snapshot') this.#delay_ms = FIRST_DELAY_MS;
      this.#hooks.onMessage(message, at_ms);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#opened = false;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #lost() {
    const wasOpen = this.#opened;
    window.clearTimeout(this.#opening);
    this.#drop();
    if (this.#ended) return;
    if (wasOpen) this.#hooks.onLost();
    else this.#hooks.onRefused();
    window.clearTimeout(this.#retry);
    this.#retry = window.setTimeout(() => this.#connect(), this.#delay_ms * (0.5 + Math.random() / 2));
    this.#delay_ms = Math.min(this.#delay_ms * 2, LONGEST_DELAY_MS);
  }

  #ping() {
    this.send({ type: 'clock_ping', t1_ms: performance.now() });
  }

  #beat() {
    if (!this.open) return;
    if (performance.now() - this.#heard_ms > SILENCE_MS) this.#lost();
    else this.#ping();
  }
}
