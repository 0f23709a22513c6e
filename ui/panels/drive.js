// @ts-check
/** Direct driving: the last resort, and only while every condition holds. */
import { useState } from 'preact/hooks';
import { controlOf, isMine, takeBlockedBy } from '../core/control.js';
import { dashed, kmh, seconds } from '../core/format.js';
import { isProved } from '../core/session.js';
import { prove } from '../shell/session.js';
import { html } from '../view.js';
import { PasswordForm } from './session.js';
import { driveReason } from './supervision.js';

/** Reasons that need another step of the operator first, and not a condition to hold. */
const ASK_FIRST = ['no_control', 'not_drive'];

/** @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const DrivePanel = ({ desk, vehicle }) => {
  const { t } = desk;
  void desk.tick.value;
  const state = desk.state.value;
  const [asking, setAsking] = useState(false);
  const blocked = desk.driving.blockedBy(vehicle.id);
  const id = dashed(vehicle.id);
  const control = controlOf(state, vehicle.id);
  const mine = isMine(state, control);
  const cannotTake = mine ? '' : takeBlockedBy(state, vehicle.id, desk.seatArmed.value);
  const may = ASK_FIRST.includes(blocked) && cannotTake === '';
  // The hub's clock decides: it may want the password although this page still thought it fresh.
  const again = state.taking?.vehicle === vehicle.id && state.taking?.refused === 'step_up';
  const take = () => {
    setAsking(false);
    desk.taking.take(vehicle.id, { purpose: 'drive' });
  };
  const reasons = blocked === 'withdrawn'
    ? (vehicle.supervision?.drive.reasons ?? []).map((/** @type {string} */ reason) => driveReason(desk, vehicle.supervision, reason)).join('・') : '';
  return html`<div class="drive-panel" data-testid=${`drive-${id}`} data-blocked=${blocked}>
    ${mine && control.purpose === 'drive' ? html`<small>${t('driving.below')}</small>` : html`<small>${t('driving.last')}</small>
    ${may && (asking || again) ? html`<strong>${t('session.drive')}</strong>
      <${PasswordForm} desk=${desk} testid="stepup" button=${t('session.drive_do')} give=${prove} onDone=${take} /><small>${t('session.drive_note')}</small>`
      : html`<button data-testid=${`drive-begin-${id}`} disabled=${!may} onClick=${() => (isProved(state, desk.hubNow()) ? take() : setAsking(true))}>${t('driving.begin')}</button>`}
    ${!may && html`<small class="why-not">${t('more.cannot', { why: `${ASK_FIRST.includes(blocked) ? t(`takeblock.${cannotTake}`, {}, cannotTake) : t(`driveblock.${blocked}`)}${reasons && `（${reasons}）`}` })}</small>`}`}
  </div>`;
};

/** What the driver has to know at a glance: is it moving, why not, does it hear me. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const DriveState = ({ desk, vehicle }) => {
  const { t } = desk;
  const shown = desk.driving.shown.value;
  if (shown === null || shown.vehicle !== vehicle.id) return null;
  const { why, want, hands, echo, echo_age_ms } = shown;
  const moving = why === '' && want !== null;
  const { pose } = vehicle;
  const way = shown.relay ? (shown.channel ? 'way_both' : 'way_relay') : want !== null && shown.channel ? 'way_channel' : 'way_none';
  const refused = Object.entries(echo?.refused ?? {}).map(([reason, n]) => `${t(`refusal.${reason}`, {}, reason)} ${n}`).join('・');
  return html`<div class=${`drive-state ${moving ? 'moving' : ''}`} data-testid=${`drive-state-${dashed(vehicle.id)}`} data-why=${why} data-driving=${String(moving)}
      data-echo-seq=${echo?.seq ?? -1} data-echo-driving=${String(echo?.driving ?? false)} data-sent=${shown.sent} data-way=${way}>
    <b class="drive-now">${why === '' ? t('driving.moving') : t(`driveblock.${why}`, {}, why)}</b>
    <span class="drive-row"><small>${t('driving.wanted')}</small><b>${want ? kmh(want.speed_mps) : '—'}</b><small>${t('driving.actual')}</small><b>${pose ? kmh(pose.speed_mps) : '—'}</b>
      <small>${t('driving.limit')}</small><b>${pose?.speed_limit_mps == null ? '—' : kmh(pose.speed_limit_mps)}</b><small>km/h</small></span>
    <span class="drive-row"><b class=${hands?.deadman ? 'down' : 'up'}>${t(hands?.deadman ? 'driving.deadman_down' : 'driving.deadman_up')}</b>
      <small>${t('driving.echo')}</small><b class=${echo_age_ms === null || echo_age_ms > 300 ? 'late' : ''}>${echo_age_ms === null ? t('driving.no_echo') : seconds(echo_age_ms)}</b><small>${t(`driving.${way}`)}</small></span>
    <span class="drive-bars">${/** @type {const} */ (['steer', 'throttle', 'brake']).map((name) => html`<${Bar} key=${name} label=${t(`driving.${name}`)} value=${hands ? hands[name] : 0} both=${name === 'steer'} />`)}</span>
    ${refused && html`<small class="why-not">${t('driving.refused', { what: refused })}</small>`}
  </div>`;
};

/** A bar from the left, or from the middle; left is positive. @param {{label: string, value: number, both?: boolean}} props */
export function Bar({ label, value, both = false }) {
  const style = both
    ? { left: value > 0 ? `${50 - value * 50}%` : '50%', width: `${Math.abs(value) * 50}%` }
    : { left: '0', width: `${value * 100}%` };
  return html`<span class="input-bar"><small>${label}</small><span class="bar"><i style=${style}></i></span></span>`;
}
