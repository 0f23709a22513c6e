// @ts-check
/** What this seat adds to the delay: one figure in the strip with a warning in words, a breakdown. */
import { dashed, seconds } from '../core/format.js';
import { html } from '../view.js';

/** @typedef {import('../shell/console.js').Console} Desk */

/** In the strip. @param {{desk: Desk}} props */
export const SeatFigure = ({ desk }) => {
  const { t } = desk;
  const { state, ms, why } = desk.budget.value.value;
  const awake = desk.awake.state.value;
  const asleep = awake !== 'held' && awake !== 'off';
  return html`<button class=${`quiet seat-figure ${state === 'slow' || asleep ? 'slow' : ''}`} data-testid="seat-budget" data-state=${state} data-why=${why.join(' ')}
      data-ms=${ms === null ? '' : ms.toFixed(1)} data-awake=${awake} title=${t('budget.open')} onClick=${() => (desk.budget.shown.value = !desk.budget.shown.peek())}>
    <small>${t('budget.seat')}</small> ${ms === null ? '—' : `+${Math.round(ms)} ms`}${why.length > 0 ? html` <b>${t(`budget.short_${why[0]}`)}</b>` : ''}${asleep ? html` <b>${t('awake.short')}</b>` : ''}</button>`;
};

/** The breakdown. @param {{desk: Desk}} props */
export const SeatSheet = ({ desk }) => {
  const { t } = desk;
  if (!desk.budget.shown.value) return null;
  const { pictures, stalled_ms, longest_ms, stalls_known, why } = desk.budget.value.value;
  const clock = desk.clock.value;
  const { socket } = desk.state.value;
  const rows = [
    ['hub', socket !== 'open' ? t(`top.hub_${socket}`) : clock === null ? '—' : `${clock.rtt_ms.toFixed(1)} ms`, socket === 'open'],
    ['page', !stalls_known ? t('budget.untold') : t('budget.stalled', { n: Math.round(stalled_ms), longest: Math.round(longest_ms) }), !why.includes('stalled')],
    ['sound', t(desk.armed.value ? 'top.sound_on' : 'top.sound_off'), desk.armed.value],
    ['awake', t(`awake.${desk.awake.state.value}`), ['held', 'off'].includes(desk.awake.state.value)],
    ['tab', t(desk.visible.value ? 'top.tab_visible' : 'top.tab_hidden'), desk.visible.value],
  ];
  return html`<section class="sheet seat-sheet" role="dialog" aria-label=${t('budget.title')} data-testid="seat-sheet">
    <h2>${t('budget.title')}</h2>
    <dl class="seat-facts">${rows.map(([name, value, well]) => html`<div key=${name} data-testid=${`seat-${name}`}><dt>${t(`budget.${name}`)}</dt><dd class=${well ? '' : 'slow'}>${value}</dd></div>`)}</dl>
    ${pictures.length === 0 ? html`<p class="empty">${t('budget.none')}</p>` : html`<table class="seat-pictures">
      <thead><tr>${['camera', 'fps', 'waiting', 'decode', 'display', 'dropped', 'freezes'].map((name) => html`<th key=${name} scope="col">${t(`budget.${name}`)}</th>`)}</tr></thead>
      <tbody>${pictures.map((one) => html`<tr key=${one.vehicle + one.camera} data-testid=${`seat-picture-${dashed(one.vehicle)}-${one.camera}`} data-decode-ms=${one.decode_ms?.toFixed(2) ?? ''}>
        <th scope="row">${desk.nameOf(one.vehicle)} <small>${one.camera}</small></th>
        <td>${one.fps.toFixed(0)}</td><td>${milliseconds(one.waiting_ms)}</td>
        <td class=${one.decode_ms !== null && one.decode_ms > 50 ? 'slow' : ''}>${milliseconds(one.decode_ms)} <small>${one.hardware === null ? '' : t(one.hardware ? 'budget.hardware' : 'budget.software')}</small></td>
        <td>${milliseconds(one.display_ms)}</td>
        <td class=${one.dropped_share > 0.05 ? 'slow' : ''}>${(one.dropped_share * 100).toFixed(0)} %</td><td>${one.freezes}</td></tr>`)}</tbody></table>`}
    <p><small>${t('budget.note', { s: seconds(5_000) })}</small></p>
    ${why.map((one) => html`<p key=${one} class="seat-why" data-testid=${`seat-why-${one}`}><b>${t(`budget.slow_${one}`)}</b></p>`)}
    ${why.length > 0 && html`<p>${t('budget.advice')}</p>`}
    <footer><button data-testid="seat-close" onClick=${() => (desk.budget.shown.value = false)}>${t('help.close')}</button></footer>
  </section>`;
};

/** @param {number | null} ms */
function milliseconds(ms) {
  return ms === null ? '—' : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}
