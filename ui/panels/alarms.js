// @ts-check
/** S3 Alarms 警報一覧: states, groups, filters, what to do, shelves, and the load they make. */
import { useState } from 'preact/hooks';
import { counted, duringFlood, filtered, FILTERS, folded, isUnacknowledged, MAY_SERVE, MAY_SHELVE, mayShelve, ownLoad } from '../core/alarmlist.js';
import { countdown, seconds } from '../core/format.js';
import { html } from '../view.js';
import { AlarmLoad } from './alarmload.js';
import { alarmText, whereOf } from './alarmline.js';
import { PutAside, Runbook } from './alarmsheets.js';
import { Chip } from './chip.js';

const COLUMNS = ['priority', 'title', 'vehicle', 'since', 'action'];

/** @param {{desk: import('../shell/console.js').Console}} props */
export const Alarms = ({ desk }) => {
  const { t } = desk;
  const [filter, setFilter] = useState(/** @type {import('../core/alarmlist.js').Filter} */ ('open'));
  const [low, setLow] = useState(false);
  const [sheet, setSheet] = useState(/** @type {{kind: string, item: any} | null} */ (null));
  const state = desk.state.value;
  const items = folded(state);
  const counts = counted(items);
  const connected = state.socket === 'open' && state.seq !== null;
  const flood = ownLoad(state)?.flood === true && filter === 'open';
  const { shown, behind } = duringFlood(filtered(items, filter), flood && !low);
  void desk.tick.value;
  const open = (/** @type {string} */ kind, /** @type {any} */ item) => setSheet({ kind, item });
  const close = () => setSheet(null);
  return html`<div class="alarms" data-testid="alarms" data-flood=${String(flood)}>
    <${AlarmLoad} desk=${desk} />
    ${flood && html`<p class="alarms-flood" role="status">${t('alarm.flood')}</p>`}
    <nav class="alarm-filters" role="group">${FILTERS.map((name) => html`<button key=${name} data-testid=${`filter-${name}`}
      aria-pressed=${String(filter === name)} onClick=${() => setFilter(name)}>${t(`alarm.filter.${name}`)} <b>${counts[name]}</b></button>`)}</nav>
    ${shown.length + behind.length === 0
      ? html`<p class="empty big" data-testid="alarms-empty">${t(!connected ? 'alarm.line_unknown' : counts.all === 0 ? 'alarm.none' : 'alarm.filter.none')}</p>`
      : html`<table>
        <thead><tr>${COLUMNS.map((name) => html`<th key=${name}>${t(`alarm.${name}`)}</th>`)}<th></th></tr></thead>
        <tbody>
          ${shown.map((item) => html`<${Line} key=${item.id} desk=${desk} item=${item} connected=${connected} open=${open} />`)}
          ${flood && (behind.length > 0 || low) && html`<tr class="behind"><td><${Chip} priority=${3} /></td>
            <td colspan="4">${t('alarm.flood_behind', { n: behind.length || filtered(items, filter).filter((item) => item.priority >= 3).length })}</td>
            <td><button data-testid="flood-low" onClick=${() => setLow(!low)}>${t(low ? 'alarm.hide' : 'alarm.show')}</button></td></tr>`}
        </tbody></table>`}
    ${sheet?.kind === 'runbook' && html`<${Runbook} desk=${desk} alarmKey=${sheet.item.key} close=${close} />`}
    ${(sheet?.kind === 'shelve' || sheet?.kind === 'out') && html`<${PutAside} desk=${desk} item=${sheet.item} out=${sheet.kind === 'out'} close=${close} />`}
  </div>`;
};

/** One alarm, or one group with its members to unfold. @param {any} props */
function Line({ desk, item, connected, open, member = false }) {
  const { t } = desk;
  const [unfolded, setUnfolded] = useState(false);
  const { alarm, group } = item;
  const text = alarmText(desk, item);
  const waiting = isUnacknowledged(item);
  const one = alarm ?? group;
  return html`<tr class=${`${waiting ? 'open' : ''} ${member ? 'member' : ''}`} data-testid=${group ? 'alarm-group' : 'alarm-row'} data-id=${item.id} data-state=${item.state}>
    <td class="alarm-state"><div><${Chip} priority=${item.priority} flash=${waiting} title=${t(`priority.${item.priority}`)} />
      <span>${t(`alarm.${item.state}`)}</span></div>${alarm?.acknowledged_by && html`<small>${t('alarm.by', { who: alarm.acknowledged_by })}</small>`}</td>
    <td><b>${text.title}</b>${alarm && html`<${Flags} desk=${desk} alarm=${alarm} />`}
      ${alarm?.detail && html`<small class="detail">${alarm.detail}</small>`}${!member && html`<small>${text.cause}</small>`}</td>
    <td>${whereOf(desk, item)}${alarm?.vehicle && html`<small>${alarm.vehicle}</small>`}
      ${group && html`<${GroupFacts} desk=${desk} item=${item} />`}
      ${group && html`<button class="quiet" aria-expanded=${String(unfolded)} data-testid="group-unfold" onClick=${() => setUnfolded(!unfolded)}>${unfolded ? '▾' : '▸'} ${t('alarm.members')}</button>`}</td>
    <td class="number">${t('link.age', { age: age(desk.since(one.raised_ns) ?? 0) })}</td>
    <td>${!member && html`<b>${text.action}</b><small>${t('alarm.consequence')}: ${text.consequence}</small>
      <${RunbookLink} desk=${desk} item=${item} open=${open} />`}</td>
    <td class="alarm-acts"><${Acts} desk=${desk} item=${item} connected=${connected} waiting=${waiting} open=${open} /></td>
  </tr>
  ${unfolded && item.members.map((/** @type {any} */ one) => html`<${Line} key=${one.id} desk=${desk} member=${true} connected=${connected} open=${open}
    item=${{ id: one.id, key: one.key, priority: one.priority, state: one.state, raised_ns: one.raised_ns, alarm: one, group: null, members: [] }} />`)}`;
}

/** @param {{desk: import('../shell/console.js').Console, item: any, connected: any, waiting: any, open: any}} props */
const Acts = ({ desk, item, connected, waiting, open }) => {
  const { t } = desk;
  const { alarm } = item;
  const state = desk.state.value;
  const role = state.welcome?.role;
  const serves = alarm !== null && MAY_SERVE.includes(role);
  return html`
    ${waiting && html`<button class="primary" data-testid="ack" disabled=${!connected} onClick=${() => desk.acknowledge(item.id)}>${t('alarm.ack')}</button>`}
    ${alarm && mayShelve(state, alarm) && html`<button data-testid="shelve" disabled=${!connected} onClick=${() => open('shelve', item)}>${t('alarm.shelve')}</button>`}
    ${item.state === 'shelved' && MAY_SHELVE.includes(role) && html`<button data-testid="unshelve" disabled=${!connected} onClick=${() => desk.unshelve(item.id)}>${t('alarm.unshelve')}</button>`}
    ${serves && item.state !== 'out_of_service' && html`<button data-testid="take-out" disabled=${!connected} onClick=${() => open('out', item)}>${t('alarm.take_out')}</button>`}
    ${serves && item.state === 'out_of_service' && html`<button data-testid="take-back" disabled=${!connected} onClick=${() => desk.setAlarmService(item.id, true, t('alarm.back_reason'))}>${t('alarm.take_back')}</button>`}`;
};

/** @param {{desk: import('../shell/console.js').Console, item: any, open: any}} props */
const RunbookLink = ({ desk, item, open }) => html`<a class="runbook-link" href=${`/runbooks/${desk.language.value}/${item.key}`} target="_blank" rel="noopener" data-testid="runbook"
  onClick=${(/** @type {Event} */ event) => { event.preventDefault(); open('runbook', item); }}>${desk.t('alarm.runbook')}</a>`;

const HOURS_FROM_MS = 5_400_000;

/** How long ago, in hours once minutes say little. @param {number} ms */
const age = (ms) => (ms < HOURS_FROM_MS ? seconds(ms) : `${(ms / 3_600_000).toFixed(1)} h`);

/** What else is to be known of one alarm, in words. @param {{desk: import('../shell/console.js').Console, alarm: any}} props */
const Flags = ({ desk, alarm }) => {
  const { t } = desk;
  const cause = alarm.cause ? desk.state.value.alarms[alarm.cause] : null;
  const words = [
    alarm.overdue && t('alarm.overdue'),
    alarm.chattering && t('alarm.chattering', { n: alarm.raises }),
    alarm.stale && t('alarm.stale'),
    !alarm.active && alarm.state !== 'returned_unacknowledged' && t('alarm.gone'),
    cause && t('alarm.caused_by', { what: alarmText(desk, cause).title }),
    alarm.until_ns !== null && t('alarm.until', { left: countdown(Math.max(0, -(desk.since(alarm.until_ns) ?? 0))) }),
  ].filter(Boolean);
  return html`${words.map((word) => html`<em key=${word} class="flag">${word}</em>`)}
    ${alarm.by && html`<small class="put-by">${t('alarm.put_by', { who: alarm.by, why: alarm.why })}</small>`}`;
};

/** @param {{desk: import('../shell/console.js').Console, item: any}} props */
const GroupFacts = ({ desk, item }) => {
  const { t } = desk;
  const { cell, returned } = item.group;
  return html`${cell && html`<small>${t('alarm.group_cell', { cell })}</small>`}
    ${returned > 0 && html`<small>${t('alarm.group_returned', { n: returned })}</small>`}`;
};
