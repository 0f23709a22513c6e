// @ts-check
/** Attention queue: who needs a person, why, how long is left, whose turn it is. */
import { useRef } from 'preact/hooks';
import { queueEntries } from '../core/attention.js';
import { countdown, dashed } from '../core/format.js';
import { stableOrder } from '../core/select.js';
import { html } from '../view.js';
import { alarmText } from './alarmline.js';
import { Chip } from './chip.js';
import { Holder } from './control.js';
import { DutyLines } from './duties.js';
import { HandoverLine } from './handover.js';

/** @param {{desk: import('../shell/console.js').Console}} props */
export const Queue = ({ desk }) => html`<${Cards} desk=${desk} />`;

/** @param {{desk: import('../shell/console.js').Console}} props */
function Cards({ desk }) {
  const { t } = desk;
  const state = desk.state.value;
  const inside = useRef(false);
  const order = useRef(/** @type {string[]} */ ([]));
  const entries = Object.fromEntries(queueEntries(state).map((one) => [one.key, one]));
  order.current = stableOrder(order.current, Object.keys(entries), inside.current);
  const shown = order.current.map((key) => entries[key]);
  const near = shown.filter(({ whose }) => whose !== 'others');
  const far = shown.filter(({ whose }) => whose === 'others');
  const connected = state.socket === 'open' && state.seq !== null;
  return html`<aside class="queue" data-testid="queue" aria-label=${t('queue.title')}
      onPointerEnter=${() => (inside.current = true)} onPointerLeave=${() => (inside.current = false)}>
    <${DutyLines} desk=${desk} />
    <${HandoverLine} desk=${desk} />
    <h2>${t('queue.title')} <b>${near.length || ''}</b></h2>
    ${state.closed.map((one) => html`<p key=${one.key} class="card-closed" role="status"
      data-testid=${`closed-${dashed(one.vehicle)}`} data-how=${one.how}>✓ ${desk.nameOf(one.vehicle)}<br />${t(`queue.closed_${one.how}`)}</p>`)}
    ${near.map((entry) => html`<${Card} key=${entry.key} desk=${desk} entry=${entry} />`)}
    ${shown.length === 0 && html`<p class="empty" data-testid="queue-empty">${t(connected ? 'queue.empty' : 'queue.empty_unknown')}</p>`}
    ${far.length > 0 && html`<h3 class="queue-part">${t('queue.others')}</h3>`}
    ${far.map((entry) => html`<${Card} key=${entry.key} desk=${desk} entry=${entry} />`)}
  </aside>`;
}

/** @param {{desk: import('../shell/console.js').Console, entry: import('../core/attention.js').QueueEntry}} props */
function Card({ desk, entry }) {
  const { t } = desk;
  const state = desk.state.value;
  const { request, alarm, whose } = entry;
  const current = request !== null && state.takeover === entry.key;
  const open = () => (request ? desk.openCard(request) : desk.dispatch({ type: 'local.intervene', vehicle: entry.vehicle }));
  const flash = whose !== 'others' && (request === null || request.state === 'open');
  const isSeat = Boolean(state.welcome?.seat);
  return html`<button class=${`card ${whose} ${current ? 'current' : ''}`} data-testid=${`${entry.kind === 'alarm' ? 'alarm-card' : 'card'}-${dashed(entry.vehicle)}`}
      data-request=${request?.id ?? ''} data-alarm=${alarm?.key ?? ''} data-state=${request?.state ?? alarm?.state} data-whose=${whose} data-step=${entry.step} onClick=${open}>
    <span class="card-head"><${Chip} priority=${entry.priority} flash=${flash} title=${t(`priority.${entry.priority}`)} />
      <strong>${desk.nameOf(entry.vehicle)}</strong></span>
    <span class="card-reason">${request ? t(`reason.${request.reason}`, {}, request.reason || t('reason.other')) : alarmText(desk, alarm).title}</span>
    ${entry.step === 'unanswered' || (request && request.state === 'unanswered')
      ? html`<span class="card-note">${t('queue.unanswered')}</span>`
      : html`<${TimeLeft} desk=${desk} request=${entry} />`}
    <span class="card-foot">${isSeat && html`<span class="card-whose">${whose === 'mine' ? t('queue.mine') : whose === 'everybody' ? t('queue.everybody')
      : t('queue.others_seat', { who: entry.accounts.join('・') })}${entry.step === 'neighbour' || entry.step === 'supervisor' ? html` <small>${t(`queue.step.${entry.step}`)}</small>` : ''}</span>`}
      ${whose !== 'others' && html`<span class="card-open">${t(request ? 'queue.open' : 'queue.look')}</span>`}</span>
    ${request?.answered_by && html`<span class="card-note">${t('queue.answered_by', { who: request.answered_by })}</span>`}
    <${Holder} desk=${desk} vehicle=${entry.vehicle} />
  </button>`;
}

/** @param {{desk: import('../shell/console.js').Console, request: any}} props */
export function TimeLeft({ desk, request }) {
  const { t } = desk;
  void desk.tick.value;
  if (request.deadline_ns === null) return html`<span class="left">${t('queue.left')} ${t('queue.no_limit')}</span>`;
  const left_ms = request.deadline_ns / 1e6 - desk.hubNow();
  const whole_ms = Math.max(1, (request.deadline_ns - request.raised_ns) / 1e6);
  const share = Math.min(1, Math.max(0, left_ms / whole_ms));
  return html`<span class="left" data-testid="time-left" data-ms=${Math.round(left_ms)}>
    <span class="left-row"><small>${t('queue.left')}</small><b>${left_ms > 0 ? countdown(left_ms) : t('queue.passed')}</b></span>
    <span class="bar"><span class="bar-fill" style=${{ transform: `scaleX(${share.toFixed(3)})` }}></span></span>
  </span>`;
}
