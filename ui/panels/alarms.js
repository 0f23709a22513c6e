// @ts-check
/** S3 Alarms 警報一覧: state, words in the reader's language, acknowledge. */
import { seconds } from '../core/format.js';
import { isUnacknowledged, sortedAlarms } from '../core/select.js';
import { html } from '../view.js';
import { alarmText } from './alarmline.js';
import { Chip } from './chip.js';

export const Alarms = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  const alarms = sortedAlarms(state);
  const connected = state.socket === 'open' && state.seq !== null;
  void desk.tick.value;
  if (alarms.length === 0) return html`<p class="empty big" data-testid="alarms-empty">${t(connected ? 'alarm.none' : 'alarm.line_unknown')}</p>`;
  return html`<div class="alarms" data-testid="alarms"><table>
    <thead><tr>${['priority', 'state', 'title', 'vehicle', 'since', 'action'].map((name) => html`<th key=${name}>${t(`alarm.${name}`)}</th>`)}<th></th></tr></thead>
    <tbody>${alarms.map((alarm) => {
      const text = alarmText(desk, alarm);
      const open = isUnacknowledged(alarm);
      return html`<tr key=${alarm.id} class=${open ? 'open' : ''} data-testid="alarm-row" data-id=${alarm.id} data-state=${alarm.state}>
        <td><${Chip} priority=${alarm.priority} flash=${open} title=${t(`priority.${alarm.priority}`)} /></td>
        <td>${t(`alarm.${alarm.state}`)}${alarm.acknowledged_by && html`<small>${t('alarm.by', { who: alarm.acknowledged_by })}</small>`}</td>
        <td><b>${text.title}</b>${alarm.detail && html`<small>${alarm.detail}</small>`}<small>${text.cause}</small></td>
        <td>${desk.nameOf(alarm.vehicle)}<small>${alarm.vehicle}</small></td>
        <td>${t('link.age', { age: seconds(desk.since(alarm.raised_ns) ?? 0) })}</td>
        <td><b>${text.action}</b><small>${t('alarm.consequence')}: ${text.consequence}</small></td>
        <td>${open && html`<button data-testid="ack" disabled=${!connected} onClick=${() => desk.acknowledge(alarm.id)}>${t('alarm.ack')}</button>`}</td>
      </tr>`;
    })}</tbody></table></div>`;
};
