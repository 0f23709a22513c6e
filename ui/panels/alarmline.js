// @ts-check
/** Bottom line: the unacknowledged alarm that matters most, and STOP, on every screen. */
import { dashed } from '../core/format.js';
import { alarmLine, MAY_STOP } from '../core/select.js';
import { html } from '../view.js';
import { Chip } from './chip.js';
import { CommandProgress } from './command.js';

/** The words of an alarm in the present language. @param {import('../shell/console.js').Console} desk @param {any} alarm */
export function alarmText(desk, alarm) {
  const row = desk.state.value.catalogue[alarm.key];
  return row ? row[desk.language.value] : { title: alarm.key, cause: '', consequence: '', action: '' };
}

/** Where a line of the list is: a vehicle, a group of them, or the hub. @param {import('../shell/console.js').Console} desk @param {any} item */
export function whereOf(desk, item) {
  if (item.group) return desk.t('alarm.group', { n: item.members.length, site: item.group.site });
  return item.alarm.vehicle ? desk.nameOf(item.alarm.vehicle) : desk.t('alarm.hub_itself');
}

/** @param {{desk: import('../shell/console.js').Console}} props */
export const AlarmLine = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  const [top, ...more] = alarmLine(state);
  const connected = state.socket === 'open' && state.seq !== null;
  return html`<footer class="alarmline" data-testid="alarmline">
    ${top ? html`<div class="alarm-top" data-testid="alarm-top" data-key=${top.key}>
        <${Chip} priority=${top.priority} flash=${true} title=${t(`priority.${top.priority}`)} />
        <strong>${alarmText(desk, top).title}</strong>
        <span>${whereOf(desk, top)}</span>
        <span class="action">${alarmText(desk, top).action}</span>
      </div>
      <span class="alarm-buttons">
        ${more.length > 0 && html`<button class="quiet" data-testid="alarm-more" onClick=${() => desk.dispatch({ type: 'local.screen', screen: 'alarms' })}>${t('alarm.more', { n: more.length })}</button>`}
        <button data-testid="ack-top" disabled=${!connected} onClick=${() => desk.acknowledge(top.id)}>${t('alarm.ack')} <kbd>A</kbd></button>
        <button data-testid="silence" onClick=${() => desk.silence()}>${t('alarm.silence')} <kbd>S</kbd></button>
      </span>`
    : html`<p class="empty">${t(connected ? 'alarm.line_empty' : 'alarm.line_unknown')}</p>`}
    <${StopFocused} desk=${desk} />
  </footer>`;
};

/** @param {{desk: import('../shell/console.js').Console}} props */
function StopFocused({ desk }) {
  const { t } = desk;
  const state = desk.state.value;
  const vehicle = state.focused ? state.vehicles[state.focused] : null;
  return html`<div class="stop-focused" data-testid="stop-target" data-vehicle=${state.focused ?? ''}>
    <span class="stop-what">${state.ended !== null ? html`<strong data-testid="stop-cannot">${t('session.stop')}</strong>` : html`<small>${t('stop.focused')} <kbd>Space</kbd></small>`}<b>${vehicle ? desk.say(vehicle.name) : t('stop.none')}</b></span>
    ${vehicle && html`<${CommandProgress} desk=${desk} vehicle=${vehicle.id} compact=${true} />`}
    <${StopButton} desk=${desk} vehicle=${state.focused} testid="stop-focused" />
    <${EmergencyButton} desk=${desk} vehicle=${state.focused} testid="emergency-focused" />
  </div>`;
}

/** A page whose sign-in is over stops nothing: its buttons must not look as if. @param {import('../shell/console.js').Console} desk */
function mayStop(desk) {
  const role = desk.role.value;
  return !desk.over.value && (role === undefined || MAY_STOP.includes(role));
}

/** @param {import('../shell/console.js').Console} desk */
function whyNoStop(desk) {
  return desk.t(desk.state.value.ended === null ? 'stop.role' : 'session.stop');
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: string | null, testid?: string}} props */
export function StopButton({ desk, vehicle, testid }) {
  const { t } = desk;
  const may = mayStop(desk);
  return html`<button class="stop" data-testid=${testid ?? `stop-${dashed(vehicle ?? '')}`}
    disabled=${!may || vehicle === null} title=${may ? undefined : whyNoStop(desk)}
    onClick=${() => desk.stopVehicle(vehicle)}><i aria-hidden="true"></i>${t('stop.button')}</button>`;
}

/** The hardest stop, by three ways at once. @param {{desk: import('../shell/console.js').Console, vehicle: string | null, testid: string}} props */
export function EmergencyButton({ desk, vehicle, testid }) {
  const { t } = desk;
  const may = mayStop(desk);
  return html`<button class="stop emergency" data-testid=${testid} disabled=${!may || vehicle === null}
    title=${may ? t('stop.emergency_title') : whyNoStop(desk)} onClick=${() => desk.emergencyStop(vehicle)}>${t('stop.emergency')}</button>`;
}
