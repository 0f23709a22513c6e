// @ts-check
/** One vehicle: picture, speed with its limit, mode, next stop, link, command, STOP. */
import { dashed, kmh, seconds } from '../core/format.js';
import { requestPriority } from '../core/select.js';
import { ending } from '../core/store.js';
import { limitSetBy } from '../core/supervision.js';
import { html } from '../view.js';
import { isMine } from '../core/control.js';
import { StopButton } from './alarmline.js';
import { Cameras } from './cameras.js';
import { SHAPES } from './chip.js';
import { HistoryButton } from './history.js';
import { CommandProgress } from './command.js';
import { Holder } from './control.js';
import { SupervisionLine } from './supervision.js';

/** Telemetry older than this is no present value (objective: 1 s). */
export const STALE_MS = 1_000;

/** @type {any} @param {{desk: import('../shell/console.js').Console, vehicle: any, number: any, focused: any}} props */
export const Tile = ({ desk, vehicle, number, focused }) => {
  const id = dashed(vehicle.id);
  const state = desk.state.value;
  const held = isMine(state, state.controls[vehicle.id] ?? null);
  return html`<article class=${`tile ${focused ? 'focused' : ''} ${held ? 'held' : ''}`} data-testid=${`tile-${id}`} data-focused=${String(focused)}
      data-link=${vehicle.link} onPointerDown=${() => desk.focus(vehicle.id)}>
    <header class="tile-head">
      ${number <= 9 && html`<span class="digit">${number}</span>`}<strong>${desk.say(vehicle.name)}</strong><${Asks} desk=${desk} vehicle=${vehicle} /><small class="id">${vehicle.id}</small>
      <${Holder} desk=${desk} vehicle=${vehicle.id} /><${Mode} desk=${desk} vehicle=${vehicle} /><${Link} desk=${desk} vehicle=${vehicle} />
      <${HistoryButton} desk=${desk} vehicle=${vehicle} />
    </header>
    <${Cameras} desk=${desk} vehicle=${vehicle} />
    <footer class="tile-foot">
      <${Speed} desk=${desk} vehicle=${vehicle} />
      <div class="tile-task"><${Task} desk=${desk} vehicle=${vehicle} />
        <div class="supervision"><${SupervisionLine} desk=${desk} vehicle=${vehicle} /></div>
        <${CommandProgress} desk=${desk} vehicle=${vehicle.id} /></div>
      <${StopButton} desk=${desk} vehicle=${vehicle.id} />
    </footer>
  </article>`;
};

/** It needs a person: said on its own tile too, so that nobody has to match names. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export function Asks({ desk, vehicle }) {
  const request = Object.values(desk.requests.value).find((one) => one.vehicle === vehicle.id && ending(one) === '');
  if (!request) return null;
  const priority = requestPriority(desk.state.peek(), request);
  return html`<span class=${`mark p${priority}`} data-testid=${`asks-${dashed(vehicle.id)}`}>${SHAPES[priority]}${priority} ${desk.t('tile.asks')}</span>`;
}

/** The hub is gone, or the vehicle has been silent: what is shown is no present value. @param {import('../shell/console.js').Console} desk @param {any} vehicle */
export function unknownNow(desk, vehicle) {
  return desk.socket.value !== 'open' || !['online', 'degraded'].includes(vehicle.link);
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export function Mode({ desk, vehicle }) {
  const { t } = desk;
  const unknown = unknownNow(desk, vehicle) || vehicle.mode === null;
  const mrm = vehicle.mrm && vehicle.mrm !== 'NORMAL' ? vehicle.mrm : null;
  const odd = vehicle.odd && vehicle.odd !== 'INSIDE' ? vehicle.odd : null;
  return html`<span class="modes">
    <span class=${`mode ${unknown ? 'unknown' : ''}`} data-testid=${`mode-${dashed(vehicle.id)}`} data-mode=${unknown ? '' : vehicle.mode}>${
      unknown ? t('mode.unknown') : t(`mode.${vehicle.mode}`)}</span>
    ${!unknown && mrm && html`<span class=${`mark ${mrm === 'MRM_FAILED' ? 'p1' : 'p2'}`} data-testid=${`mrm-${dashed(vehicle.id)}`}>${mrm === 'MRM_FAILED' ? '◆1' : '▲2'} ${t(`mrm.${mrm}`)}</span>`}
    ${!unknown && odd && html`<span class="mark p2">▲2 ${t(`odd.${odd}`)}</span>`}
  </span>`;
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export function Link({ desk, vehicle }) {
  const { t } = desk;
  const hubLost = desk.socket.value !== 'open';
  const link = hubLost ? 'unknown' : vehicle.link;
  if (link !== 'online') void desk.tick.value;
  // It is heard, and does not hear the hub: how old its last word is says nothing then.
  const oneWay = link === 'degraded' && vehicle.link_why === 'one_way';
  const age_ms = link === 'online' || oneWay ? null : desk.since(vehicle.link_at_ns);
  return html`<span class=${`link ${link}`} data-testid=${`link-${dashed(vehicle.id)}`} data-state=${link} data-why=${vehicle.link_why}>${
    link === 'lost' ? '▲2 ' : link === 'degraded' ? '■3 ' : ''}${t(oneWay ? 'link.one_way' : `link.${link}`)}${age_ms === null ? '' : ` ${t('link.age', { age: seconds(age_ms) })}`}</span>`;
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export function Speed({ desk, vehicle }) {
  const { t } = desk;
  const { pose } = vehicle;
  void desk.tick.value;
  const age_ms = pose ? desk.since(pose.at_ns) : null;
  const fresh = pose && !unknownNow(desk, vehicle) && (age_ms ?? Infinity) <= STALE_MS;
  const limit = pose?.speed_limit_mps ?? null;
  const who = limitSetBy(vehicle.supervision?.speed_limit, limit);
  const scale = Math.max(limit ?? 0, pose ? Math.abs(pose.speed_mps) : 0, 5.6) * 1.15;
  const share = fresh ? Math.abs(pose.speed_mps) / scale : 0;
  const over = fresh && limit !== null && Math.abs(pose.speed_mps) > limit + 0.3;
  return html`<div class=${`speed ${fresh ? '' : 'stale'}`} data-testid=${`speed-${dashed(vehicle.id)}`}
      data-mps=${fresh ? pose.speed_mps.toFixed(3) : ''} data-age-ms=${age_ms === null ? '' : Math.round(age_ms)}>
    <span class="speed-row"><b>${pose ? kmh(pose.speed_mps) : '—'}</b> km/h
      <small class=${over || who !== 'vehicle' ? 'over' : ''} data-set-by=${who}>${limit === null ? t('tile.no_limit') : t('tile.limit', { n: Math.round(limit * 3.6), who: t(`limit.by.${who}`) })}</small></span>
    <span class="speed-bar"><span class=${`speed-fill ${over ? 'over' : ''}`} style=${{ transform: `scaleX(${share.toFixed(3)})` }}></span>
      ${limit !== null && html`<span class="speed-limit" style=${{ left: `${((limit / scale) * 100).toFixed(1)}%` }}></span>`}</span>
    ${!fresh && html`<small class="aged">${age_ms === null ? t('tile.unknown') : `${t('tile.unknown')} — ${t('tile.aged', { age: seconds(age_ms) })}`}</small>`}
  </div>`;
}

/** `obstacle: waiting for a person`: the first word in the reader's language. @param {import('../shell/console.js').Console} desk @param {string} reason */
function reasonWords(desk, reason) {
  return desk.t(`reason.${reason.split(':')[0]}`, {}, desk.say(reason));
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export function Task({ desk, vehicle }) {
  const { t } = desk;
  const { pose } = vehicle;
  if (!unknownNow(desk, vehicle)) {
    return html`<span class="task"><small>${t(vehicle.kind === 'bus' ? 'tile.next.bus' : 'tile.next.other')}</small>
      <b>${desk.say(pose?.next_stop || '—')}</b>
      ${pose?.progress != null && html`<span class="bar thin" title=${t('tile.progress')}><span class="bar-fill" style=${{ transform: `scaleX(${pose.progress.toFixed(3)})` }}></span></span>`}
      ${vehicle.reason && html`<small class="why">${reasonWords(desk, vehicle.reason)}</small>`}</span>`;
  }
  void desk.tick.value;
  const age_ms = desk.since(pose?.at_ns);
  return html`<span class="task lost">${age_ms === null ? t('map.no_position') : t('link.last_position', { age: seconds(age_ms) })}
    <small>${t('link.promise', { what: t(`behaviour.${vehicle.fallback ?? 'unknown'}`) })}</small></span>`;
}
