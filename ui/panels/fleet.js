// @ts-check
/** S6 Fleet and ops 設備: every vehicle as a thing to look after; the focused one in detail. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { COLUMNS, filtered, lasting, rows, sorted } from '../core/fleet.js';
import { dashed, shortName } from '../core/format.js';
import { html } from '../view.js';
import { Hub, SelfCheck } from './equipment.js';
import { HistoryButton } from './history.js';

/** @typedef {import('../core/fleet.js').Row} Row */

/** @param {{desk: import('../shell/console.js').Console}} props */
export const Fleet = ({ desk }) => {
  const { t } = desk;
  const [text, setText] = useState('');
  const [by, setBy] = useState(/** @type {{column: import('../core/fleet.js').Column, down: boolean}} */ ({ column: 'name', down: false }));
  useEffect(() => desk.equipment.watch(), [desk]);
  // Once a second, not ten times: two hundred rows are read by a person.
  void desk.histories.taken.value;
  const state = desk.state.peek();
  const focused = desk.focused.value;
  const now_ns = desk.hubNow() * 1e6;
  const all = rows(state, desk.equipment.answer.value, now_ns);
  const words = (/** @type {Row} */ row) => `${desk.say(row.name)} ${row.id} ${t(`fleet.kind.${row.kind}`)} ${row.kind} ${t(`link.${row.link}`)} ${row.maker} ${row.software}`;
  const list = sorted(filtered(all, text, words), by.column, by.down);
  const at = list.findIndex(({ id }) => id === focused);
  const walk = useRef((/** @type {KeyboardEvent} */ _) => {});
  walk.current = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.code];
    if (step === undefined || list.length === 0 || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const next = list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + step))];
    desk.focus(next.id);
    document.getElementById(`fleet-${dashed(next.id)}`)?.focus();
  };
  // Wherever the focus is: a button that was clicked has lost it.
  useEffect(() => {
    const pressed = (/** @type {KeyboardEvent} */ event) => walk.current(event);
    document.addEventListener('keydown', pressed);
    return () => document.removeEventListener('keydown', pressed);
  }, []);
  return html`<div class="fleet" data-testid="fleet">
    <section class="fleet-list">
      <header><h2>${t('fleet.title')}</h2>
        <label class="fleet-filter"><small>${t('fleet.filter')}</small><input data-testid="fleet-filter" value=${text} placeholder=${t('fleet.filter_hint')}
          onInput=${(/** @type {any} */ event) => setText(event.target.value)} /></label>
        <span data-testid="fleet-count">${t('fleet.count', { shown: list.length, all: all.length })}</span>
        <small class="minor">${t('fleet.keys')}</small></header>
      <div class="fleet-scroll">
        <table data-testid="fleet-table"><thead><tr>${COLUMNS.map((column) => html`<th key=${column} class=${`col-${column}`} aria-sort=${by.column === column ? (by.down ? 'descending' : 'ascending') : 'none'}>
          <button class="quiet" data-testid=${`fleet-sort-${column}`} onClick=${() => setBy({ column, down: by.column === column && !by.down })}>${t(`fleet.column.${column}`)}${by.column === column ? (by.down ? ' ▼' : ' ▲') : ''}</button></th>`)}</tr></thead>
        <tbody>${list.map((row, index) => html`<${Line} key=${row.id} desk=${desk} row=${row} focused=${row.id === focused} reachable=${row.id === focused || (at < 0 && index === 0)} now_ns=${now_ns} />`)}</tbody></table>
        ${all.length === 0 && html`<p class="empty big">${t('fleet.none')}</p>`}
      </div>
      <${Detail} desk=${desk} row=${all.find(({ id }) => id === focused) ?? null} />
    </section>
    <aside class="fleet-side"><${Hub} desk=${desk} /><${SelfCheck} desk=${desk} /></aside>
  </div>`;
};

/** @param {{desk: import('../shell/console.js').Console, row: Row, focused: boolean, reachable: boolean, now_ns: number}} props */
function Line({ desk, row, focused, reachable, now_ns }) {
  const { t } = desk;
  const since = row.since_ns === null ? '' : lasting((now_ns - row.since_ns) / 1e6);
  const maker = [row.maker, row.software].filter(Boolean).join(' · ');
  return html`<tr data-testid=${`fleet-row-${dashed(row.id)}`} data-link=${row.link} class=${focused ? 'focused' : ''} onClick=${() => desk.focus(row.id)}>
    <td class="col-name"><button class="quiet" id=${`fleet-${dashed(row.id)}`} tabindex=${reachable ? 0 : -1} aria-pressed=${String(focused)}><b>${desk.say(row.name)}</b> <small>${shortName(row.id)}</small></button></td>
    <td>${t(`fleet.kind.${row.kind}`)}</td>
    <td><span class=${`link ${row.link}`}>${row.link === 'lost' ? '▲2 ' : row.link === 'degraded' ? '■3 ' : ''}${t(`link.${row.link}`)}</span> <small>${since}</small></td>
    <td class="number">${row.rtt_ms === null ? '—' : `${row.rtt_ms.toFixed(0)} ms`}</td>
    <td class="number">${row.cameras.length === 0 ? '—' : html`<span class=${row.live < row.cameras.length ? 'short' : ''}>${row.live}/${row.cameras.length}</span>`}</td>
    <td class="number">${row.kbps === null ? '—' : `${(row.kbps / 1_000).toFixed(1)} Mbit/s`}</td>
    <td class="number">${row.loss === null ? '—' : `${(row.loss * 100).toFixed(1)} %`}</td>
    <td class="number">${row.g2g_ms === null ? '—' : `${row.g2g_ms.toFixed(0)} ms`}</td>
    <td class="number">${row.clock_ms === null ? html`<span class="short">${t('fleet.untrusted')}</span>` : `±${Math.max(1, Math.ceil(row.clock_ms))} ms`}</td>
    <td class="col-software" title=${maker}>${maker || '—'}</td>
  </tr>`;
}

/** The focused vehicle: its cameras one by one, and what it says of itself. @param {{desk: import('../shell/console.js').Console, row: Row | null}} props */
function Detail({ desk, row }) {
  const { t } = desk;
  if (row === null) return null;
  const view = desk.state.peek().vehicles[row.id];
  return html`<section class="fleet-detail" data-testid="fleet-detail" data-vehicle=${row.id}>
    <header><h3>${desk.say(row.name)} <small>${row.id}</small></h3><${HistoryButton} desk=${desk} vehicle=${view} />
      <span><small>${t('fleet.session')}</small> ${row.session || '—'}</span><span><small>${t('fleet.protocol')}</small> ${row.protocol ?? '—'}</span>
      <span><small>${t('fleet.gaps')}</small> ${view.telemetry_gaps}</span></header>
    <ul>${row.cameras.map((camera) => html`<li key=${camera.name}><${Camera} desk=${desk} camera=${camera} /></li>`)}</ul>
  </section>`;
}

/** @param {{desk: import('../shell/console.js').Console, camera: any}} props */
function Camera({ desk, camera }) {
  const { t } = desk;
  const { stream } = camera;
  const said = camera.width ? t('fleet.camera.said', { what: `${camera.width}×${camera.height} ${Math.round(camera.fps)} fps` }) : '';
  if (!stream?.live) return html`<b>${camera.name}</b> <span class="short">${t('fleet.camera.silent')}</span> <small>${said}</small>`;
  const figures = [
    stream.width ? `${stream.width}×${stream.height}` : '', `${stream.fps.toFixed(0)} fps`, `${(stream.kbps / 1_000).toFixed(1)} Mbit/s`,
    `${t('fleet.column.loss')} ${(stream.loss * 100).toFixed(1)} %`, stream.codec,
  ].filter(Boolean).join('  ');
  return html`<b>${camera.name}</b> ${t('fleet.camera.live')} ${figures} <small>${said}</small>`;
}
