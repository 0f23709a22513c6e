/*
 * Runs in the page before its own programs: pictures that are drawn instead of received,
 * and time that can be held, so that a screen looks the same whenever it is photographed.
 * Everything else is the console's own.
 */
(() => {
  const realNow = performance.now.bind(performance);
  const FRAME_MS = 66;
  const DELAY_MS = 118;
  const RTP_PER_MS = 90;
  /** @type {number | null} */
  let heldAt = null;
  let skew = 0;
  let later = [];
  const studio = {
    /** Videos (`site-vehicle`) that get no frames any more, and since how many ms when time is held. */
    still: new Map(),
    /** Hub time (ms) that belongs to RTP timestamp 0. */
    epoch_ms: 0,
  };
  globalThis.studio = studio;
  performance.now = () => (heldAt === null ? realNow() + skew : heldAt);

  // ------------------------------------------------------------------ the socket waits

  const set = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage').set;
  Object.defineProperty(WebSocket.prototype, 'onmessage', {
    configurable: true,
    set(listener) {
      set.call(this, listener && ((event) => {
        if (heldAt === null) listener.call(this, event);
        else later.push(() => listener.call(this, event));
      }));
    },
  });

  // ------------------------------------------------------------------ pictures

  const FIELD = /tractor|field/;
  const paint = (context, name, phase) => {
    const { width, height } = context.canvas;
    const field = FIELD.test(name);
    const shade = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 97, 7) % 24;
    const grey = (value) => `rgb(${value - 6} ${value} ${value + 4})`;
    context.fillStyle = grey(168 - shade);
    context.fillRect(0, 0, width, height);
    const horizon = height * 0.42;
    context.fillStyle = field ? 'rgb(94 98 74)' : grey(96 + shade);
    context.fillRect(0, horizon, width, height);
    for (let at = 0; at < 9; at += 1) {
      const tall = 30 + ((at * 37 + shade * 11) % 70);
      context.fillStyle = field ? grey(112) : grey(120 + ((at * 29) % 40));
      if (!field || at % 4 === 0) context.fillRect(at * width / 9 + 4, horizon - (field ? tall / 3 : tall), width / 11, field ? tall / 3 : tall);
    }
    const vanish = width / 2 + shade * 2 - 24;
    if (field) {
      context.strokeStyle = 'rgb(74 78 58)';
      context.lineWidth = 5;
      for (let furrow = -9; furrow <= 9; furrow += 1) {
        context.beginPath();
        context.moveTo(vanish + furrow * 6, horizon);
        context.lineTo(vanish + furrow * 150 + phase * 20, height);
        context.stroke();
      }
      return;
    }
    context.fillStyle = grey(66);
    context.beginPath();
    context.moveTo(vanish - 8, horizon);
    context.lineTo(vanish + 8, horizon);
    context.lineTo(width * 0.98, height);
    context.lineTo(width * 0.02, height);
    context.fill();
    context.fillStyle = 'rgb(226 228 226)';
    for (let dash = 0; dash < 6; dash += 1) {
      const near = ((dash + phase) / 6) ** 2;
      const y = horizon + near * (height - horizon);
      context.fillRect(vanish + (width / 2 - vanish) * near - 5 * near - 1, y, 10 * near + 2, 34 * near + 2);
    }
  };

  const silence = () => new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0];
  const canvases = new WeakMap();

  class Line {
    readyState = 'open';
    bufferedAmount = 0;
    send() {}
    close() {}
    addEventListener() {}
  }

  globalThis.RTCPeerConnection = class extends EventTarget {
    connectionState = 'new';
    iceConnectionState = 'new';
    signalingState = 'stable';
    ontrack = null;
    onconnectionstatechange = null;
    #transceivers = [];
    addTransceiver(kind) {
      const of = typeof kind === 'string' ? kind : kind.kind;
      const transceiver = { kind: of, mid: String(this.#transceivers.length), receiver: { track: null, getStats: async () => new Map() }, sender: { replaceTrack: async () => {} }, direction: 'recvonly' };
      this.#transceivers.push(transceiver);
      return transceiver;
    }
    getTransceivers() { return this.#transceivers; }
    getReceivers() { return this.#transceivers.map(({ receiver }) => receiver); }
    getSenders() { return this.#transceivers.map(({ sender }) => sender); }
    createDataChannel() { return new Line(); }
    async createOffer() { return { type: 'offer', sdp: 'v=0' }; }
    async createAnswer() { return { type: 'answer', sdp: 'v=0' }; }
    async setLocalDescription(said) { this.localDescription = said; }
    async setRemoteDescription() {
      setTimeout(() => {
        if (this.connectionState === 'closed') return;
        this.connectionState = this.iceConnectionState = 'connected';
        this.onconnectionstatechange?.();
        for (const transceiver of this.#transceivers) {
          let track;
          if (transceiver.kind === 'video') {
            const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
            canvas.getContext('2d', { willReadFrequently: true }).fillRect(0, 0, 640, 360);
            track = canvas.captureStream(0).getVideoTracks()[0];
            canvases.set(track, canvas);
          } else track = silence();
          transceiver.receiver.track = track;
          this.ontrack?.({ track, transceiver, receiver: transceiver.receiver, streams: [] });
        }
      });
    }
    async getStats() { return new Map(); }
    close() { this.connectionState = 'closed'; }
  };

  const waiting = new Map();
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
    waiting.set(this, callback);
    return 1;
  };
  HTMLVideoElement.prototype.cancelVideoFrameCallback = function () { waiting.delete(this); };

  const nameOf = (video) => (video.dataset.testid ?? '').replace(/^video-/, '');
  const isStill = (video) => [...studio.still.keys()].some((name) => nameOf(video).startsWith(name));
  const give = (video, phase) => {
    const [track] = video.srcObject?.getVideoTracks() ?? [];
    const canvas = track && canvases.get(track);
    if (!canvas) return;
    paint(canvas.getContext('2d'), nameOf(video), phase);
    track.requestFrame();
    const callback = waiting.get(video);
    if (callback === undefined) return;
    waiting.delete(video);
    const now_ms = performance.now();
    const hub_ms = globalThis.enkan?.hubNow() ?? now_ms;
    const rtp = Math.round((hub_ms - studio.epoch_ms - DELAY_MS) * RTP_PER_MS) >>> 0;
    callback(now_ms, { presentationTime: now_ms - 9, expectedDisplayTime: now_ms, processingDuration: 0.005, rtpTimestamp: rtp, width: 640, height: 360, mediaTime: 0, presentedFrames: 1 });
  };
  const giveAll = (phase) => {
    for (const video of document.querySelectorAll('video')) if (!isStill(video)) give(video, phase);
  };
  let turns = 0;
  setInterval(() => {
    if (heldAt === null) giveAll((turns += 0.13) % 1);
  }, FRAME_MS);

  // ------------------------------------------------------------------ holding time

  const views = (desk) => desk.media.all().flatMap((media) => media.views());

  /** Hold time `after_ms` after the hub's `epoch_ms`. */
  studio.hold = async ({ epoch_ms, after_ms, utc_ms }) => {
    const desk = globalThis.enkan;
    const pin = (name, now) => {
      for (const key of ['value']) Object.defineProperty(desk[name], key, { configurable: true, get: now, set() {} });
      desk[name].peek = now;
    };
    heldAt = performance.now();
    if (desk) {
      pin('clock', () => ({ offset_ms: epoch_ms + after_ms - heldAt, uncertainty_ms: 1.6, rtt_ms: 3, trusted: true }));
      const state = desk.state.peek();
      if (state.welcome) desk.state.value = { ...state, welcome: { ...state.welcome, hub_utc_ns: utc_ms * 1e6, hub_now_ns: epoch_ms * 1e6 } };
    }
    heldAt += 400;
    studio.refresh();
  };
  /** Draw everything anew with the time that is held. */
  studio.refresh = () => {
    const desk = globalThis.enkan;
    giveAll(0.35);
    if (!desk) return;
    for (const media of views(desk)) {
      Object.defineProperty(media, 'same_ms', { configurable: true, get: () => null });
      const still_ms = studio.still.get(media.vehicle.replace('/', '-'));
      if (still_ms === undefined) continue;
      media.still = () => still_ms;
      media.age = () => ({ ok: true, age_ms: still_ms + DELAY_MS, uncertainty_ms: 4.6 });
    }
    // What this machine is busy with is no part of a screen.
    desk.budget.stop();
    desk.budget.value.value = { state: 'ok', ms: 12, why: [], pictures: [], stalled_ms: 0, longest_ms: 0, stalls_known: true };
    desk.tick.value = heldAt + Math.random() * 1e-6;
  };
  /** Let time go on from where it was held. */
  studio.release = () => {
    const desk = globalThis.enkan;
    if (heldAt === null) return;
    skew = heldAt - realNow();
    heldAt = null;
    if (desk) {
      delete desk.clock.value;
      delete desk.clock.peek;
      for (const media of views(desk)) for (const name of ['same_ms', 'still', 'age']) delete media[name];
    }
    const waited = later;
    later = [];
    for (const tell of waited) tell();
  };
})();
