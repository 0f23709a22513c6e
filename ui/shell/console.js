// @ts-check
/**
 * The console as one object: owns the socket, the clock, pictures, sounds and the
 * state, and is the only place where panels' wishes become messages.
 *
 * Rendering: hub messages are collected and reduced once per animation frame; in a
 * hidden tab, where frames stop, at once, so that alarms still sound.
 */
import { batch, computed, signal } from '@preact/signals';
import { addExchange, emptyClock, estimate } from '../core/clock.js';
import { controlOf, heldVehicle } from '../core/control.js';
import { inLanguage } from '../core/format.js';
import { ownAccepted } from '../core/handover.js';
import { label } from '../core/labels.js';
import { shiftHolds, whyNotArmed } from '../core/seat.js';
import { endingOf } from '../core/session.js';
import { audible, openRequests, alarmLine, watched } from '../core/select.js';
import { nextSound, quiet, silence } from '../core/sounds.js';
import { cameraNames, initialState, reduce, requestKey } from '../core/store.js';
import { call, Unreachable } from './api.js';
import { AlarmAudio } from './audio.js';
import { Driving } from './driving.js';
import { EquipmentDesk } from './equipment.js';
import { HistoryDesk } from './histories.js';
import { Handing } from './handing.js';
import { MediaDesk } from './media.js';
import { Orders } from './orders.js';
import { Presentation } from './presentation.js';
import { Rehearsal } from './rehearsal.js';
import { Rewind } from './rewind.js';
import { SeatWatch } from './seat.js';
import { SeatBudget } from './seatbudget.js';
import { Talk } from './talk.js';
import { Taking } from './taking.js';
import { Transport } from './transport.js';
import { WakeLock } from './wakelock.js';

const SHIFT = 'enkan.shift';
const SOUNDS = /** @type {const} */ (['p1', 'p2', 'p3', 'hub_lost']);

export class Console {
  state = signal(initialState());
  /** @type {import('@preact/signals').Signal<'ja'|'en'>} */
  language = signal(stored('enkan.language', ['ja', 'en'], 'ja'));
  /** @type {import('@preact/signals').Signal<'day'|'dusk'|'night'>} */
  palette = signal(stored('enkan.palette', ['night', 'dusk', 'day'], 'night'));
  /** @type {import('@preact/signals').Signal<import('../core/clock.js').Estimate | null>} */
  clock = signal(null);
  /** Browser clock, four times a second: what shows an age reads it. */
  tick = signal(performance.now());
  armed = signal(false);
  soundHeld = signal(false);
  /** @type {import('@preact/signals').Signal<readonly string[]>} */
  heard = signal([]);
  silent_until_ms = signal(0);
  visible = signal(!document.hidden);
  hidden_for_ms = signal(0);
  help = signal(false);
  shiftCheck = signal(false);
  /** The check of this shift as it was kept. @type {import('@preact/signals').Signal<import('../core/seat.js').ShiftRecord | null>} */
  shift = signal(null);
  /** How long L has been held, 0 to 1. */
  holding = signal(0);
  /** The path that is being drawn. @type {import('@preact/signals').Signal<{vehicle: string, points: import('../core/path.js').Path} | null>} */
  path = signal(null);
  media = new MediaDesk((vehicle, text) => this.#onWord(vehicle, text));
  equipment = new EquipmentDesk();
  rewind = new Rewind(this.media);
  talk = new Talk(this.media);
  histories = new HistoryDesk(this);
  budget = new SeatBudget(this.media);
  awake = new WakeLock();
  seat = new SeatWatch((message) => this.#tellSeat(message), (lost) => this.#onLostSeat(lost));
  orders = new Orders(this, (message) => this.#transport.send(message));
  #presentation = new Presentation(this, (message) => this.#transport.send(message));
  taking = new Taking(this, (message) => this.#transport.send(message));
  rehearsal = new Rehearsal(this);
  driving = new Driving(this, (message) => this.#transport.send(message));
  handing = new Handing((message) => this.#transport.send(message));
  /** Why this seat cannot act now, in the order in which to mend it; empty: it is armed. */
  seatWhy = computed(() => {
    const { welcome, seats } = this.state.value;
    const mine = seats.find((one) => one.seat === welcome?.seat);
    return whyNotArmed(this.seat.facts.value, mine?.why_not ?? null);
  });
  /** The vehicle on which keys act. */
  focused = computed(() => this.state.value.focused);
  seatArmed = computed(() => this.seatWhy.value.length === 0);
  /** Parts of the state for what is on screen hundreds of times: it is drawn again only for them. */
  socket = computed(() => this.state.value.socket);
  role = computed(() => this.state.value.welcome?.role);
  over = computed(() => this.state.value.ended !== null);
  controls = computed(() => this.state.value.controls);
  requests = computed(() => this.state.value.requests);

  #clock = emptyClock();
  #sounding = quiet();
  #audio = new AlarmAudio(() => this.#arm());
  /** @type {any[]} */
  #inbox = [];
  #scheduled = false;
  #hidden_since_ms = 0;
  #transport;
  #signedOut;
  /** @type {number[]} */
  #timers = [];

  /** @param {() => void} signedOut the session has ended */
  constructor(signedOut) {
    this.#signedOut = signedOut;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    this.#transport = new Transport(`${scheme}://${location.host}/ws`, {
      onMessage: (message, at_ms) => this.#onMessage(message, at_ms),
      onOpen: () => this.#onOpen(),
      onLost: () => this.#onSocketLost(),
      onRefused: () => void this.#checkSession(),
    });
  }

  start() {
    this.taking.begin();
    this.#transport.start();
    this.seat.start();
    this.driving.start();
    this.talk.start();
    this.budget.start();
    this.#timers = [
      window.setInterval(() => this.#onTick(), 250),
      window.setInterval(() => this.#presentation.report(), 1_000),
      window.setInterval(() => this.histories.sample(), 1_000),
    ];
    document.addEventListener('visibilitychange', this.#onVisibility);
  }

  stop() {
    this.#timers.forEach((timer) => window.clearInterval(timer));
    document.removeEventListener('visibilitychange', this.#onVisibility);
    this.driving.stop();
    this.rehearsal.stop();
    this.talk.stop();
    this.rewind.close();
    this.budget.stop();
    this.awake.stop();
    this.seat.stop();
    this.#transport.stop();
    this.media.close();
    this.#audio.hush();
  }

  // ---------------------------------------------------------------- reading

  /** @param {string} key @param {Record<string, string|number>} [values] @param {string} [fallback] */
  t = (key, values, fallback) => label(this.language.value, key, values, fallback);

  /** Words of a vehicle in the present language. @param {string} text */
  say(text) {
    return inLanguage(text, this.language.value);
  }

  /** The name of a vehicle, its id if the hub does not know it (any more). @param {string} id */
  nameOf(id) {
    const vehicle = this.state.value.vehicles[id];
    return vehicle ? this.say(vehicle.name) : id;
  }

  /** The hub's clock now, in ms: by exchanges, else by the last message (late by its way here). */
  hubNow() {
    const now_ms = performance.now();
    const clock = this.clock.peek();
    if (clock !== null) return now_ms + clock.offset_ms;
    const { hub_now_ns, hub_now_at_ms } = this.state.peek();
    return hub_now_ns / 1e6 + (now_ms - hub_now_at_ms);
  }

  /** Time since a hub timestamp; null for null. @param {number | null | undefined} at_ns */
  since(at_ns) {
    return at_ns == null ? null : Math.max(0, this.hubNow() - at_ns / 1e6);
  }

  /** What this seat sees of a vehicle now. @param {string} vehicle */
  picture(vehicle) {
    const now_ms = performance.now();
    const media = this.media.of(vehicle);
    const view = this.state.peek().vehicles[vehicle];
    if (!media || !view) {
      return { visible: false, still_ms: Infinity, age: /** @type {const} */ ({ ok: false, reason: 'no_picture' }) };
    }
    return {
      visible: media.large.hasPicture && media.large.shown,
      still_ms: media.large.still(now_ms),
      age: media.large.age(this.streamOf(view, media.camera), this.clock.peek(), now_ms),
    };
  }

  /** @param {any} view @param {string} camera */
  streamOf(view, camera) {
    return view.streams.find((/** @type {any} */ stream) => stream.name === camera);
  }

  // ---------------------------------------------------------------- acting

  /** @param {object} message */
  dispatch(message) {
    const before = this.state.peek().intervene;
    this.state.value = reduce(this.state.peek(), message);
    this.#followMedia();
    const { intervene } = this.state.peek();
    if (intervene !== before) this.#orient(intervene);
  }

  /** A take-over begins with what led to it; with its end that is over. @param {string | null} vehicle */
  #orient(vehicle) {
    if (this.rewind.replay.peek() !== null) this.rewind.close();
    if (vehicle !== null) void this.rewind.open(vehicle, true);
  }

  /** Only where its tile or the take-over is on the screen: a replay stands beside the live picture. */
  rewindFocused() {
    const { focused, intervene, screen } = this.state.peek();
    if (focused !== null && (intervene === focused || (intervene === null && screen === 'watch'))) void this.rewind.open(focused);
  }

  /** How loud the focused vehicle is heard. @param {number} volume 0 to 1 */
  setVolume(volume) {
    this.media.volume.value = volume;
    this.#followSound();
  }

  /** @param {string | null} vehicle */
  stopVehicle(vehicle) {
    if (vehicle === null || !this.state.peek().vehicles[vehicle]) return;
    this.driving.letGo();
    this.orders.stop(vehicle);
  }

  /** @param {string | null} vehicle */
  emergencyStop(vehicle) {
    if (vehicle === null || !this.state.peek().vehicles[vehicle]) return;
    this.driving.letGo();
    this.orders.emergencyStop(vehicle);
  }

  /** @param {string} alarmId */
  acknowledge(alarmId) {
    this.#transport.send({ type: 'acknowledge_alarm', alarm_id: alarmId });
  }

  /** @param {string} key @param {string} vehicle @param {number} ago_s how long ago the event was */
  startDuty(key, vehicle, ago_s) {
    this.#transport.send({ type: 'start_duty', key, vehicle, ago_s });
  }

  /** @param {string} duty @param {string} step @param {string} state @param {string} note */
  markDuty(duty, step, state, note) {
    this.#transport.send({ type: 'mark_duty_step', duty, step, state, note });
  }

  /** @param {string} duty @param {string} reason */
  abandonDuty(duty, reason) {
    this.#transport.send({ type: 'abandon_duty', duty, reason });
  }

  /** Put an alarm aside. @param {string} alarmId @param {string} reason @param {number} for_s */
  shelve(alarmId, reason, for_s) {
    this.#transport.send({ type: 'shelve_alarm', alarm_id: alarmId, reason, for_s });
  }

  /** @param {string} alarmId */
  unshelve(alarmId) {
    this.#transport.send({ type: 'unshelve_alarm', alarm_id: alarmId });
  }

  /** @param {string} alarmId @param {boolean} in_service @param {string} reason */
  setAlarmService(alarmId, in_service, reason) {
    this.#transport.send({ type: 'set_alarm_service', alarm_id: alarmId, in_service, reason });
  }

  acknowledgeTop() {
    const [top] = alarmLine(this.state.peek());
    if (top) this.acknowledge(top.id);
  }

  silence() {
    this.#sounding = silence(this.#sounding, performance.now());
    this.silent_until_ms.value = this.#sounding.silent_until_ms;
    this.#audio.hush();
  }

  /** @param {string} vehicle */
  focus(vehicle) {
    this.dispatch({ type: 'local.focus', vehicle });
  }

  /** @param {number} number 1 to 9 */
  focusTile(number) {
    const vehicle = watched(this.state.peek())[number - 1];
    if (vehicle) this.focus(vehicle);
  }

  openTopCard() {
    const state = this.state.peek();
    const cards = openRequests(state);
    const card = cards.find(({ vehicle }) => vehicle === state.focused) ?? cards[0];
    if (card) this.openCard(card);
    else if (state.focused !== null) this.dispatch({ type: 'local.intervene', vehicle: state.focused });
  }

  /** One key: the take-over screen opens, and control is asked for and taken. @param {any} request */
  openCard(request) {
    this.dispatch({ type: 'local.takeover', key: requestKey(request) });
    const known = this.state.peek().vehicles[request.vehicle]?.commands.includes('take_control');
    if (known && this.taking.blockedBy(request.vehicle) === '') this.taking.take(request.vehicle, { request_id: request.id });
  }

  nextRequest() {
    const state = this.state.peek();
    const cards = openRequests(state);
    if (cards.length === 0) return;
    const at = cards.findIndex(({ vehicle }) => vehicle === state.focused);
    const next = cards[(at + 1) % cards.length];
    if (state.takeover) this.openCard(next);
    else this.focus(next.vehicle);
  }

  nextCamera() {
    const { focused, vehicles } = this.state.peek();
    if (focused !== null && vehicles[focused]) this.media.chooseNext(focused, cameraNames(vehicles[focused]));
  }

  toggleLanguage() {
    this.language.value = this.language.peek() === 'ja' ? 'en' : 'ja';
    localStorage.setItem('enkan.language', this.language.peek());
  }

  nextPalette() {
    const order = /** @type {const} */ (['night', 'dusk', 'day']);
    this.palette.value = order[(order.indexOf(this.palette.peek()) + 1) % order.length];
    localStorage.setItem('enkan.palette', this.palette.peek());
  }

  /** @param {typeof SOUNDS[number]} name */
  async playTest(name) {
    await this.#audio.open();
    this.#audio.play(name);
  }

  /** The operator says that a sound was heard. @param {string} name */
  confirmHeard(name) {
    this.heard.value = [...this.heard.peek().filter((one) => one !== name), name];
    this.#arm();
  }

  /** The start-of-shift check is done: kept with what was found. @param {Omit<import('../core/seat.js').ShiftRecord, 'account'|'at_utc_ms'|'sounds'>} found */
  finishShift(found) {
    const account = this.state.peek().welcome?.account ?? '';
    const sounds = SOUNDS.every((name) => this.heard.peek().includes(name));
    this.shift.value = { account, at_utc_ms: Date.now(), sounds, handed: ownAccepted(this.state.peek()), ...found };
    localStorage.setItem(SHIFT, JSON.stringify(this.shift.peek()));
    this.#arm();
  }

  /** A shift that was handed over is over here too: the next one begins with its own check. */
  #endHandedOver() {
    const handed = this.shift.peek()?.handed ?? [];
    if (this.shift.peek() === null || ownAccepted(this.state.peek()).every((id) => handed.includes(id))) return;
    this.shift.value = null;
    this.heard.value = [];
    localStorage.removeItem(SHIFT);
    this.#arm();
    this.seat.report();
  }

  /** The shift's check as it was kept, if it still counts for who is signed in. */
  #keptShift() {
    const account = this.state.peek().welcome?.account ?? '';
    try {
      const record = JSON.parse(localStorage.getItem(SHIFT) ?? 'null');
      return shiftHolds(record, account, Date.now()) ? record : null;
    } catch {
      return null; // Damaged: as if it had never been done.
    }
  }

  async signOut() {
    try {
      await call('/api/session', { method: 'DELETE' });
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
    this.#signedOut();
  }

  // ---------------------------------------------------------------- inside

  #arm() {
    // After a reload within the same shift one sound is enough to prove that they come out.
    const needed = this.shift.peek() === null ? SOUNDS : SOUNDS.slice(0, 1);
    const all = needed.every((name) => this.heard.peek().includes(name));
    this.armed.value = all && this.#audio.running;
    this.seat.know({ sound: this.armed.peek(), ready: this.shift.peek() !== null });
    if (this.armed.peek() && this.shift.peek() !== null) this.awake.want();
    this.soundHeld.value = this.heard.peek().length > 0 && !this.#audio.running;
    this.#followSound();
  }

  #onOpen() {
    // Another hub, or a restarted host: old exchanges say nothing about its clock.
    this.#clock = emptyClock();
    this.clock.value = null;
    this.#inbox = [];
    this.#socketState('open');
  }

  /** The seat is bound to its socket; control and its key are gone with it. */
  #onSocketLost() {
    this.driving.forgetKey();
    this.#socketState('lost');
  }

  /** @param {object} message a seat report */
  #tellSeat(message) {
    if (this.state.peek().welcome?.seat) this.#transport.send(message);
  }

  /** @param {import('../core/seat.js').Lost} _lost the hub is told by the report that follows */
  #onLostSeat(_lost) {
    this.driving.letGo();
    this.holding.value = 0;
    const held = heldVehicle(this.state.peek());
    if (held !== null && controlOf(this.state.peek(), held)?.purpose === 'drive') this.taking.giveBack(held, 'seat_lost');
  }

  /** A vehicle says how far our frames have come. @param {string} vehicle @param {string} text */
  #onWord(vehicle, text) {
    try {
      const word = JSON.parse(text);
      if (word?.type === 'drive_echo' || Number.isInteger(word?.seq)) this.driving.onEcho(vehicle, word);
    } catch {
      console.info('a vehicle said something that is no message');
    }
  }

  /** @param {'open'|'lost'|'connecting'} socket */
  #socketState(socket) {
    this.dispatch({ type: 'local.socket', state: socket, at_ms: performance.now() });
  }

  /** An attempt failed: is it the network, or has the session ended? */
  async #checkSession() {
    try {
      if ((await call('/api/session')).status !== 401) return;
      if (this.state.peek().was_open) this.#ended('gone');
      else this.#signedOut();
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
  }

  /** The sign-in is over, not by its person's wish: the page stays, and says what it cannot do. @param {import('../core/session.js').Ending} how */
  #ended(how) {
    this.#transport.stop();
    this.driving.forgetKey();
    this.dispatch({ type: 'local.ended', how, at_ms: performance.now() });
  }

  /** Signed in again, on the same screen; nothing is armed or taken by that. */
  beginAgain() {
    this.#transport.start();
  }

  /** @param {any} message @param {number} at_ms */
  #onMessage(message, at_ms) {
    if (message.type === 'clock_pong') {
      this.#clock = addExchange(this.#clock, message.t1_ms, message.received_ns, message.sent_ns, at_ms);
      if (this.clock.peek() === null) this.clock.value = estimate(this.#clock, at_ms);
      return;
    }
    if (message.type === 'goodbye') {
      const how = endingOf(message.reason);
      if (message.reason === 'signed_out') this.#signedOut();
      else if (how !== null) this.#ended(how);
      else this.state.value = reduce(this.state.peek(), message);
      return;
    }
    if (message.type === 'refusal') this.talk.onRefusal(message);
    if (message.type === 'stop_keys') return this.orders.takeStopKeys(message.keys);
    if (message.type === 'drive_key') return void this.driving.takeKey(message);
    message.at_ms = at_ms;
    this.#inbox.push(message);
    if (document.hidden) {
      this.#flush();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      requestAnimationFrame(() => this.#flush());
    }
  }

  #flush() {
    this.#scheduled = false;
    const messages = this.#inbox;
    this.#inbox = [];
    if (messages.length === 0) return;
    const state = messages.reduce(reduce, this.state.peek());
    this.state.value = state;
    if (state.needs_resync) this.#transport.resync();
    if (messages.some(({ type }) => type === 'welcome')) this.#welcomed();
    this.#endHandedOver();
    this.taking.follow(performance.now());
    this.#followMedia();
    this.#sound();
  }

  #welcomed() {
    this.shift.value = this.#keptShift();
    this.#arm();
    this.seat.report();
    void this.rehearsal.find(this.state.peek().welcome);
  }

  #followMedia() {
    const state = this.state.peek();
    this.media.follow(state.ended === null ? watched(state) : [], state.vehicles, state.focused);
    this.#followSound();
  }

  #followSound() {
    this.media.hear(this.armed.peek() ? this.state.peek().focused : null);
  }

  #onTick() {
    const now_ms = performance.now();
    if (document.hidden && this.#inbox.length > 0) this.#flush();
    batch(() => {
      this.tick.value = now_ms;
      this.clock.value = estimate(this.#clock, now_ms);
      this.state.value = reduce(this.state.peek(), { type: 'local.expire', now_ms });
    });
    this.#sound();
    this.taking.follow(now_ms);
    this.talk.follow(now_ms, this.state.peek().focused);
    this.#presentation.look(now_ms);
  }

  #sound() {
    const state = this.state.peek();
    const lost = state.was_open && state.socket !== 'open';
    const { sounding, start } = nextSound(this.#sounding, audible(state), lost, performance.now());
    this.#sounding = sounding;
    this.silent_until_ms.value = sounding.silent_until_ms;
    if (start !== null && this.armed.peek()) this.#audio.play(start);
  }

  #onVisibility = () => {
    this.visible.value = !document.hidden;
    if (document.hidden) {
      this.#hidden_since_ms = performance.now();
    } else {
      this.hidden_for_ms.value = performance.now() - this.#hidden_since_ms;
      this.media.all().forEach((media) => media.resume());
      this.#flush();
      window.setTimeout(() => (this.hidden_for_ms.value = 0), 10_000);
    }
  };
}

/** @template {string} T @param {string} key @param {readonly T[]} allowed @param {T} otherwise @returns {T} */
function stored(key, allowed, otherwise) {
  const value = /** @type {T} */ (localStorage.getItem(key));
  return allowed.includes(value) ? value : otherwise;
}
