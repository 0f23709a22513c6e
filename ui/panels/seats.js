// @ts-check
/** Seats, their load, and which vehicle is on whose screen: for supervisors. */
import { elapsed } from '../core/duties.js';
import { dashed } from '../core/format.js';
import { html } from '../view.js';

/** Who sees this screen. */
export const MAY_SEE = ['supervisor', 'admin', 'auditor'];

/** @param {{desk: import('../shell/console.js').Console}} props */
export const Seats = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  return html`<div class="seats" data-testid="seats">
    <h2>${t('seats.title')}</h2>
    ${state.seats.length === 0 ? html`<p class="empty">${t('seats.none')}</p>` : html`<table>
      <thead><tr>${['account', 'armed', 'holds', 'requests', 'load'].map((name) => html`<th key=${name}>${t(`seats.${name}`)}</th>`)}</tr></thead>
      <tbody>${state.seats.map((seat) => html`<${Seat} key=${seat.seat} desk=${desk} seat=${seat} />`)}</tbody></table>`}
    <h2>${t('coverage.title')}</h2>
    <table data-testid="coverage"><thead><tr><th>${t('coverage.vehicle')}</th><th>${t('coverage.who')}</th></tr></thead>
      <tbody>${state.order.map((id) => html`<${Row} key=${id} desk=${desk} id=${id} />`)}</tbody></table>
  </div>`;
};

/** @param {{desk: import('../shell/console.js').Console, seat: any}} props */
function Seat({ desk, seat }) {
  const { t } = desk;
  const mine = seat.seat === desk.state.value.welcome?.seat;
  const over = seat.load >= 1;
  return html`<tr data-testid=${`seat-${seat.account}`} data-armed=${String(seat.armed)}>
    <td><b>${seat.account}</b> <small>${t(`role.${seat.role}`)}${mine ? ` · ${t('seats.this')}` : ''}</small></td>
    <td>${seat.armed ? t('seats.is_armed') : html`<b>${t('seats.is_not')}</b> <small>${seat.why_not.map((/** @type {string} */ why) => t(`seats.why.${why}`, {}, why)).join('・')}</small>`}</td>
    <td>${seat.holds ? html`<b>${desk.nameOf(seat.holds)}</b>` : '—'}</td>
    <td>${seat.requests}</td>
    <td class="load"><span class="bar"><span class="bar-fill" style=${{ transform: `scaleX(${Math.min(1, seat.load).toFixed(3)})` }}></span></span>
      <b>${Math.round(seat.load * 100)} %</b>${over ? html` <span class="chip p3">■3 ${t('seats.overload')}</span>` : ''}</td>
  </tr>`;
}

/** @param {{desk: import('../shell/console.js').Console, id: string}} props */
function Row({ desk, id }) {
  const { t } = desk;
  void desk.tick.value;
  const view = desk.state.value.coverage[id];
  const gap = view?.gap_since_ns != null;
  return html`<tr data-testid=${`coverage-${dashed(id)}`} data-gap=${String(gap)}>
    <td>${desk.nameOf(id)} <small>${id}</small></td>
    <td>${gap
      ? html`<span class="chip p3">■3 ${t('coverage.gap', { time: elapsed(desk.since(view.gap_since_ns) ?? 0) })}</span> <small>${t(`coverage.reason.${view.reason}`, {}, view.reason)}</small>`
      : view?.accounts.length ? view.accounts.join('・') : html`<small>${view && !view.in_operation ? t('coverage.not_needed') : '—'}</small>`}</td>
  </tr>`;
}
