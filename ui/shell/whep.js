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
  /** @type {Readonly<Record<string, Layer>>} */
  #layers;
  #extras;
  #hooks;
  /** @type {RTCPeerConnection | null} */
  #pc = null;
  /** @type {Record<'command'|'stop', RTCDataChannel> | null} */
  #lines = null;
  /** @type {RTCRtpTransceiver | null} */
  #sound = null;
  /** @type {string | null} */
  #resource = null;
  #delay_ms = FIRST_DELAY_MS;
  #round = 0;
  #stopped = false;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {string} vehicle `site/vehicle`
   * @param {Readonly<Record<string, Layer>>} layers the size of each camera; its names in the
   *   order of the offer's video sections
   * @param {boolean} extras also sound, the operator's voice and the command lines
   * @param {{onVideo: (camera: string, track: MediaStreamTrack) => void,
   *          onReceiver: (camera: string, receiver: RTCRtpReceiver) => void,
   *          onAudio?: (track: MediaStreamTrack) => void,
   *          onWord?: (text: string) => void,
   *          onState: (state: WhepState, reason: string) => void}} hooks
   *   `onReceiver`: before its first packet; `onWord`: what the vehicle says to who has
   *   control of it.
   */
  constructor(vehicle, layers, extras, hooks) {
    this.#cameras = Object.keys(layers);
    this.#path = `/whep/${vehicle}?cameras=${this.#cameras.map(encodeURIComponent).join(',')}`;
    this.#layers = layers;
    this.#extras = extras;
    this.#hooks = hooks;
  }

  start() {
    void this.#dial();
  }

  get cameras() {
    return this.#cameras;
  }

  /** Ask for other sizes, now and at every later dial. @param {Readonly<Record<string, Layer>>} layers */
  want(layers) {
    const other = differing(this.#layers, layers);
    if (Object.keys(other).length === 0) return;
    this.#layers = { ...this.#layers, ...other };
    if (this.#resource !== null) void askLayers(this.#resource, other);
  }

  /** Where the operator's voice goes; null: this session has none, or it is not connected. */
  get voice() {
    return this.#pc?.connectionState === 'connected' ? this.#sound : null;
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
      this.#sound = null;
    }
    if (this.#resource !== null) {
      release(this.#resource);
      this.#resource = null;
    }
  }

  async #dial() {
    const round = ++this.#round;
    const common = commonLayer(this.#layers);
    const current = () => round === this.#round;
    this.#hooks.onState('dialling', '');
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.#pc = pc;
    for (const camera of this.#cameras) {
      this.#hooks.onReceiver(camera, pc.addTransceiver('video', { direction: 'recvonly' }).receiver);
    }
    if (this.#extras) {
      // Both ways, so that a voice needs no new session; without a track nothing is sent.
      this.#sound = pc.addTransceiver('audio', { direction: 'sendrecv' });
      this.#lines = { command: pc.createDataChannel('command', LINE), stop: pc.createDataChannel('stop', LINE) };
      this.#lines.command.binaryType = 'arraybuffer';
      this.#lines.command.onmessage = ({ data }) => {
        if (current()) this.#hooks.onWord?.(typeof data === 'string' ? data : new TextDecoder().decode(data));
      };
    }
    for (const { receiver } of pc.getTransceivers()) lowDelay(receiver);
    pc.ontrack = ({ track, transceiver }) => {
      const camera = this.#cameras[pc.getTransceivers().indexOf(transceiver)];
      if (track.kind === 'audio') this.#hooks.onAudio?.(track);
      else if (camera !== undefined) this.#hooks.onVideo(camera, track);
    };
    pc.onconnectionstatechange = () => {
      if (current()) this.#onConnection(pc.connectionState);
    };
    try {
      await pc.setLocalDescription(await pc.createOffer());
      if (!current()) return;
      const response = await fetch(`${this.#path}&layer=${common}`, {
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
      const other = differing(Object.fromEntries(this.#cameras.map((camera) => [camera, common])), this.#layers);
      if (resource !== null && Object.keys(other).length > 0) void askLayers(resource, other);
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

/** The size that all are asked for in the offer: the small one, unless all want the same. @param {Readonly<Record<string, Layer>>} layers @returns {Layer} */
function commonLayer(layers) {
  const wanted = new Set(Object.values(layers));
  return wanted.size === 1 ? [...wanted][0] : 'low';
}

/** Those of `after` that are not as in `before`. @param {Readonly<Record<string, Layer>>} before @param {Readonly<Record<string, Layer>>} after */
function differing(before, after) {
  return Object.fromEntries(Object.entries(after).filter(([camera, layer]) => camera in before && before[camera] !== layer));
}

/**
 * Best effort: without an answer the pictures stay as they are, and the next dial asks again.
 *
 * @param {string} resource
 * @param {Record<string, Layer>} layers
 */
async function askLayers(resource, layers) {
  try {
    const response = await fetch(`${resource}/layers`, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(layers),
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
