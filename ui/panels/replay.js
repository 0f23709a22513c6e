// @ts-check
/** 再生 REPLAY: what a camera saw, in a dashed frame beside the live picture, never over it. */
import { useEffect, useRef } from 'preact/hooks';
import { dashed, seconds, tenths, wallClock } from '../core/format.js';
import { agoOf } from '../core/rewind.js';
import { html } from '../view.js';
import { cameraWords } from './picture.js';

const JST_H = 9;

/** @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export function ReplayInset({ desk, vehicle }) {
  const { t, rewind } = desk;
  const host = useRef(/** @type {HTMLElement | null} */ (null));
  const replay = rewind.replay.value;
  const { canvas } = rewind;
  useEffect(() => {
    if (canvas !== null && canvas.parentElement !== host.current) host.current?.replaceChildren(canvas);
  });
  if (replay === null) return null;
  const why = rewind.why;
  const words = why !== '' ? t(`rewind.${why}`) : replay.state === 'empty' ? t('rewind.empty')
    : replay.state === 'failed' ? t('rewind.broken', { why: replay.problem }) : '';
  return html`<section class="replay" role="group" aria-label=${t('rewind.title')} data-testid="replay" data-vehicle=${dashed(replay.vehicle)} data-camera=${replay.camera}
      data-state=${words === '' ? replay.state : replay.state === 'failed' ? 'failed' : 'empty'} data-playing=${String(replay.playing)} data-rate=${replay.rate} data-shown=${String(replay.shown)}
      data-ms=${Math.round(replay.ms)} data-span-ms=${Math.round(replay.to_ms - replay.from_ms)}>
    <header><b class="replay-mark">${t('rewind.mark')}</b><span>${cameraWords(t, replay.camera)}</span>
      <button class="quiet" data-testid="replay-close" aria-label=${t('rewind.close')} title=${t('rewind.close')} onClick=${() => rewind.close()}>✕</button></header>
    <div class="replay-picture" ref=${host}></div>
    ${words !== '' ? html`<p class="replay-note">${words}</p>` : html`<${Bar} desk=${desk} vehicle=${vehicle} replay=${replay} />`}
  </section>`;
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, replay: import('../shell/rewind.js').Replay}} props */
function Bar({ desk, vehicle, replay }) {
  const { t, rewind } = desk;
  void desk.tick.value;
  const now_ms = performance.now();
  const clock = desk.clock.value;
  const ago = replay.rtp === null || replay.came_ms === null ? null
    : agoOf(desk.streamOf(vehicle, replay.camera), { rtp: replay.rtp, came_ms: replay.came_ms - performance.timeOrigin }, clock?.trusted ? clock.offset_ms : null, now_ms);
  const { welcome } = desk.state.value;
  const utc_ms = welcome === null || ago === null ? null : welcome.hub_utc_ns / 1e6 + desk.hubNow() - welcome.hub_now_ns / 1e6 - ago.ago_ms;
  const span_ms = replay.to_ms - replay.from_ms;
  const ended = !replay.playing && replay.ms >= replay.to_ms;
  return html`<p class="replay-when"><b data-testid="replay-ago" data-ms=${ago === null ? '' : Math.round(ago.ago_ms)} data-exact=${String(ago?.exact === true)}>${
      ago === null || !replay.shown ? '—' : t(ago.exact ? 'rewind.ago' : 'rewind.ago_arrival', { n: tenths(ago.ago_ms) })}</b>
      <span data-testid="replay-clock">${utc_ms === null || !replay.shown ? '--:--:--' : `${wallClock(utc_ms, JST_H)}.${Math.floor((utc_ms / 100) % 10)} JST`}</span></p>
    <input type="range" class="replay-scrub" data-testid="replay-scrub" aria-label=${t('rewind.scrub')} min=${Math.round(replay.from_ms)} max=${Math.round(replay.to_ms)} step="40" value=${Math.round(replay.ms)}
      onInput=${(/** @type {any} */ event) => rewind.seek(Number(event.target.value))} />
    <footer><button data-testid="replay-pause" onClick=${() => rewind.pause()}>${t(replay.playing ? 'rewind.pause' : ended ? 'rewind.repeat' : 'rewind.play')}</button>
      <button data-testid="replay-half" aria-pressed=${String(replay.rate !== 1)} onClick=${() => rewind.half()}>${t('rewind.half')}</button>
      <button data-testid="replay-again" onClick=${() => void rewind.open(replay.vehicle)}>${t('rewind.again')}</button>
      <small title=${t('rewind.reach_title')}>${t(replay.dropped > 0 ? 'rewind.reach_dropped' : 'rewind.reach', { span: seconds(span_ms) })}</small></footer>`;
}
