// @ts-check
/** Control on every screen: who has it, how it is taken, given back, and lost. */
import { useState } from 'preact/hooks';
import { CAUSES, controlOf, handBackChecklist, heldVehicle, isMine, MAY_PREEMPT, standingOf, stepsReached, takeBlockedBy } from '../core/control.js';
import { dashed, seconds, shortName } from '../core/format.js';
import { html } from '../view.js';

/** For the top strip: none, or which vehicle. @param {{desk: import('../shell/console.js').Console}} props */
export const ControlStrip = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  const open = state.socket === 'open' && state.seq !== null;
  const held = open ? heldVehicle(state) : null;
  const standing = held === null ? (open ? 'none' : 'unknown') : standingOf(state, held);
  const words = held === null ? t(`control.${standing}`)
    : t(standing === 'confirming' ? 'control.you_take' : standing === 'releasing' ? 'control.you_return' : 'control.you_hold', { vehicle: shortName(held) });
  return html`<span class=${`control ${standing}`} data-testid="control" data-standing=${standing} data-vehicle=${held ?? ''}>
    <small>${t('control.title')}</small> <b>${words}</b>
    ${desk.holding.value > 0 && html`<i class="hold"><span style=${{ transform: `scaleX(${desk.holding.value.toFixed(2)})` }}></span></i>`}</span>`;
};

/** Who has control of a vehicle; nothing while nobody has. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const Holder = ({ desk, vehicle }) => {
  const { t } = desk;
  void desk.controls.value;
  const state = desk.state.peek();
  const control = controlOf(state, vehicle);
  if (control === null || control.state === 'free') return null;
  void desk.tick.value;
  const mine = state.socket === 'open' && isMine(state, control);
  const doubt = !control.vehicle_confirms && control.state === 'held';
  return html`<span class=${`holder ${mine ? 'mine' : ''}`} data-testid=${`holder-${dashed(vehicle)}`} data-holder=${control.holder}
      data-mine=${String(mine)} data-state=${control.state}>
    ${holderText(desk, control)}
    <small>${t('control.since', { age: seconds(desk.since(control.since_ns) ?? 0) })}${doubt ? ` — ${t('control.unconfirmed')}` : ''}</small></span>`;
};

/** Whose it is; without the hub only whose it last was: this seat has nothing then. @param {import('../shell/console.js').Console} desk @param {any} control */
export function holderText({ t, state }, control) {
  if (state.peek().socket !== 'open') return t('control.last_known', { who: control.holder });
  return isMine(state.peek(), control) ? t('control.held_here') : t('control.held_by', { who: control.holder });
}

/** Control that ended without being given back: said until it is understood. @param {{desk: import('../shell/console.js').Console}} props */
export const GoneBanner = ({ desk }) => {
  const { t } = desk;
  const { gone } = desk.state.value;
  if (gone === null) return null;
  return html`<p class="banner note" role="alert" data-testid="banner-gone" data-how=${gone.how} data-vehicle=${gone.vehicle}>
    <span>${t('gone.lost', { vehicle: desk.nameOf(gone.vehicle) })}: ${t(`ended.${gone.how}`, {}, gone.how)}
      ${gone.by ? ` ${t('gone.by', { who: gone.by })}` : ''}${gone.reason ? ` — ${gone.reason}` : ''}</span>
    <button data-testid="gone-dismiss" onClick=${() => desk.dispatch({ type: 'local.gone', gone: null })}>${t('gone.dismiss')}</button></p>`;
};

const STEPS = ['ask', 'offer', 'accept', 'confirm'];

/** In the take-over screen: the steps, and what can be done. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const ControlBox = ({ desk, vehicle }) => {
  const { t } = desk;
  const state = desk.state.value;
  void desk.tick.value;
  const standing = standingOf(state, vehicle.id);
  const control = controlOf(state, vehicle.id);
  const { taking } = state;
  const refused = taking !== null && taking.vehicle === vehicle.id ? taking.refused : '';
  const asked = taking?.vehicle === vehicle.id && refused === '';
  const reached = stepsReached(standing) || (asked ? 1 : 0);
  const blocked = takeBlockedBy(state, vehicle.id, desk.seatArmed.value);
  const words = standing === 'other' ? t('control.held_by', { who: control.holder })
    : standing === 'held' ? `${t('control.held_here')} — ${t(control.purpose === 'drive' ? 'control.for_drive' : 'control.for_assist')}`
    : standing === 'releasing' ? t('control.releasing') : standing === 'unknown' ? t('control.unknown')
    : standing === 'free' ? t('control.free') : '';
  return html`<section class=${`box control-box ${standing}`} data-testid=${`control-${dashed(vehicle.id)}`} data-standing=${standing} data-refused=${refused}>
    <h3>${t('control.title')} ${control && control.state !== 'free' && html`<small>${t('control.since', { age: seconds(desk.since(control.since_ns) ?? 0) })}</small>`}</h3>
    ${words && html`<b>${words}</b>`}
    ${reached > 0 && html`<span class="steps">${STEPS.map((step, index) => html`<span key=${step} class=${index < reached ? 'reached' : 'ahead'}>${index > 0 ? ' ▸ ' : ''}${t(`control.step_${step}`)}</span>`)}</span>`}
    ${refused !== '' && html`<p class="blocked" role="status">${t('control.refused', { why: whyRefused(desk, refused) })}</p>`}
    <${Buttons} desk=${desk} vehicle=${vehicle} standing=${standing} blocked=${blocked} refused=${refused} />
    ${standing === 'other' && MAY_PREEMPT.includes(state.welcome?.role) && html`<${Preempt} desk=${desk} vehicle=${vehicle} />`}
  </section>`;
};

/** Why this console does not ask. @param {import('../shell/console.js').Console} desk @param {string} reason */
function whyNot(desk, reason) {
  return desk.t(`takeblock.${reason}`, {}, reason);
}

/** Why it did not come: the hub's refusal, how an offer ended, or this console's own reason. @param {import('../shell/console.js').Console} desk @param {string} reason */
function whyRefused(desk, reason) {
  return desk.t(`refusal.${reason}`, {}, desk.t(`ended.${reason}`, {}, whyNot(desk, reason)));
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, standing: any, blocked: any, refused: any}} props */
const Buttons = ({ desk, vehicle, standing, blocked, refused }) => {
  const { t } = desk;
  const id = dashed(vehicle.id);
  if (standing === 'offered' && desk.state.value.taking === null) {
    return html`<span class="pair"><button class="primary" data-testid=${`accept-${id}`} onClick=${() => desk.taking.accept(vehicle.id)}>${t('control.accept')}</button>
      <button data-testid=${`decline-${id}`} onClick=${() => desk.taking.giveBack(vehicle.id)}>${t('control.decline')}</button></span>`;
  }
  if (standing !== 'free') return null;
  return html`<button class="take" data-testid=${`take-${id}`} disabled=${blocked !== ''} data-blocked=${blocked} onClick=${() => desk.taking.take(vehicle.id, { request_id: requestOf(desk, vehicle.id) })}>
      ${t('control.take')} <small>${t('control.hold_key')}</small></button>
    ${blocked !== '' && refused === '' && html`<p class="blocked" data-testid=${`take-blocked-${id}`}>${t('control.cannot', { why: whyNot(desk, blocked) })}</p>`}`;
};

/** @param {import('../shell/console.js').Console} desk @param {string} vehicle */
function requestOf(desk, vehicle) {
  const { takeover, requests } = desk.state.peek();
  const request = takeover === null ? null : requests[takeover];
  return request?.vehicle === vehicle ? request.id : '';
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
const Preempt = ({ desk, vehicle }) => {
  const { t } = desk;
  const [reason, setReason] = useState('');
  const blocked = takeBlockedBy(desk.state.value, vehicle.id, desk.seatArmed.value, reason);
  const id = dashed(vehicle.id);
  return html`<form class="preempt" onSubmit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    if (blocked === '') desk.taking.take(vehicle.id, { request_id: requestOf(desk, vehicle.id), preempt: reason.trim() });
  }}>
    <label>${t('preempt.title')}<input data-testid=${`preempt-reason-${id}`} maxlength="200" value=${reason} placeholder=${t('preempt.placeholder')}
      onInput=${(/** @type {any} */ event) => setReason(event.target.value)} /></label>
    <button type="submit" data-testid=${`preempt-${id}`} disabled=${blocked !== ''} data-blocked=${blocked}>${t('preempt.do')}</button>
    ${blocked !== '' && html`<small>${whyNot(desk, blocked)}</small>`}
  </form>`;
};

const MARKS = new Map([[true, '✓'], [false, '✕'], [null, '?']]);

/** Before control is given back: what holds, then one tap with the cause. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const HandBack = ({ desk, vehicle }) => {
  const { t } = desk;
  const state = desk.state.value;
  void desk.tick.value;
  if (standingOf(state, vehicle.id) !== 'held') return null;
  return html`<section class="box handback" data-testid=${`handback-${dashed(vehicle.id)}`}>
    <h3>${t('handback.title')}</h3>
    <ul>${handBackChecklist(state, vehicle).map(({ item, ok }) => html`<li key=${item} class=${ok ? 'met' : 'unmet'} data-item=${item} data-ok=${String(ok)}><b>${MARKS.get(ok)}</b> ${t(`handback.${item}`)}</li>`)}</ul>
    <small>${t('handback.cause')} — ${t('control.hold_key')}</small>
    <div class="causes">${CAUSES.map((cause) => html`<button key=${cause} data-testid=${`cause-${cause}`} onClick=${() => desk.taking.giveBack(vehicle.id, cause)}>${t(`cause.${cause}`)}</button>`)}</div>
  </section>`;
};
