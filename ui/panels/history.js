// @ts-check
/**
 * A vehicle's last ten minutes as charts: picture delay with its error band, round trip, loss,
 * bit rate, speed. Unknown is a gap; colour only where a limit is broken.
 *
 * The charts are drawn by hand into elements that the view library leaves alone.
 */
import { useEffect, useRef } from 'preact/hooks';
import { effect } from '@preact/signals';
import { band, ceiling, charts } from '../core/charts.js';
import { dashed, wallClock } from '../core/format.js';
import { html } from '../view.js';

const JST_H = 9;
/** An axis is at least this high, so that little does not look like much. */
const LEAST = { g2g: 250, rtt: 100, loss: 2, kbps: 1, speed: 10 };

/** @param {{desk: import('../shell/console.js').Console}} props */
export const HistorySheet = ({ desk }) => {
  const { t } = desk;
  const vehicle = desk.histories.shown.value;
  const known = vehicle !== null && desk.state.value.vehicles[vehicle] !== undefined;
  if (!known) return null;
  return html`<section class="sheet history-sheet" role="dialog" aria-label=${t('history.title')} data-testid="history" data-vehicle=${vehicle}>
    <header><h2>${desk.nameOf(vehicle)} <small>${vehicle}</small></h2><span>${t('history.title')}</span>
      <button data-testid="history-close" onClick=${() => desk.histories.toggle(null)}>${t('history.close')}</button></header>
    <${Charts} key=${vehicle} desk=${desk} vehicle=${vehicle} />
    <small class="minor">${t('history.gap')}</small>
  </section>`;
};

/** A small button that opens the history. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const HistoryButton = ({ desk, vehicle }) => html`<button class="quiet history-open" data-testid=${`history-open-${dashed(vehicle.id)}`}
  title=${desk.t('history.open_of', { who: desk.say(vehicle.name) })} onClick=${() => desk.histories.toggle(vehicle.id)}>${desk.t('history.open')}</button>`;

/** @param {{desk: import('../shell/console.js').Console, vehicle: string}} props */
export function Charts({ desk, vehicle }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const view = new ChartsView(desk, vehicle, /** @type {HTMLElement} */ (ref.current));
    return () => view.close();
  }, [desk, vehicle]);
  return html`<div class="charts" data-testid=${`charts-${dashed(vehicle)}`} ref=${ref}></div>`;
}

/** @typedef {{figure: HTMLElement, words: HTMLElement, value: HTMLElement, limit: HTMLElement, host: HTMLElement, plot: any}} Part */

class ChartsView {
  #desk;
  #vehicle;
  #root;
  /** @type {any} */
  #library = null;
  /** @type {Map<string, Part>} */
  #parts = new Map();
  /** @type {import('../core/charts.js').Chart[]} */
  #newest = [];
  /** Index of the second under the pointer; null: none. @type {number | null} */
  #pointed = null;
  #closed = false;
  #stops;
  #resized;
  #repainted;

  /** @param {import('../shell/console.js').Console} desk @param {string} vehicle @param {HTMLElement} root */
  constructor(desk, vehicle, root) {
    this.#desk = desk;
    this.#vehicle = vehicle;
    this.#root = root;
    this.#resized = new ResizeObserver(() => this.#size());
    this.#resized.observe(root);
    root.textContent = desk.t('history.loading');
    void import('uplot').then(({ default: library }) => {
      if (this.#closed) return;
      this.#library = library;
      root.textContent = '';
      this.#draw();
    });
    this.#stops = [
      effect(() => {
        void desk.histories.taken.value;
        this.#draw();
      }),
      effect(() => {
        void desk.language.value;
        this.#again();
      }),
    ];
    this.#repainted = new MutationObserver(() => this.#again());
    this.#repainted.observe(document.documentElement, { attributeFilter: ['data-palette'] });
  }

  close() {
    this.#closed = true;
    this.#stops.forEach((stop) => stop());
    this.#resized.disconnect();
    this.#repainted.disconnect();
    this.#parts.forEach(({ plot }) => plot.destroy());
  }

  /** Other colours or words: drawn anew. */
  #again() {
    if (this.#closed || this.#library === null) return;
    this.#parts.forEach(({ plot }) => plot.destroy());
    this.#parts.clear();
    this.#root.replaceChildren();
    this.#draw();
  }

  #draw() {
    if (this.#library === null || this.#closed) return;
    const history = this.#desk.histories.of(this.#vehicle);
    const supervision = this.#desk.state.peek().vehicles[this.#vehicle]?.supervision ?? null;
    this.#newest = charts(history, supervision);
    this.#root.dataset.known = String(history.known);
    // Seconds of this page's clock, shown as what the hub's wall clock said then.
    const shift = this.#utc() - performance.now() / 1_000;
    const x = history.seconds.map((second) => second + shift);
    for (const chart of this.#newest) {
      let part = this.#parts.get(chart.key);
      if (part === undefined) {
        part = this.#make(chart);
        this.#parts.set(chart.key, part);
      }
      const [low, high] = chart.bar ? band(chart.value, chart.bar) : [null, null];
      part.plot.setData([x, ...(low && high ? [low, high] : []), ...(chart.second ? [chart.second] : []), chart.limit, chart.value, chart.over], false);
      part.plot.batch(() => {
        part.plot.setScale('x', { min: x[0], max: x[x.length - 1] });
        part.plot.setScale('y', { min: 0, max: ceiling(chart, LEAST[/** @type {keyof typeof LEAST} */ (chart.key)]) });
      });
      this.#say(chart, part);
    }
  }

  /** The hub's wall clock, s; without it, this machine's. */
  #utc() {
    const { welcome } = this.#desk.state.peek();
    return welcome ? welcome.hub_utc_ns / 1e9 + (this.#desk.hubNow() - welcome.hub_now_ns / 1e6) / 1e3 : Date.now() / 1e3;
  }

  /** The value in words: the newest, or the one under the pointer. @param {import('../core/charts.js').Chart} chart @param {Part} part */
  #say(chart, part) {
    const { t } = this.#desk;
    const at = this.#pointed;
    const value = at === null ? chart.now : chart.value[at];
    const bar = at === null ? chart.now_bar : chart.bar?.[at] ?? null;
    const second = at === null ? chart.now_second : chart.second?.[at] ?? null;
    const limit = at === null ? chart.limit_now : chart.limit[at];
    const number = (/** @type {number} */ one) => one.toFixed(chart.digits);
    const words = value === null ? `— ${t('history.none')}`
      : `${number(value)}${bar === null ? '' : ` ±${Math.ceil(bar)}`} ${chart.unit}`
        + (chart.second ? ` ${t('history.loss_before')} / ${second === null ? '—' : `${number(second)} ${chart.unit}`} ${t('history.loss_after')}` : '');
    const when = at === null ? t('history.now') : wallClock((part.plot.data[0][at] ?? 0) * 1e3, JST_H);
    const over = value !== null && limit !== null && (chart.kind === 'most' ? value > limit : value < limit);
    write(part.value, `${when}: ${words}`);
    write(part.limit, limit === null ? '' : t(chart.kind === 'most' ? 'history.limit' : 'history.least', { n: `${number(limit)} ${chart.unit}` }));
    part.value.classList.toggle('over', over);
    part.figure.dataset.value = value === null ? '' : number(value);
    part.figure.dataset.over = String(over);
  }

  /** @param {import('../core/charts.js').Chart} chart @returns {Part} */
  #make(chart) {
    const figure = document.createElement('figure');
    figure.className = `chart chart-${chart.key}`;
    figure.dataset.testid = `chart-${chart.key}`;
    const caption = figure.appendChild(document.createElement('figcaption'));
    const words = caption.appendChild(document.createElement('b'));
    words.textContent = `${this.#desk.t(`history.${chart.key}`)} [${chart.unit}]`;
    const value = caption.appendChild(document.createElement('span'));
    const limit = caption.appendChild(document.createElement('small'));
    const host = figure.appendChild(document.createElement('div'));
    host.className = 'chart-host';
    this.#root.append(figure);
    const plot = new this.#library(this.#options(chart, host), [[], ...this.#lines(chart).map(() => [])], host);
    return { figure, words, value, limit, host, plot };
  }

  /** What is drawn, in the order of the data. @param {import('../core/charts.js').Chart} chart @returns {any[]} */
  #lines(chart) {
    const colour = colours();
    const points = { show: false };
    const edge = { stroke: 'transparent', width: 0, points };
    return [
      ...(chart.bar ? [edge, edge] : []),
      ...(chart.second ? [{ stroke: colour.muted, width: 1.5, dash: [3, 3], points }] : []),
      { stroke: colour.muted, width: 1.5, dash: [8, 4], points },
      { stroke: colour.text, width: 1.5, points },
      { stroke: colour.over, width: 4, points: { show: true, size: 5, fill: colour.over, stroke: colour.over } },
    ];
  }

  /** @param {import('../core/charts.js').Chart} chart @param {HTMLElement} host */
  #options(chart, host) {
    const colour = colours();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colour.muted, font, grid: { stroke: colour.edge, width: 1 }, ticks: { show: false } };
    return {
      width: Math.max(120, host.clientWidth), height: Math.max(60, host.clientHeight),
      legend: { show: false }, padding: [6, 10, 0, 0],
      scales: { x: { time: true, auto: false }, y: { auto: false } },
      series: [{}, ...this.#lines(chart)],
      bands: chart.bar ? [{ series: [2, 1], fill: colour.band }] : [],
      axes: [
        { ...axis, size: 24, space: 70, values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map((one) => wallClock(one * 1e3, JST_H).slice(0, 5)), incrs: [60, 120, 300] },
        { ...axis, size: 56, space: 28, values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map((one) => String(Number(one.toFixed(2)))) },
      ],
      cursor: { sync: { key: `history-${this.#vehicle}` }, drag: { x: false, y: false }, points: { show: false }, y: false },
      hooks: { setCursor: [(/** @type {any} */ plot) => this.#point(plot.cursor.idx ?? null)] },
    };
  }

  /** @param {number | null} index */
  #point(index) {
    if (index === this.#pointed) return;
    this.#pointed = index;
    for (const chart of this.#newest) {
      const part = this.#parts.get(chart.key);
      if (part) this.#say(chart, part);
    }
  }

  #size() {
    for (const { plot, host } of this.#parts.values()) {
      plot.setSize({ width: Math.max(120, host.clientWidth), height: Math.max(60, host.clientHeight) });
    }
  }
}

/** The palette's own values. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return { text: of('--text'), muted: of('--muted'), edge: `${of('--edge')}80`, band: `${of('--fill')}60`, over: of('--over') };
}

/** Touch the document only when a text changes. @param {HTMLElement} node @param {string} text */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
