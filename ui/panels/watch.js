// @ts-check
/** S1 Watch 監視: tiles, the map as one more tile, status rows for the rest. */
import { useRef } from 'preact/hooks';
import { rowViews } from '../core/rows.js';
import { unwatched, watched } from '../core/select.js';
import { dashed, kmh } from '../core/format.js';
import { html } from '../view.js';
import { StopButton } from './alarmline.js';
import { Holder } from './control.js';
import { HistoryButton } from './history.js';
import { FleetMap } from './map.js';
import { Asks, Link, Mode, Task, Tile } from './tile.js';

/** @param {{desk: import('../shell/console.js').Console, language: 'ja'|'en'}} props */
export const Watch = ({ desk, language }) => {
  const state = desk.state.value;
  const tiles = watched(state);
  const rows = unwatched(state);
  const shown = useRef(/** @type {Map<string, import('../core/rows.js').Shown>} */ (new Map()));
  shown.current = rowViews(shown.current, state.vehicles, rows, performance.now());
  const cells = tiles.length + 1;
  const columns = Math.ceil(Math.sqrt(cells));
  if (state.seq !== null && state.order.length === 0) return html`<p class="empty big" data-testid="no-vehicles">${desk.t('tile.empty')}</p>`;
  return html`<div class="watch" data-testid="watch">
    <div class="tiles" data-columns=${columns} style=${{
      gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
      gridTemplateRows: `repeat(${Math.ceil(cells / columns)}, minmax(0, 1fr))`,
    }}>
      ${tiles.map((id, index) => html`<${Tile} key=${id} desk=${desk} language=${language} number=${index + 1}
        vehicle=${state.vehicles[id]} focused=${state.focused === id} hub=${state.socket} />`)}
      <section class="tile map-tile" key="map"><${FleetMap} desk=${desk} language=${language} /></section>
    </div>
    ${rows.length > 0 && html`<section class="rows" aria-label=${desk.t('rows.title')}>
      ${rows.map((id) => html`<${Row} key=${id} desk=${desk} vehicle=${shown.current.get(id)?.view} language=${language} focused=${state.focused === id} />`)}
    </section>`}
  </div>`;
};

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, focused: boolean}} props */
function Row({ desk, vehicle, focused }) {
  return html`<article class=${`row ${focused ? 'focused' : ''}`} data-testid=${`row-${dashed(vehicle.id)}`} onPointerDown=${() => desk.focus(vehicle.id)}>
    <strong>${desk.say(vehicle.name)}</strong><span class="id"><small>${vehicle.id}</small> <${Asks} desk=${desk} vehicle=${vehicle} /> <${HistoryButton} desk=${desk} vehicle=${vehicle} /> <${Holder} desk=${desk} vehicle=${vehicle.id} /></span>
    <${Mode} desk=${desk} vehicle=${vehicle} /><${Link} desk=${desk} vehicle=${vehicle} />
    <span>${vehicle.pose ? `${kmh(vehicle.pose.speed_mps)} km/h` : '—'}</span>
    <${Task} desk=${desk} vehicle=${vehicle} />
    <${StopButton} desk=${desk} vehicle=${vehicle.id} />
  </article>`;
}
