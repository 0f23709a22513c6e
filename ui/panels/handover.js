// @ts-check
/** S5 Handover 引継ぎ: how things are now, notes, offer, every line seen, take over. */
import { useState } from 'preact/hooks';
import { elapsed } from '../core/duties.js';
import { countdown, lasting, wallClock } from '../core/format.js';
import {
  acceptBlockedBy, boardOf, byKind, cameLater, endedHandovers, MAX_NOTE, mayHandOver, offerBlockedBy, openHandovers,
  ownControls, partOf, seenState, takers, unseenCount,
} from '../core/handover.js';
import { html } from '../view.js';
import { Chip } from './chip.js';
import { walkRows } from './walk.js';

const JST_H = 9;
const walk = walkRows('.handover-item');

/** @param {{desk: import('../shell/console.js').Console}} props */
export const Handover = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  void desk.tick.value;
  const board = boardOf(state);
  const connected = state.socket === 'open' && state.handover !== null;
  const open = openHandovers(state);
  const mine = open.find((one) => partOf(state, one) !== 'other') ?? null;
  return html`<div class="handover" data-testid="handover" data-part=${mine ? partOf(state, mine) : ''} data-state=${mine?.state ?? ''}>
    <section class="handover-list" onKeyDown=${walk}>
      <header><h2>${t('handover.title')}</h2><span class="minor">${t('handover.intro')}</span><small class="minor">${t('handover.keys')}</small></header>
      ${!connected && html`<p class="empty">${t('handover.unknown')}</p>`}
      ${connected && board.items.length === 0 && html`<p class="empty big" data-testid="handover-empty">${t('handover.empty')}</p>`}
      ${connected && byKind(board.items).map(([kind, items]) => html`<section key=${kind} class="handover-group" data-kind=${kind}>
        <h3>${t(`handover.kind.${kind}`)} <b>${items.length}</b>${kind === 'control' && html`<small>${t('handover.not_moved')}</small>`}</h3>
        <ol>${items.map((item) => html`<${Item} key=${item.key} desk=${desk} item=${item} handover=${mine} />`)}</ol></section>`)}
      ${board.omitted > 0 && html`<p class="handover-omitted">${t('handover.omitted', { n: board.omitted })}</p>`}
    </section>
    <aside class="handover-side">
      ${mine === null ? html`<${Offer} desk=${desk} />` : partOf(state, mine) === 'taking'
        ? html`<${Take} key=${mine.id} desk=${desk} handover=${mine} />` : html`<${Leave} desk=${desk} handover=${mine} />`}
      <${Refused} desk=${desk} handover=${mine} />
      <${Write} desk=${desk} />
      <${Others} desk=${desk} open=${open} />
    </aside>
  </div>`;
};

/** One line: what, where, whose, for how long; and whether the next person has seen it. @param {any} props */
function Item({ desk, item, handover }) {
  const { t } = desk;
  const state = desk.state.value;
  const taking = handover !== null && partOf(state, handover) === 'taking';
  const seen = handover === null ? '' : seenState(handover, item);
  const later = handover !== null && cameLater(handover, item);
  const since_ms = desk.since(item.since_ns);
  return html`<li class=${`handover-item ${seen}`} data-testid="handover-item" data-key=${item.key} data-kind=${item.kind} data-seen=${seen}>
    <span class="handover-where">${item.vehicle ? html`<b>${desk.nameOf(item.vehicle)}</b>` : html`<b>${t('handover.general')}</b>`}</span>
    <span class="handover-what">${item.priority ? html`<${Chip} priority=${item.priority} title=${t(`priority.${item.priority}`)} /> ` : ''}${words(desk, item)}
      ${later && html` <small class="tag">${t('handover.later')}</small>`}</span>
    <span class="handover-when">${since_ms === null ? '—' : t('handover.age', { age: lasting(since_ms) })}
      ${item.until_ns != null && html`<${Until} desk=${desk} until_ns=${item.until_ns} />`}</span>
    <span class="handover-do">
      ${taking ? html`<button class=${seen === 'seen' ? 'quiet' : 'primary'} data-testid="handover-see" aria-pressed=${String(seen === 'seen')}
          onClick=${() => seen !== 'seen' && desk.handing.see(handover.id, item)}>${t(`handover.${seen}`)}</button>`
        : handover !== null && html`<small>${seen === 'seen' ? t('handover.seen') : '—'}</small>`}
      ${item.kind === 'note' && handover === null && mayHandOver(state) && html`<button class="quiet" data-testid="note-remove" onClick=${() => desk.handing.remove(item.what)}>${t('handover.remove')}</button>`}</span>
  </li>`;
}

/** @param {{desk: import('../shell/console.js').Console, until_ns: number}} props */
function Until({ desk, until_ns }) {
  const left_ms = until_ns / 1e6 - desk.hubNow();
  return left_ms > 0 ? html`<small>${desk.t('handover.left', { time: countdown(left_ms) })}</small>`
    : html`<b class="chip p3">■3 ${desk.t('handover.over', { time: elapsed(-left_ms) })}</b>`;
}

/** What an item says. @param {import('../shell/console.js').Console} desk @param {any} item */
function words(desk, item) {
  const { t } = desk;
  const ja = desk.language.value === 'ja';
  const by = item.by ? html` <small>${item.by}</small>` : '';
  switch (item.kind) {
    case 'control':
      return html`<b>${item.by}</b> ${t(`handover.control.${item.state}`, {}, item.state)} <small>${t(item.what === 'drive' ? 'control.for_drive' : 'control.for_assist')}</small>`;
    case 'request':
      return html`<b>${t(`reason.${item.what}`, {}, item.what || t('reason.other'))}</b> ${t(`handover.request.${item.state}`, {}, item.state)} <small>${desk.say(item.detail ?? '')}</small>`;
    case 'alarm':
    case 'shelved': {
      const spec = desk.state.value.catalogue[item.what];
      return html`<b>${spec?.[ja ? 'ja' : 'en'].title ?? item.what}</b> ${t(`alarm.${item.state}`, {}, item.state)}${by}${item.detail ? html` <small>「${item.detail}」</small>` : ''}`;
    }
    case 'duty':
      return html`<b>${ja ? item.ja : item.en}</b> ${t('handover.steps', { n: item.state })}${item.by ? html` <small>${t('duty.in_charge', { who: item.by })}</small>` : ''}`;
    case 'vehicle':
      return item.what === 'mrm' ? html`<b>${t(`mrm.${item.state}`, {}, item.state)}</b> <small>${desk.say(item.detail ?? '')}</small>`
        : html`<b>${t(item.detail === 'one_way' ? 'link.one_way' : `link.${item.state}`, {}, item.state)}</b>`;
    case 'limit':
      return html`<b>${t('handover.limit', { n: item.state })}</b>${by}`;
    default:
      return html`<span class="handover-note">${desk.say(item.detail ?? '')}</span>${by}`;
  }
}

/** @param {{desk: import('../shell/console.js').Console}} props */
function Offer({ desk }) {
  const { t } = desk;
  const state = desk.state.value;
  const [chosen, setChosen] = useState('');
  const people = takers(state);
  const taking = people.includes(chosen) ? chosen : people.length === 1 ? people[0] : '';
  const blocked = offerBlockedBy(state, taking);
  return html`<form class="box" data-testid="handover-offer-form" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); if (blocked === '') desk.handing.offer(taking); }}>
    <h3>${t('handover.offer')}</h3>
    <label><small>${t('handover.to')}</small><select data-testid="handover-to" value=${taking} onChange=${(/** @type {any} */ event) => setChosen(event.target.value)}>
      <option value="">${t('handover.choose')}</option>${people.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
    <button type="submit" class="primary" data-testid="handover-offer" disabled=${blocked !== ''} data-blocked=${blocked}>${t('handover.offer')}</button>
    ${blocked !== '' && html`<p class="why-not" data-testid="handover-blocked">${t('handover.cannot', { why: why(desk, blocked, ownControls(state)) })}</p>`}
    <small>${t('handover.offer_note')}</small>
  </form>`;
}

/** @param {{desk: import('../shell/console.js').Console, handover: any}} props */
function Leave({ desk, handover }) {
  const { t } = desk;
  const state = desk.state.value;
  const holds = handover.holds ?? [];
  return html`<section class="box" data-testid="handover-leaving" data-blocked=${holds.length > 0 ? 'leaving_holds' : ''}>
    <h3>${t('handover.offered', { who: handover.taking })}</h3>
    <${Progress} desk=${desk} handover=${handover} />
    ${holds.length > 0 && html`<p class="why-not">${t('handover.cannot', { why: why(desk, 'holds_control', holds) })}</p>`}
    ${handover.state === 'confirming' ? html`<p>${t('handover.confirming')}</p>`
      : html`<button data-testid="handover-withdraw" disabled=${state.socket !== 'open'} onClick=${() => desk.handing.withdraw(handover.id)}>${t('handover.withdraw')}</button>`}
  </section>`;
}

/** @param {{desk: import('../shell/console.js').Console, handover: any}} props */
function Take({ desk, handover }) {
  const { t } = desk;
  const state = desk.state.value;
  const [reason, setReason] = useState('');
  const blocked = acceptBlockedBy(state, handover, desk.seatArmed.value);
  return html`<section class="box" data-testid="handover-taking" data-blocked=${blocked}>
    <h3>${t('handover.take_title', { who: handover.leaving })}</h3>
    <p>${t('handover.take_offered', { who: handover.leaving, time: clockOf(desk, handover.offered_ns) })}</p>
    <${Progress} desk=${desk} handover=${handover} />
    <button class="primary safety" data-testid="handover-accept" disabled=${blocked !== ''} onClick=${() => desk.handing.accept(handover.id)}>${t('handover.accept')}</button>
    ${blocked !== '' && html`<p class="why-not" data-testid="handover-blocked">${blocked === 'confirming' ? t('handover.confirming')
      : t('handover.cannot', { why: why(desk, blocked, handover.holds ?? [], unseenCount(state, handover)) })}</p>`}
    <form class="handover-decline" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); if (reason.trim()) desk.handing.decline(handover.id, reason.trim()); }}>
      <input data-testid="handover-why" maxlength="300" value=${reason} aria-label=${t('handover.reason')} placeholder=${t('handover.reason')} onInput=${(/** @type {any} */ event) => setReason(event.target.value)} />
      <button type="submit" data-testid="handover-decline" disabled=${reason.trim() === '' || state.socket !== 'open'}>${t('handover.decline')}</button></form>
  </section>`;
}

/** @param {{desk: import('../shell/console.js').Console, handover: any}} props */
function Progress({ desk, handover }) {
  const state = desk.state.value;
  const all = boardOf(state).items.length;
  const seen = all - unseenCount(state, handover);
  return html`<p class="handover-progress"><b data-testid="handover-progress">${desk.t('handover.waiting', { seen, all })}</b>
    <span class="bar"><span class="bar-fill" style=${{ transform: `scaleX(${all === 0 ? 1 : (seen / all).toFixed(3)})` }}></span></span></p>`;
}

/** @param {{desk: import('../shell/console.js').Console}} props */
function Write({ desk }) {
  const { t } = desk;
  const state = desk.state.value;
  const [text, setText] = useState('');
  const [vehicle, setVehicle] = useState('');
  if (!mayHandOver(state)) return null;
  const ready = state.socket === 'open' && text.trim() !== '';
  const add = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (ready && desk.handing.write(text.trim(), vehicle)) setText('');
  };
  return html`<form class="box handover-write" data-testid="note-form" onSubmit=${add}>
    <h3>${t('handover.write')}</h3>
    <label><small>${t('handover.about')}</small><select data-testid="note-vehicle" value=${vehicle} onChange=${(/** @type {any} */ event) => setVehicle(event.target.value)}>
      <option value="">${t('handover.general')}</option>${state.order.map((id) => html`<option key=${id} value=${id}>${desk.nameOf(id)}</option>`)}</select></label>
    <label><small>${t('handover.note_text')}</small><textarea data-testid="note-text" rows="3" maxlength=${MAX_NOTE} value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)}></textarea></label>
    <span class="pair"><button type="submit" data-testid="note-add" disabled=${!ready}>${t('handover.add')}</button><small>${t('handover.note_full', { n: text.length })}</small></span>
    <small>${t('handover.note_hint')}</small>
  </form>`;
}

/** Why the hub did not do it. @param {{desk: import('../shell/console.js').Console, handover: any}} props */
function Refused({ desk, handover }) {
  const { refusal } = desk.state.value;
  if (refusal === null || !['handover', 'note', handover?.id].includes(refusal.ref)) return null;
  return html`<p class="box refused" role="status" data-testid="handover-refused" data-reason=${refusal.reason}>${desk.t('handover.refused', { why: desk.t(`refusal.${refusal.reason}`, {}, refusal.reason) })}</p>`;
}

/** @param {{desk: import('../shell/console.js').Console, open: any[]}} props */
function Others({ desk, open }) {
  const { t } = desk;
  const state = desk.state.value;
  const others = open.filter((one) => partOf(state, one) === 'other');
  const ended = endedHandovers(state);
  if (others.length + ended.length === 0) return null;
  return html`<section class="box handover-others"><h3>${t('handover.recent')}</h3><ul>
    ${others.map((one) => html`<li key=${one.id} data-testid="handover-other">${t('handover.others', { from: one.leaving, to: one.taking })} <small>${t('handover.waiting', {
      all: boardOf(state).items.length, seen: boardOf(state).items.length - unseenCount(state, one) })}</small></li>`)}
    ${ended.map((one) => html`<li key=${one.id} data-testid="handover-over" data-state=${one.state}>${t(`handover.ended.${one.state}`, {
      time: clockOf(desk, one.since_ns), from: one.leaving, to: one.taking, why: one.reason ?? '' })}</li>`)}</ul></section>`;
}

/** Beside the queue, on every screen: a shift is offered to this person, or by him. @param {{desk: import('../shell/console.js').Console}} props */
export const HandoverLine = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  const mine = openHandovers(state).find((one) => partOf(state, one) !== 'other');
  if (mine === undefined) return null;
  const taking = partOf(state, mine) === 'taking';
  const all = boardOf(state).items.length;
  return html`<button class=${`duty-line handover-line ${taking ? 'taking' : ''}`} data-testid="handover-line" data-part=${taking ? 'taking' : 'leaving'}
      onClick=${() => desk.dispatch({ type: 'local.screen', screen: 'handover' })}>
    <span class="card-head"><strong>${t(taking ? 'handover.line' : 'handover.line_leaving')}</strong></span>
    <span class="duty-next"><span>${mine.leaving} → ${mine.taking}</span><b>${t('handover.waiting', { seen: all - unseenCount(state, mine), all })}</b></span>
  </button>`;
};

/** @param {import('../shell/console.js').Console} desk @param {string} reason @param {readonly string[]} vehicles @param {number} [n] */
function why(desk, reason, vehicles, n = 0) {
  return desk.t(`handover.block.${reason}`, { what: vehicles.map((id) => desk.nameOf(id)).join('・'), n });
}

/** The wall clock of an instant, JST. @param {import('../shell/console.js').Console} desk @param {number} at_ns */
function clockOf(desk, at_ns) {
  const { welcome } = desk.state.value;
  return wallClock(welcome.hub_utc_ns / 1e6 + (at_ns - welcome.hub_now_ns) / 1e6, JST_H).slice(0, 5);
}
