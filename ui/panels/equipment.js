// @ts-check
/** The hub itself and this seat, beside the table of vehicles. */
import { useEffect, useState } from 'preact/hooks';
import { lasting, size, sparkline } from '../core/fleet.js';
import { seconds } from '../core/format.js';
import { KEPT } from '../shell/equipment.js';
import { selfCheck } from '../shell/selfcheck.js';
import { html } from '../view.js';

/** Known parts of a hub, in the order in which they are shown. */
const PARTS = ['broker', 'media', 'audit', 'journal'];
/** An answer is asked for every three seconds; one older than this is no present value. */
const STALE_MS = 10_000;

/** @param {{desk: import('../shell/console.js').Console}} props */
export function Hub({ desk }) {
  const { t } = desk;
  void desk.histories.taken.value;
  const answer = desk.equipment.answer.value;
  const problem = desk.equipment.problem.value;
  const age_ms = desk.equipment.at_ms === null ? null : performance.now() - desk.equipment.at_ms;
  if (answer === null) return html`<section class="fleet-hub" data-testid="fleet-hub" data-state=${problem || 'waiting'}><h2>${t('fleet.hub')}</h2><p class="empty">${t(`fleet.problem.${problem || 'waiting'}`)}</p></section>`;
  const { hub } = answer;
  const history = desk.equipment.rates.value;
  const now = history[history.length - 1];
  const stale = age_ms === null || age_ms > STALE_MS;
  const gauge = (/** @type {string} */ name) => hub.gauges[name] ?? null;
  const disk = gauge('enkan_storage_free_bytes');
  const stored = gauge('enkan_journal_stored_bytes');
  const written_s = gauge('enkan_journal_last_write_age_seconds');
  const lag = (/** @type {any} */ one) => (one.lag_ms === null ? null : one.lag_ms);
  return html`<section class=${`fleet-hub ${stale ? 'stale' : ''}`} data-testid="fleet-hub" data-state=${stale ? 'stale' : 'ready'}>
    <header><h2>${t('fleet.hub')}</h2><small>${stale || problem ? html`<b class="short">${problem ? t(`fleet.problem.${problem}`) : ''} ${t('fleet.age', { age: seconds(age_ms ?? 0) })}</b>` : ''}</small></header>
    <div class="fleet-parts">${PARTS.filter((name) => name in hub.parts).map((name) => html`<span key=${name} data-testid=${`part-${name}`} data-ready=${String(hub.parts[name])}>
      <small>${t(`fleet.part.${name}`)}</small> ${hub.parts[name] ? t('fleet.ready') : html`<span class="chip p2">▲2 ${t('fleet.not_ready')}</span>`}${name === 'broker' ? html` <small>${t(`fleet.broker.${hub.broker}`)}</small>` : ''}</span>`)}</div>
    <table class="fleet-figures"><tbody>
      <${Figure} name=${t('fleet.hub.version')} value=${hub.version} />
      <${Figure} name=${t('fleet.hub.uptime')} value=${lasting((answer.at_ns - hub.started_ns) / 1e6)} />
      <${Figure} name=${t('fleet.hub.events')} value=${rate(t, now?.events ?? null)} line=${history.map(({ events }) => events)} />
      <${Figure} name=${t('fleet.hub.lag')} value=${now?.lag_ms == null ? t('fleet.measuring') : `${now.lag_open ? '>' : '≤'} ${Math.round(now.lag_ms)} ms`} line=${history.map(lag)} />
      <${Figure} name=${t('fleet.hub.lost')} value=${String(hub.totals.enkan_hub_events_dropped_total ?? 0)} />
      <${Figure} name=${t('fleet.hub.disk')} value=${disk === null ? '—' : size(disk)} />
      <${Figure} name=${t('fleet.hub.journal')} value=${stored === null ? '—' : size(stored)} more=${written_s === null ? '' : t('fleet.hub.journal_age', { age: seconds(written_s * 1e3) })} />
      <${Figure} name=${t('fleet.hub.consoles')} value=${gauge('enkan_consoles') ?? '—'} />
      ${answer.workers.map((/** @type {any} */ worker) => html`<${Worker} key=${worker.worker} desk=${desk} worker=${worker} />`)}
    </tbody></table>
  </section>`;
}

/** @param {{desk: import('../shell/console.js').Console, worker: any}} props */
function Worker({ desk, worker }) {
  const { t } = desk;
  const history = desk.equipment.rates.value.map(({ workers }) => workers.find((one) => one.worker === worker.worker) ?? null);
  const now = history[history.length - 1];
  const packets = now?.packets_in == null || now.packets_out == null ? null : now.packets_in + now.packets_out;
  const line = history.map((one) => (one?.packets_in == null || one.packets_out == null ? null : one.packets_in + one.packets_out));
  const more = [
    worker.peers === null ? '' : t('fleet.worker.peers', { n: worker.peers }),
    now?.cpu == null ? '' : `CPU ${Math.round(now.cpu * 100)} %`,
    now?.dropped ? t('fleet.worker.drops', { n: Math.round(now.dropped) }) : '',
  ].filter(Boolean).join(' · ');
  return html`<${Figure} name=${t('fleet.worker', { n: worker.worker })} line=${line} more=${more}
    value=${worker.ready ? rate(t, packets, 'pkt') : html`<span class="chip p2">▲2 ${t('fleet.not_ready')}</span>`} />`;
}

/** @param {{name: string, value: any, line?: (number | null)[], more?: string}} props */
function Figure({ name, value, line, more }) {
  return html`<tr><th scope="row">${name}</th><td class="number">${value}${more ? html`<br /><small>${more}</small>` : ''}</td><td class="spark">${line ? html`<${Spark} values=${line} />` : ''}</td></tr>`;
}

/** @param {{values: (number | null)[]}} props */
function Spark({ values }) {
  return html`<svg class="sparkline" viewBox=${`0 0 ${KEPT} 1`} preserveAspectRatio="none" aria-hidden="true">
    ${sparkline(values, KEPT).map((points, index) => html`<polyline key=${index} points=${points} />`)}</svg>`;
}

/** @param {import('../shell/console.js').Console['t']} t @param {number | null} value @param {string} [unit] */
function rate(t, value, unit = '') {
  return value === null ? t('fleet.measuring') : t('fleet.per_s', { n: `${Math.round(value).toLocaleString('en')}${unit ? ` ${unit}` : ''}` });
}

/** @param {{desk: import('../shell/console.js').Console}} props */
export function SelfCheck({ desk }) {
  const { t } = desk;
  const [facts, setFacts] = useState(/** @type {import('../shell/selfcheck.js').Fact[]} */ ([]));
  const armed = desk.armed.value;
  const check = () => void selfCheck(desk).then(setFacts);
  useEffect(check, [desk, armed]);
  return html`<section class="fleet-seat" data-testid="fleet-seat"><header><h2>${t('fleet.seat')}</h2><button class="quiet" data-testid="seat-check" onClick=${check}>${t('fleet.seat.again')}</button></header>
    <table class="fleet-figures"><tbody>${facts.map(({ key, state, words }) => html`<tr key=${key} data-testid=${`seat-${key}`} data-state=${state}><th scope="row">${t(`fleet.seat.${key}`)}</th>
      <td>${state === 'bad' ? html`<b class="short">${t('fleet.seat.bad')}</b>` : state === 'ok' ? t('fleet.seat.ok') : ''} ${words}</td></tr>`)}</tbody></table></section>`;
}
