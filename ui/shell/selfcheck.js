// @ts-check
/** What this seat can do: looked at when the screen opens, nothing is asked for or opened. */

/**
 * @typedef {{key: string, state: 'ok'|'bad'|'note', words: string}} Fact
 *   `words`: a value that needs no translation; empty: `state` says it all.
 */

/** @param {import('./console.js').Console} desk @returns {Promise<Fact[]>} */
export async function selfCheck(desk) {
  const has = (/** @type {string} */ key, /** @type {boolean} */ there, words = '') => /** @type {Fact} */ ({ key, state: there ? 'ok' : 'bad', words });
  const quality = desk.media.all().map(({ video }) => video.getVideoPlaybackQuality());
  const shown = quality.reduce((sum, { totalVideoFrames }) => sum + totalVideoFrames, 0);
  const dropped = quality.reduce((sum, { droppedVideoFrames }) => sum + droppedVideoFrames, 0);
  const clock = desk.clock.peek();
  return [
    { key: 'browser', state: 'note', words: browser() },
    { key: 'screen', state: 'note', words: `${window.innerWidth}×${window.innerHeight} @${window.devicePixelRatio}` },
    has('secure', window.isSecureContext),
    has('webrtc', 'RTCPeerConnection' in window),
    has('frames', 'requestVideoFrameCallback' in HTMLVideoElement.prototype),
    has('webgl', webgl()),
    has('webcodecs', 'VideoDecoder' in window),
    has('sound', desk.armed.peek()),
    { key: 'gamepad', state: 'getGamepads' in navigator ? 'note' : 'bad', words: pads() },
    await storage(),
    { key: 'rtt', state: clock ? 'note' : 'bad', words: clock ? `${clock.rtt_ms.toFixed(1)} ms` : '' },
    { key: 'dropped', state: 'note', words: shown === 0 ? '—' : `${dropped} / ${shown} (${((100 * dropped) / shown).toFixed(1)} %)` },
  ];
}

function browser() {
  const { userAgent } = navigator;
  const found = /(Edg|Firefox|Chrome|Version)\/([\d.]+)/.exec(userAgent);
  const name = { Edg: 'Edge', Firefox: 'Firefox', Chrome: 'Chrome', Version: 'Safari' }[found?.[1] ?? ''] ?? '';
  const system = /Windows NT|Mac OS X|Android|CrOS|Linux/.exec(userAgent)?.[0] ?? '';
  return `${name} ${found?.[2].split('.')[0] ?? ''} ${system}`.trim();
}

function webgl() {
  const gl = document.createElement('canvas').getContext('webgl2');
  gl?.getExtension('WEBGL_lose_context')?.loseContext();
  return gl !== null;
}

function pads() {
  if (!('getGamepads' in navigator)) return '';
  return String([...navigator.getGamepads()].filter((pad) => pad !== null).length);
}

/** @returns {Promise<Fact>} */
async function storage() {
  try {
    localStorage.setItem('enkan.check', '1');
    localStorage.removeItem('enkan.check');
  } catch {
    return { key: 'storage', state: 'bad', words: '' }; // Full, or forbidden: nothing is kept here.
  }
  const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.()) ?? {};
  return { key: 'storage', state: 'ok', words: quota ? `${(usage / 1e6).toFixed(1)} MB / ${(quota / 1e9).toFixed(1)} GB` : '' };
}
