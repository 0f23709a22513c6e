// @ts-check
/** What may follow when no answer card fits: a path, a speed limit, equipment, driving. */
import { useState } from 'preact/hooks';
import { equipmentOf, MAX_DECISION_AGE_MS, orderBlockedBy } from '../core/answers.js';
import { dashed, seconds } from '../core/format.js';
import { durationOf, fromVehicle, lengthOf, pathProblem, withoutLast } from '../core/path.js';
import { html } from '../view.js';
import { DrivePanel } from './drive.js';

const PATH_MPS = 10 / 3.6;
const LIMITS_KMH = [5, 10, 20];

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, request: any}} props */
export const More = ({ desk, vehicle, request }) => {
  const { t } = desk;
  const [tab, setTab] = useState('path');
  const body = { path: PathEdit, limit: LimitSet, equipment: Equipment, drive: DrivePanel }[tab];
  return html`<section class="box more"><nav class="tabs" aria-label=${t('more.title')}>${['path', 'limit', 'equipment', 'drive'].map((name) => html`<button key=${name}
      class="tab" data-testid=${`more-${name}`} aria-pressed=${String(tab === name)} onClick=${() => setTab(name)}>${t(`more.${name}`)}</button>`)}</nav>
    <${body} desk=${desk} vehicle=${vehicle} request=${request} />
  </section>`;
};

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, request: any}} props */
const PathEdit = ({ desk, vehicle, request }) => {
  const { t } = desk;
  void desk.tick.value;
  const path = desk.path.value;
  const pose = vehicle.pose;
  const why = orderBlockedBy(desk.state.value, vehicle.id, 'follow_path', desk.picture(vehicle.id));
  if (path === null || path.vehicle !== vehicle.id) {
    return html`<button data-testid="path-begin" onClick=${() => (desk.path.value = { vehicle: vehicle.id, points: [] })}>${t('path.begin')}</button>
      ${why && html`<small class="why-not">${t('more.cannot', { why: t(`blocked.${why}`) })}</small>`}`;
  }
  const whole = fromVehicle(pose, path.points);
  const problem = pathProblem(pose, path.points);
  const send = () => {
    if (orderBlockedBy(desk.state.peek(), vehicle.id, 'follow_path', desk.picture(vehicle.id), MAX_DECISION_AGE_MS) !== '') return;
    desk.orders.order(vehicle.id, { type: 'follow_path', points: whole, max_speed_mps: PATH_MPS, request_id: request?.id ?? '' });
    desk.path.value = null;
  };
  return html`<p data-testid="path-measure" data-points=${path.points.length}>${path.points.length === 0 ? t('path.hint')
      : t('path.measure', { points: path.points.length, metres: Math.round(lengthOf(whole)), seconds: seconds(durationOf(whole, PATH_MPS) * 1000), kmh: Math.round(PATH_MPS * 3.6) })}</p>
    <span class="pair">
      <button class="primary" data-testid="path-send" disabled=${problem !== '' || why !== ''} data-blocked=${problem || why} onClick=${send}>${t('path.send')}</button>
      <button data-testid="path-undo" disabled=${path.points.length === 0} onClick=${() => (desk.path.value = { ...path, points: withoutLast(path.points) })}>${t('path.undo')}</button>
      <button data-testid="path-cancel" onClick=${() => (desk.path.value = null)}>${t('path.cancel')}</button></span>
    ${(problem || why) && html`<small class="why-not">${t('more.cannot', { why: problem ? t(`path.${problem}`) : t(`blocked.${why}`) })}</small>`}`;
};

/** @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
const LimitSet = ({ desk, vehicle }) => {
  const { t } = desk;
  const limit = vehicle.supervision?.speed_limit;
  const may = ['operator', 'supervisor'].includes(desk.state.value.welcome?.role) && desk.state.value.socket === 'open';
  const supported = vehicle.commands.includes('limit_speed');
  const why = !may ? t('blocked.role') : supported ? '' : t('blocked.not_supported');
  return html`<p>${limit ? t('setlimit.now', { n: Math.round(limit.kmh), who: t(`limit.by.${limit.set_by}`, {}, limit.set_by) }) : t('setlimit.none')}
      ${limit && html`<small>${t(`limit.state.${limit.state}`, {}, limit.state)}</small>`}</p>
    <span class="pair">${LIMITS_KMH.map((kmh) => html`<button key=${kmh} data-testid=${`limit-${kmh}`} disabled=${why !== ''} onClick=${() => desk.orders.limit(vehicle.id, kmh)}>${t('setlimit.to', { n: kmh })}</button>`)}
      <button data-testid="limit-clear" disabled=${why !== ''} onClick=${() => desk.orders.limit(vehicle.id, null)}>${t('setlimit.clear')}</button></span>
    <small>${why ? t('more.cannot', { why }) : t('setlimit.note')}</small>`;
};

/** @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
const Equipment = ({ desk, vehicle }) => {
  const { t } = desk;
  void desk.tick.value;
  const [text, setText] = useState('');
  const [outside, setOutside] = useState(false);
  const have = equipmentOf(vehicle);
  if (have.length === 0) return html`<p class="empty">${t('equip.none')}</p>`;
  const picture = desk.picture(vehicle.id);
  const why = (/** @type {string} */ type) => orderBlockedBy(desk.state.value, vehicle.id, type, picture);
  const button = (/** @type {string} */ word, /** @type {any} */ body) => html`<button data-testid=${`equip-${word}`} disabled=${why(body.type) !== ''}
    data-blocked=${why(body.type)} onClick=${() => desk.orders.order(vehicle.id, body)}>${t(`equip.${word}`)}</button>`;
  const first = why(have[0]);
  const { doors_open: doors, implement } = vehicle;
  return html`
    ${have.includes('doors') && html`<span class="pair">${doors != null && html`<b>${t(doors ? 'equip.doors_are_open' : 'equip.doors_are_closed')}</b>`}
      ${button('doors_open', { type: 'doors', open: true })}${button('doors_close', { type: 'doors', open: false })}</span>`}
    ${have.includes('announce') && html`<form class="announce" onSubmit=${(/** @type {Event} */ event) => {
        event.preventDefault();
        if (text.trim() === '' || why('announce') !== '') return;
        desk.orders.order(vehicle.id, { type: 'announce', text: text.trim(), outside });
        setText('');
      }}><input data-testid="announce-text" maxlength="200" value=${text} aria-label=${t('equip.announce')} placeholder=${t('equip.announce')} onInput=${(/** @type {any} */ event) => setText(event.target.value)} />
      <label><input type="checkbox" checked=${outside} onChange=${(/** @type {any} */ event) => setOutside(event.target.checked)} /> ${t('equip.outside')}</label>
      <button type="submit" data-testid="announce-send" disabled=${text.trim() === '' || why('announce') !== ''}>${t('equip.say')}</button></form>`}
    ${have.includes('implement') && html`<span class="pair">
      ${implement && html`<b>${t(implement.lowered ? 'equip.is_lowered' : 'equip.is_raised')} / ${t(implement.pto ? 'equip.pto_is_on' : 'equip.pto_is_off')}</b>`}
      ${button('lower', { type: 'implement', lowered: true })}${button('raise', { type: 'implement', lowered: false })}
      ${button('pto_on', { type: 'implement', pto: true })}${button('pto_off', { type: 'implement', pto: false })}</span>`}
    ${first !== '' && html`<small class="why-not" data-testid=${`equip-blocked-${dashed(vehicle.id)}`}>${t('more.cannot', { why: t(`blocked.${first}`) })}</small>`}`;
};
