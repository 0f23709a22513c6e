// @ts-check
/** Attention queue: who needs a person, why, how long is left, who has it. */
import { useRef } from 'preact/hooks';
import { countdown, dashed } from '../core/format.js';
import { openRequests, requestPriority, stableOrder } from '../core/select.js';
import { requestKey } from '../core/store.js';
import { html } from '../view.js';
import { Chip } from './chip.js';
import { Holder } from './control.js';

/** @param {{desk: import('../shell/console.js').Console}} props */
export const Queue = ({ desk }) => html`<${Cards} desk=${desk} />`;

/** @param {{desk: import('../shell/console.js').Console}} props */
function Cards({ desk }) {
  const { t } = desk;
  const state = desk.state.value;
  const inside = useRef(false);
  const order = useRef(/** @type {string[]} */ ([]));
  const requests = Object.fromEntries(openRequests(state).map((one) => [requestKey(one), one]));
  order.current = stableOrder(order.current, Object.keys(requests), inside.current);
  const connected = state.socket === 'open' && state.seq !== null;
  return html`<aside class="queue" data-testid="queue" aria-label=${t('queue.title')}
      onPointerEnter=${() => (inside.current = true)} onPointerLeave=${() => (inside.current = false)}>
    <h2>${t('queue.title')} <b>${order.current.length || ''}</b></h2>
    ${state.closed.map((one) => html`<p key=${one.key} class="card-closed" role="status"
      data-testid=${`closed-${dashed(one.vehicle)}`} data-how=${one.how}>✓ ${desk.nameOf(one.vehicle)}<br />${t(`queue.closed_${one.how}`)}</p>`)}
    ${order.current.map((key) => html`<${Card} key=${key} desk=${desk} request=${requests[key]} current=${state.takeover === key} />`)}
    ${order.current.length === 0 && html`<p class="empty" data-testid="queue-empty">${t(connected ? 'queue.empty' : 'queue.empty_unknown')}</p>`}
  </aside>`;
}

/** @param {{desk: import('../shell/console.js').Console, request: any, current: boolean}} props */
function Card({ desk, request, current }) {
  const { t } = desk;
  const priority = requestPriority(desk.state.value, request);
  const open = () => desk.openCard(request);
  return html`<button class=${`card ${current ? 'current' : ''}`} data-testid=${`card-${dashed(request.vehicle)}`}
      data-request=${request.id} data-state=${request.state} onClick=${open}>
    <span class="card-head"><${Chip} priority=${priority} flash=${request.state === 'open'} title=${t(`priority.${priority}`)} />
      <strong>${desk.nameOf(request.vehicle)}</strong></span>
    <span class="card-reason">${t(`reason.${request.reason}`, {}, request.reason || t('reason.other'))}</span>
    ${request.state === 'unanswered'
      ? html`<span class="card-note">${t('queue.unanswered')}</span>`
      : html`<${TimeLeft} desk=${desk} request=${request} />`}
    ${request.answered_by && html`<span class="card-note">${t('queue.answered_by', { who: request.answered_by })}</span>`}
    <${Holder} desk=${desk} vehicle=${request.vehicle} />
    <span class="card-open">${t('queue.open')}</span>
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
