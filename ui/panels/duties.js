// @ts-check
/** Statutory duties: open checklists with their clocks, the number to call, who did what. */
import { useRef, useState } from 'preact/hooks';
import { elapsed, endedDuties, lateSteps, MAY_DO, nextStep, openDuties } from '../core/duties.js';
import { countdown, dashed } from '../core/format.js';
import { html } from '../view.js';
import { walkRows } from './walk.js';

const JST_H = 9;
const AGO_S = ['0', '60', '300', '900'];
const walk = walkRows('.duty-step');

/** @param {{desk: import('../shell/console.js').Console}} props */
export const Duties = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  void desk.tick.value;
  const open = openDuties(state);
  const ended = endedDuties(state, desk.hubNow());
  const connected = state.socket === 'open' && state.seq !== null;
  const may = MAY_DO.includes(state.welcome?.role);
  return html`<div class="duties" data-testid="duties" onKeyDown=${walk}>
    <header class="duties-head"><h2>${t('duty.title')}</h2>
      ${may ? html`<${Start} desk=${desk} connected=${connected} />` : html`<small>${t('duty.read_only')}</small>`}
      <small class="minor">${t('duty.keys')}</small></header>
    ${open.length === 0 && html`<p class="empty big" data-testid="duties-empty">${t(connected ? 'duty.none' : 'duty.unknown')}</p>`}
    ${open.map((duty) => html`<${Duty} key=${duty.id} desk=${desk} duty=${duty} may=${may && connected} />`)}
    ${ended.length > 0 && html`<section class="duties-ended"><h3>${t('duty.ended')}</h3>
      ${ended.map((duty) => html`<${Ended} key=${duty.id} desk=${desk} duty=${duty} may=${may && connected} />`)}</section>`}
  </div>`;
};

/** @param {{desk: import('../shell/console.js').Console, connected: boolean}} props */
function Start({ desk, connected }) {
  const { t } = desk;
  const state = desk.state.value;
  const [kind, setKind] = useState('');
  const [vehicle, setVehicle] = useState('');
  const [ago, setAgo] = useState('0');
  const rows = state.welcome?.duty_catalogue ?? [];
  const chosen = kind || rows[0]?.key || '';
  const about = state.vehicles[vehicle] ? vehicle : state.focused ?? state.order[0] ?? '';
  const start = () => desk.startDuty(chosen, about, Number(ago));
  return html`<form class="duty-start" data-testid="duty-start" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); start(); }}>
    <label><small>${t('duty.what')}</small><select data-testid="duty-kind" value=${chosen} onChange=${(/** @type {any} */ event) => setKind(event.target.value)}>
      ${rows.map((/** @type {any} */ row) => html`<option key=${row.key} value=${row.key}>${row[desk.language.value]}</option>`)}</select></label>
    <label><small>${t('duty.vehicle')}</small><select data-testid="duty-vehicle" value=${about} onChange=${(/** @type {any} */ event) => setVehicle(event.target.value)}>
      ${state.order.map((id) => html`<option key=${id} value=${id}>${desk.nameOf(id)}</option>`)}</select></label>
    <label><small>${t('duty.when')}</small><select data-testid="duty-ago" value=${ago} onChange=${(/** @type {any} */ event) => setAgo(event.target.value)}>
      ${AGO_S.map((one) => html`<option key=${one} value=${one}>${t(`duty.ago.${one}`)}</option>`)}</select></label>
    <button type="submit" class="primary" data-testid="duty-begin" disabled=${!connected || chosen === '' || about === ''}>${t('duty.start')}</button>
  </form>`;
}

/** @param {{desk: import('../shell/console.js').Console, duty: any, may: boolean}} props */
function Duty({ desk, duty, may }) {
  const { t } = desk;
  const [asking, setAsking] = useState(false);
  const reason = useRef(/** @type {HTMLInputElement | null} */ (null));
  const why = () => reason.current?.value.trim() ?? '';
  const giveUp = () => {
    if (!asking) setAsking(true);
    else if (why() !== '') desk.abandonDuty(duty.id, why());
    else reason.current?.focus();
  };
  const late = lateSteps(duty, desk.hubNow());
  return html`<article class=${`duty ${late ? 'late' : ''}`} data-testid=${`duty-${duty.key}-${dashed(duty.vehicle)}`} data-id=${duty.id}>
    <header><strong>${words(desk, duty)}</strong><span class="other">${words(desk, duty, true)}</span>
      <b class="duty-vehicle">${desk.nameOf(duty.vehicle)}</b>
      <span class="duty-clock"><small>${t('duty.since')}</small><b data-testid="duty-clock">${elapsed(desk.since(duty.event_ns) ?? 0)}</b></span></header>
    <p class="duty-about"><span>${duty.started_by ? t('duty.by_hand', { who: duty.started_by }) : t('duty.by_alarm')}${duty.in_charge && html` · ${t('duty.in_charge', { who: duty.in_charge })}`}</span>
      <span>${desk.say(duty.law)}</span>
      ${may && html`<span class="duty-end">
        ${asking && html`<input ref=${reason} data-testid="duty-why" maxlength="300" placeholder=${t('duty.note')} />`}
        <button class="quiet" data-testid="duty-abandon" onClick=${giveUp}>${t('duty.give_up')}</button></span>`}</p>
    <ol>${duty.steps.map((/** @type {any} */ step) => html`<${Step} key=${step.key} desk=${desk} duty=${duty} step=${step} may=${may} />`)}</ol>
  </article>`;
}

/** @param {{desk: import('../shell/console.js').Console, duty: any, step: any, may: boolean}} props */
function Step({ desk, duty, step, may }) {
  const { t } = desk;
  const note = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [missing, setMissing] = useState(false);
  const left_ms = step.due_ns / 1e6 - desk.hubNow();
  const isOpen = step.state === 'open';
  const late = isOpen ? left_ms <= 0 : step.overdue;
  /** @param {string} to */
  const mark = (to) => {
    const said = note.current?.value.trim() ?? '';
    if (to !== 'done' && said === '') {
      setMissing(true);
      note.current?.focus();
      return;
    }
    setMissing(false);
    desk.markDuty(duty.id, step.key, to, said);
    if (note.current) note.current.value = '';
  };
  return html`<li class=${`duty-step ${step.state} ${late ? 'late' : ''}`} data-testid=${`duty-step-${step.key}`} data-state=${step.state} data-late=${String(late)}>
    <span class="duty-what"><b>${words(desk, step)}</b><span class="other">${words(desk, step, true)}</span>
      ${isOpen && hint(desk, step) && html`<small>${hint(desk, step)}</small>`}</span>
    <${Phone} desk=${desk} step=${step} />
    <span class="duty-time">${isOpen
      ? html`<${Left} desk=${desk} left_ms=${left_ms} />`
      : html`<b>${t(`duty.state.${step.state}`, { time: clockOf(desk, step.at_ns) })}</b><small>${step.by}${late ? ` ${t('duty.overdue', { time: elapsed((step.at_ns - step.due_ns) / 1e6) })}` : ''}</small>`}
      ${step.note && html`<small class="duty-note">${step.note}</small>`}</span>
    ${may && html`<span class="duty-do">
      ${isOpen && html`<button class="primary" data-testid="duty-done" onClick=${() => mark('done')}>✓ ${t('duty.done')}</button>`}
      <input ref=${note} data-testid="duty-note" maxlength="300" aria-invalid=${String(missing)} placeholder=${t(missing ? 'duty.needs_reason' : 'duty.note')} />
      ${isOpen
        ? html`<button data-testid="duty-skip" onClick=${() => mark('skipped')}>${t('duty.skip')}</button>`
        : html`<button class="quiet" data-testid="duty-undo" onClick=${() => mark('open')}>${t('duty.undo')}</button>`}</span>`}
  </li>`;
}

/** Time left, or the chip of the alarm that says it is over. @param {{desk: import('../shell/console.js').Console, left_ms: number}} props */
function Left({ desk, left_ms }) {
  const { t } = desk;
  return left_ms > 0
    ? html`<b>${t('duty.left', { time: countdown(left_ms) })}</b>`
    : html`<b class="chip p3">■3 ${t('duty.overdue', { time: elapsed(-left_ms) })}</b>`;
}

/** Whom to call, readable from the telephone; a number nobody configured is said loudly. @param {{desk: import('../shell/console.js').Console, step: any}} props */
function Phone({ desk, step }) {
  const { t } = desk;
  if (!step.contact) return html`<span class="duty-phone none"></span>`;
  const role = t(`duty.contact.${step.contact}`, {}, step.contact);
  if (!step.phone) {
    return html`<span class="duty-phone missing" data-testid="duty-missing"><b>${t('duty.not_configured')}</b><small>${role} — ${t('duty.not_configured_note')}</small></span>`;
  }
  return html`<span class="duty-phone" data-testid="duty-phone"><small>${t('duty.call')}: ${desk.say(step.contact_name)}</small><b>${step.phone}</b>
    ${step.contact_note && html`<small>${step.contact_note}</small>`}</span>`;
}

/** @param {{desk: import('../shell/console.js').Console, duty: any, may: boolean}} props */
function Ended({ desk, duty, may }) {
  const { t } = desk;
  const [shown, setShown] = useState(false);
  const time = elapsed((duty.ended_ns - duty.event_ns) / 1e6);
  return html`<div class="duty-over" data-testid=${`duty-over-${duty.key}-${dashed(duty.vehicle)}`}>
    <p><b>${words(desk, duty)}</b> ${desk.nameOf(duty.vehicle)} <span>${duty.abandoned
      ? t('duty.abandoned', { time, who: duty.ended_by, why: duty.abandoned }) : t('duty.finished', { time, who: duty.ended_by })}</span>
      <button class="quiet" aria-expanded=${String(shown)} onClick=${() => setShown(!shown)}>${shown ? '▾' : '▸'}</button></p>
    ${shown && html`<ol>${duty.steps.map((/** @type {any} */ step) => html`<${Step} key=${step.key} desk=${desk} duty=${duty} step=${step} may=${may && !duty.abandoned} />`)}</ol>`}
  </div>`;
}

/** Open duties beside the queue, on every screen: what is next, and how long is left. @param {{desk: import('../shell/console.js').Console}} props */
export const DutyLines = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  const open = openDuties(state);
  if (open.length === 0) return null;
  void desk.tick.value;
  return html`<div class="duty-lines" aria-label=${t('duty.title')}>${open.map((duty) => {
    const next = nextStep(duty);
    const left_ms = next ? next.due_ns / 1e6 - desk.hubNow() : 0;
    const late = left_ms <= 0;
    return html`<button key=${duty.id} class=${`duty-line ${late ? 'late' : ''}`} data-testid=${`duty-line-${dashed(duty.vehicle)}`}
        onClick=${() => desk.dispatch({ type: 'local.screen', screen: 'duties' })}>
      <span class="card-head"><strong>${words(desk, duty)}</strong><b>${elapsed(desk.since(duty.event_ns) ?? 0)}</b></span>
      <span class="duty-next"><span>${desk.nameOf(duty.vehicle)}</span>${next && html`<${Left} desk=${desk} left_ms=${left_ms} />`}</span>
      ${next && html`<small>${words(desk, next)}</small>`}
    </button>`;
  })}</div>`;
};

/** @param {import('../shell/console.js').Console} desk @param {any} one @param {boolean} [other] in the other language */
function words(desk, one, other = false) {
  return (desk.language.value === 'ja') !== other ? one.ja : one.en;
}

/** @param {import('../shell/console.js').Console} desk @param {any} step */
function hint(desk, step) {
  return desk.language.value === 'ja' ? step.hint_ja : step.hint_en;
}

/** The wall clock of an instant, JST. @param {import('../shell/console.js').Console} desk @param {number} at_ns */
function clockOf(desk, at_ns) {
  const { welcome } = desk.state.value;
  const utc_ms = welcome.hub_utc_ns / 1e6 + (at_ns - welcome.hub_now_ns) / 1e6;
  return new Date(utc_ms + JST_H * 3_600_000).toISOString().slice(11, 19);
}
