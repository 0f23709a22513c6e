// @ts-check
/** What alarms ask of the people here: rates, floods, times, the worst alarms. */
import { ownLoad, shares } from '../core/alarmlist.js';
import { html } from '../view.js';
import { alarmText } from './alarmline.js';

const PLOT = { width: 288, height: 40 };
/** Above this in ten minutes an operator is in a flood. */
const FLOOD = 10;

/** @param {{desk: import('../shell/console.js').Console}} props */
export function AlarmLoad({ desk }) {
  const { t } = desk;
  const kpi = desk.state.value.alarm_kpi;
  if (!kpi) return null;
  const own = ownLoad(desk.state.value);
  const parts = own && shares(own.by_priority);
  const day = own ? own.by_priority.reduce((/** @type {number} */ sum, /** @type {number} */ n) => sum + n, 0) : 0;
  return html`<section class="kpi" data-testid="alarm-kpi" aria-label=${t('kpi.title')}>
    ${own && html`
      <${Figure} name=${t('kpi.last')} value=${own.last_10_min} unit=${t('kpi.unit')} bad=${own.flood} />
      <${Figure} name=${t('kpi.rate')} value=${own.per_10_min === null ? '—' : own.per_10_min.toFixed(1)} />
      <${Figure} name=${t('kpi.day')} value=${day} unit=${t('kpi.unit')} />
      <${Figure} name=${t('kpi.shares')} value=${parts ? parts.join(' / ') : '—'} unit=${parts ? '%' : ''} />
      <${Figure} name=${t('kpi.median')} value=${own.acknowledge_s === null ? '—' : own.acknowledge_s.toFixed(0)} unit=${own.acknowledge_s === null ? '' : 's'} />
      <${Figure} name=${t('kpi.flood')} value=${(100 * own.flood_share).toFixed(1)} unit="%" />`}
    <${Figure} name=${t('kpi.standing')} value=${kpi.standing} unit=${t('kpi.unit')} />
    <figure class="kpi-plot"><figcaption>${t('kpi.history')}</figcaption><${History} counts=${kpi.history} /></figure>
    <div class="kpi-frequent"><span>${t('kpi.frequent')}</span>
      ${kpi.frequent.length === 0 ? html`<small>${t('kpi.none')}</small>` : html`<ol>${kpi.frequent.slice(0, 3).map((/** @type {any} */ one) => html`<li key=${one.id}><${Name} desk=${desk} id=${one.id} /> <b>${one.count}</b></li>`)}</ol>`}</div>
    ${kpi.operators.length > 1 && html`<div class="kpi-operators"><span>${t('kpi.operators')}</span>
      <ol>${kpi.operators.map((/** @type {any} */ one) => html`<li key=${one.account} class=${one.flood ? 'flooded' : ''}>${one.account} <b>${one.last_10_min}</b></li>`)}</ol></div>`}
  </section>`;
}

/** @param {{name: any, value: any, unit?: any, bad?: any}} props */
const Figure = ({ name, value, unit = '', bad = false }) =>
  html`<div class=${`kpi-figure ${bad ? 'bad' : ''}`}><span>${name}</span><b>${value} <small>${unit}</small></b></div>`;

/** @param {{desk: import('../shell/console.js').Console, id: any}} props */
const Name = ({ desk, id }) => {
  const [key, vehicle] = id.split('@');
  return html`${alarmText(desk, { key }).title} <small>${vehicle === 'hub' ? desk.t('alarm.hub_itself') : desk.nameOf(vehicle)}</small>`;
};

/** Bars of ten minutes each, the newest at the right; the line is where a flood begins. @param {{counts: any}} props */
const History = ({ counts }) => {
  const top = Math.max(FLOOD + 2, ...counts);
  const wide = PLOT.width / 144;
  const y = (/** @type {number} */ value) => PLOT.height - (value / top) * PLOT.height;
  return html`<svg viewBox=${`0 0 ${PLOT.width} ${PLOT.height}`} role="img" aria-label=${`${counts.at(-1)}`}>
    <line class="kpi-limit" x1="0" x2=${PLOT.width} y1=${y(FLOOD)} y2=${y(FLOOD)} />
    ${counts.map((/** @type {number} */ count, /** @type {number} */ at) => count > 0 && html`<rect key=${at} class=${count > FLOOD ? 'over' : ''}
      x=${PLOT.width - (counts.length - at) * wide} y=${y(count)} width=${Math.max(1, wide - 0.4)} height=${PLOT.height - y(count)} />`)}
    <line class="kpi-base" x1="0" x2=${PLOT.width} y1=${PLOT.height} y2=${PLOT.height} />
  </svg>`;
};
