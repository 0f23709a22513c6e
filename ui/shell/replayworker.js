// @ts-check
/**
 * Shows a clip of encoded frames again: decodes and draws into the canvas it was given.
 *
 * One clip at a time. A position is milliseconds from the first frame of the clip; to go
 * back, decoding begins again at the keyframe before it. Frames before the wanted position
 * are decoded and not drawn. The decoder is fed a little ahead of the picture only.
 */
import { codecOf, timeline } from '../core/ring.js';

const scope = /** @type {any} */ (globalThis);
const TELL_EVERY_MS = 100;
const AHEAD = 6;
const STEP_MS = 12;

/** @type {OffscreenCanvas | null} */
let canvas = null;
/** @type {readonly import('../core/ring.js').Kept[]} */
let frames = [];
/** @type {number[]} */
let times = [];
let start_ms = 0;
/** @type {VideoDecoder | null} */
let decoder = null;
let fed = 0;
/** Decoded, in order, not drawn yet. @type {VideoFrame[]} */
let waiting = [];
let shown = -1;
let at_ms = 0;
let rate = 1;
let playing = false;
let last_ms = 0;
let told_ms = 0;
let problem = '';

scope.onmessage = (/** @type {MessageEvent} */ { data: message }) => {
  switch (message.type) {
    case 'canvas':
      canvas = message.canvas;
      break;
    case 'play':
      frames = message.frames;
      times = timeline(frames);
      start_ms = times[message.lead] ?? 0;
      problem = '';
      rate = 1;
      playing = true;
      seek(start_ms);
      break;
    case 'seek':
      seek(Math.max(start_ms, Math.min(message.ms, times[times.length - 1] ?? 0)));
      break;
    case 'set':
      playing = message.playing;
      rate = message.rate;
      break;
    case 'stop':
      end();
      frames = [];
      times = [];
      break;
  }
  tell();
};

/** @param {number} to_ms */
function seek(to_ms) {
  end();
  at_ms = to_ms;
  shown = -1;
  if (frames.length === 0) return;
  let from = 0;
  for (let at = 0; at < frames.length && times[at] <= to_ms; at += 1) if (frames[at].key) from = at;
  const codec = codecOf(frames[from].mime, frames[from].data);
  if (codec === null) return fail(`codec ${frames[from].mime}`);
  decoder = new VideoDecoder({ output: (frame) => void waiting.push(frame), error: (error) => fail(error.message) });
  decoder.configure({ codec, optimizeForLatency: true });
  fed = from;
}

/** @param {string} reason */
function fail(reason) {
  problem = reason;
  playing = false;
  end();
  tell();
}

function end() {
  for (const frame of waiting) frame.close();
  waiting = [];
  if (decoder !== null && decoder.state !== 'closed') decoder.close();
  decoder = null;
}

function step() {
  const now_ms = performance.now();
  const passed_ms = now_ms - last_ms;
  last_ms = now_ms;
  if (decoder === null) return;
  feed();
  // Nothing is drawn of a stretch that is not decoded yet: the position waits for it.
  if (playing && shown >= 0) at_ms = Math.min(at_ms + passed_ms * rate, times[times.length - 1]);
  draw();
  if (playing && shown === frames.length - 1) {
    playing = false;
    tell();
  } else if (now_ms - told_ms > TELL_EVERY_MS) {
    tell();
  }
}

function feed() {
  if (decoder === null) return;
  while (fed < frames.length && decoder.decodeQueueSize < AHEAD && (waiting.length < AHEAD || times[fed] <= at_ms)) {
    const { key, data } = frames[fed];
    // The number of a frame serves as its timestamp, so that it is known again.
    decoder.decode(new EncodedVideoChunk({ type: key ? 'key' : 'delta', timestamp: fed, data }));
    fed += 1;
    if (fed === frames.length) decoder.flush().catch(() => {});
  }
}

/** Draw the newest frame that is due. */
function draw() {
  /** @type {VideoFrame | null} */
  let due = null;
  while (waiting.length > 0 && times[waiting[0].timestamp] <= at_ms + 1) {
    due?.close();
    due = /** @type {VideoFrame} */ (waiting.shift());
  }
  if (due === null) return;
  // While it catches up after a jump only the last one counts.
  const behind = times[Math.min(due.timestamp + 1, times.length - 1)] <= at_ms && due.timestamp < frames.length - 1;
  if (!(behind && shown < 0) && canvas !== null) {
    const height = Math.round((canvas.width * due.displayHeight) / due.displayWidth);
    if (canvas.height !== height) canvas.height = height;
    canvas.getContext('2d', { alpha: false })?.drawImage(due, 0, 0, canvas.width, canvas.height);
    shown = due.timestamp;
  }
  due.close();
}

function tell() {
  told_ms = performance.now();
  const frame = frames[Math.max(shown, 0)];
  scope.postMessage({
    type: 'at', playing, rate, problem, shown: shown >= 0,
    ms: shown >= 0 ? times[shown] : at_ms, from_ms: start_ms, to_ms: times[times.length - 1] ?? 0,
    rtp: frame?.rtp ?? null, came_ms: frame?.at_ms ?? null,
  });
}

setInterval(step, STEP_MS);
