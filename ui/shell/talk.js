// @ts-check
/**
 * 車内通話: the operator's voice to the focused vehicle, only while a key or a button is
 * held. The microphone is opened at that moment and closed when it is let go; losing the
 * page's focus, its being hidden, or the session lets go as well.
 *
 * That sound leaves does not mean that it is heard: the hub says if it is not, and why.
 *
 * @typedef {'idle'|'asking'|'talking'|'refused'} TalkState
 * @typedef {{vehicle: string, state: TalkState, reason: string, at_ms: number}} Talking
 *   `reason`: why it is refused, or why what is said now is not heard.
 */
import { signal } from '@preact/signals';

/** A refusal stays this long after the key was let go. */
const TOLD_MS = 6_000;

export class Talk {
  /** @type {import('@preact/signals').Signal<Talking>} */
  now = signal({ vehicle: '', state: 'idle', reason: '', at_ms: 0 });
  #media;
  #held = false;
  #round = 0;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  /** @type {RTCRtpTransceiver | null} */
  #voice = null;

  /** @param {import('./media.js').MediaDesk} media */
  constructor(media) {
    this.#media = media;
  }

  start() {
    window.addEventListener('blur', this.end);
    document.addEventListener('visibilitychange', this.#onVisibility);
  }

  stop() {
    this.end();
    window.removeEventListener('blur', this.end);
    document.removeEventListener('visibilitychange', this.#onVisibility);
  }

  /** Held down. @param {string | null} vehicle */
  async begin(vehicle) {
    if (this.#held || vehicle === null) return;
    this.#held = true;
    const round = (this.#round += 1);
    const why = this.whyNot(vehicle);
    if (why !== '') return this.#set(vehicle, 'refused', why);
    this.#set(vehicle, 'asking', '');
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
    } catch (error) {
      const name = error instanceof DOMException ? error.name : '';
      if (round === this.#round) this.#set(vehicle, 'refused', name === 'NotFoundError' ? 'no_microphone' : name === 'NotReadableError' ? 'microphone_busy' : 'denied');
      return undefined;
    }
    const [track] = stream.getAudioTracks();
    const voice = this.#media.of(vehicle)?.voice ?? null;
    // Let go while the browser asked, or the session has changed meanwhile.
    if (round !== this.#round || !this.#held || voice === null || track === undefined) {
      stream.getTracks().forEach((one) => one.stop());
      if (round === this.#round && this.#held) this.#set(vehicle, 'refused', 'not_connected');
      return undefined;
    }
    this.#track = track;
    this.#voice = voice;
    track.onended = () => {
      if (this.#track === track) this.#lose('microphone_gone');
    };
    try {
      await voice.sender.replaceTrack(track);
    } catch (error) {
      console.info('talk: the voice cannot be sent', error instanceof Error ? error.name : error);
      if (this.#track === track) this.#lose('not_connected');
      return undefined;
    }
    if (this.#track === track) this.#set(vehicle, 'talking', '');
    return undefined;
  }

  /** Let go. */
  end = () => {
    this.#held = false;
    this.#round += 1;
    this.#silence();
    const { state, vehicle } = this.now.peek();
    if (state === 'asking' || state === 'talking') this.#set(vehicle, 'idle', this.now.peek().reason);
  };

  /** Why a voice cannot go to a vehicle now; '' it can. @param {string} vehicle */
  whyNot(vehicle) {
    if (!navigator.mediaDevices?.getUserMedia) return 'insecure';
    const voice = this.#media.of(vehicle)?.voice ?? null;
    if (voice === null) return 'not_connected';
    return voice.currentDirection?.startsWith('send') ? '' : 'not_offered';
  }

  /** The hub says why this voice is not heard. @param {any} refusal */
  onRefusal(refusal) {
    const { vehicle, state } = this.now.peek();
    if (refusal.ref === `talk ${vehicle}` && state === 'talking') this.#set(vehicle, 'talking', refusal.reason);
  }

  /** Is the way still the one that was taken; are old words gone? @param {number} now_ms @param {string | null} focused */
  follow(now_ms, focused) {
    const { vehicle, state, reason, at_ms } = this.now.peek();
    if (state === 'talking') {
      if (focused !== vehicle) this.#lose('other_vehicle');
      else if (this.#media.of(vehicle)?.voice !== this.#voice) this.#lose('not_connected');
      // It is repeated every two seconds while it holds.
      else if (reason !== '' && now_ms - at_ms > 3_000) this.#set(vehicle, 'talking', '');
    } else if (reason !== '' && !this.#held && now_ms - at_ms > TOLD_MS) {
      this.#set(vehicle, 'idle', '');
    }
  }

  /** @param {string} reason */
  #lose(reason) {
    this.#silence();
    this.#set(this.now.peek().vehicle, 'refused', reason);
  }

  #silence() {
    const track = this.#track;
    const voice = this.#voice;
    this.#track = this.#voice = null;
    if (track === null) return;
    track.onended = null;
    track.stop();
    voice?.sender.replaceTrack(null).catch(() => {
      console.info('talk: its session has ended with it');
    });
  }

  /** @param {string} vehicle @param {TalkState} state @param {string} reason */
  #set(vehicle, state, reason) {
    this.now.value = { vehicle, state, reason, at_ms: performance.now() };
  }

  #onVisibility = () => {
    if (document.hidden) this.end();
  };
}
