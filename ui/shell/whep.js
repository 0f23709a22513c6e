// @ts-check
/**
 * Watching one vehicle by WHEP: one peer connection, re-dialled until stopped.
 *
 * At any time at most one connection of a session is alive: the old one is closed and
 * its resource deleted before the next is made. Delay matters more than smoothness, so
 * the jitter buffer is asked for as little as possible, and sound gets a media stream
 * of its own, whatever the hub answers: a browser delays pictures to match sound of the
 * *same* stream.
 *
 * @typedef {'dialling'|'connected'|'waiting'|'stopped'} WhepState
 * @typedef {'low'|'high'|'auto'} Layer which size of a picture; where there is only one, it is that
 */
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 4_000;
const ANSWER_WITHIN_MS = 8_000;
const CONNECT_WITHIN_MS = 8_000;
const DISCONNECTED_GRACE_MS = 1_000;
/** A line that does not drain: what is said now would arrive as news of the past. */
const MAX_BUFFERED = 8 * 1024;
/** Unordered, never repeated: the newest frame is the only one that counts. */
const LINE = { ordered: false, maxRetransmits: 0 };

export class WhepSession {
  #path;
  #cameras;
  #layer;
  #hooks;
  /** @type {RTCPeerConnection | null} */
  #pc = null;
  /** @type {Record<'command'|'stop', RTCDataChannel> | null} */
  #lines = null;
  /** @type {string | null} */
  #resource = null;
  #delay_ms = FIRST_DELAY_MS;
  #round = 0;
  #stopped = false;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {string} vehicle `site/vehicle`
   * @param {readonly string[]} cameras names, in the order of the offer's video sections
   * @param {Layer} layer
   * @param {{onVideo: (camera: string, track: MediaStreamTrack) => void,
   *          onAudio: (track: MediaStreamTrack) => void,
   *          onWord: (text: string) => void,
   *          onState: (state: WhepState, reason: string) => void}} hooks
   *   `onWord`: what the vehicle says to who has control of it.
   */
  constructor(vehicle, cameras, layer, hooks) {
    this.#path = `/whep/${vehicle}?cameras=${cameras.map(encodeURIComponent).join(',')}`;
    this.#cameras = cameras;
    this.#layer = layer;
    this.#hooks = hooks;
  }

  start() {
    void this.#dial();
  }

  /** Ask for another size, now and at every later dial. @param {Layer} layer */
  want(layer) {
    if (layer === this.#layer) return;
    this.#layer = layer;
    if (this.#resource !== null) void askLayer(this.#resource, this.#cameras, layer);
  }

  /** Close for good. */
  stop() {
    this.#stopped = true;
    this.#hangUp();
    this.#hooks.onState('stopped', '');
  }

  /** Close and dial again soon. @param {string} reason */
  redial(reason) {
    if (this.#stopped) return;
    this.#hangUp();
    this.#hooks.onState('waiting', reason);
    this.#timer = window.setTimeout(() => void this.#dial(), this.#delay_ms * (0.5 + Math.random() / 2));
    this.#delay_ms = Math.min(this.#delay_ms * 2, LONGEST_DELAY_MS);
  }

  /** @param {'command'|'stop'} label */
  isOpen(label) {
    return this.#lines?.[label].readyState === 'open';
  }

  /** Send one frame straight to the vehicle, now or not at all. @param {'command'|'stop'} label @param {Uint8Array<ArrayBuffer>} frame @returns {boolean} */
  send(label, frame) {
    const line = this.#lines?.[label];
    if (line?.readyState !== 'open' || line.bufferedAmount > MAX_BUFFERED) return false;
    line.send(frame);
    return true;
  }

  /** What was negotiated, for tests and the delay budget; null while not connected. */
  get connection() {
    return this.#pc;
  }

  #hangUp() {
    this.#round += 1;
    window.clearTimeout(this.#timer);
    if (this.#pc !== null) {
      this.#pc.ontrack = this.#pc.onconnectionstatechange = null;
      this.#pc.close();
      this.#pc = null;
      this.#lines = null;
    }
    if (this.#resource !== null) {
      release(this.#resource);
      this.#resource = null;
    }
  }

  async #dial() {
    const round = ++this.#round;
    const layer = this.#layer;
    const current = () => round === this.#round;
    this.#hooks.onState('dialling', '');
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.#pc = pc;
    for (const _ of this.#cameras) pc.addTransceiver('video', { direction: 'recvonly' });
    pc.addTransceiver('audio', { direction: 'recvonly' });
    this.#lines = { command: pc.createDataChannel('command', LINE), stop: pc.createDataChannel('stop', LINE) };
    this.#lines.command.binaryType = 'arraybuffer';
    this.#lines.command.onmessage = ({ data }) => {
      if (current()) this.#hooks.onWord(typeof data === 'string' ? data : new TextDecoder().decode(data));
    };
    for (const { receiver } of pc.getTransceivers()) lowDelay(receiver);
    pc.ontrack = ({ track, transceiver }) => {
      const camera = this.#cameras[pc.getTransceivers().indexOf(transceiver)];
      if (track.kind === 'audio') this.#hooks.onAudio(track);
      else if (camera !== undefined) this.#hooks.onVideo(camera, track);
    };
    pc.onconnectionstatechange = () => {
      if (current()) this.#onConnection(pc.connectionState);
    };
    try {
      await pc.setLocalDescription(await pc.createOffer());
      if (!current()) return;
      const response = await fetch(`${this.#path}&layer=${layer}`, {
        method: 'POST',
        credentials: 'same-origin',
        headers: { 'content-type': 'application/sdp' },
        body: pc.localDescription?.sdp ?? '',
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      const location = response.headers.get('location');
      const resource = location === null ? null : new URL(location, response.url).href;
      if (!current()) {
        // Overtaken while waiting: what the hub made for us must not stay behind.
        if (resource !== null) release(resource);
        return;
      }
      if (response.status !== 201) {
        this.redial(await reasonOf(response));
        return;
      }
      this.#resource = resource;
      if (resource !== null && layer !== this.#layer) void askLayer(resource, this.#cameras, this.#layer);
      await pc.setRemoteDescription({ type: 'answer', sdp: ownStreamForSound(await response.text()) });
      if (current()) this.#expectConnection();
    } catch (error) {
      // fetch: network or time; setRemoteDescription: an answer we cannot use. The tile says so.
      if (current()) this.redial(error instanceof TypeError ? 'unreachable' : errorName(error));
    }
  }

  #expectConnection() {
    if (this.#pc?.connectionState === 'connected') return;
    this.#timer = window.setTimeout(() => this.redial('timeout'), CONNECT_WITHIN_MS);
  }

  /** @param {RTCPeerConnectionState} state */
  #onConnection(state) {
    window.clearTimeout(this.#timer);
    if (state === 'connected') {
      this.#delay_ms = FIRST_DELAY_MS;
      this.#hooks.onState('connected', '');
    } else if (state === 'failed' || state === 'closed') {
      this.redial(state);
    } else if (state === 'disconnected') {
      this.#timer = window.setTimeout(() => this.redial('disconnected'), DISCONNECTED_GRACE_MS);
    } else {
      this.#expectConnection();
    }
  }
}

/**
 * Best effort: without an answer the picture stays as it is, and the next dial asks again.
 *
 * @param {string} resource
 * @param {readonly string[]} cameras
 * @param {Layer} layer
 */
async function askLayer(resource, cameras, layer) {
  try {
    const response = await fetch(`${resource}/layers`, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(Object.fromEntries(cameras.map((camera) => [camera, layer]))),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (!response.ok) console.info('whep: the size stays as it is', await reasonOf(response));
  } catch (error) {
    console.info('whep: the size stays as it is', errorName(error));
  }
}

/** @param {RTCRtpReceiver} receiver */
function lowDelay(receiver) {
  const any = /** @type {any} */ (receiver);
  if ('jitterBufferTarget' in any) any.jitterBufferTarget = 0;
  if ('playoutDelayHint' in any) any.playoutDelayHint = 0;
}

/** Best effort while leaving: the hub also notices by itself. @param {string} resource */
function release(resource) {
  fetch(resource, { method: 'DELETE', credentials: 'same-origin', keepalive: true }).catch(() => {
    console.info('whep: the hub was not told that a session ended; it will notice by itself');
  });
}

/** @param {Response} response */
async function reasonOf(response) {
  try {
    return (await response.json()).reason ?? `http_${response.status}`;
  } catch {
    return `http_${response.status}`;
  }
}

/** @param {unknown} error */
function errorName(error) {
  return error instanceof Error || error instanceof DOMException ? error.name : 'error';
}

/**
 * Give the audio section of an answer its own media stream id (RFC 8830).
 *
 * @param {string} sdp
 */
export function ownStreamForSound(sdp) {
  const [head, ...sections] = sdp.split(/^(?=m=)/m);
  return [
    head,
    ...sections.map((section) =>
      section.startsWith('m=audio')
        ? section.replace(/^(a=msid:|a=ssrc:\d+ msid:)(\S+)/gm, '$1$2-sound')
        : section,
    ),
  ].join('');
}
