// @ts-check
/**
 * What stands on the map's edges: follow and whole fleet, the key of the site's lines, notes,
 * and whose tiles are shown. Made by hand like the map itself, which no view library draws.
 */
import { html, render } from '../view.js';
import { SITE_KINDS } from './mapsites.js';

/**
 * @typedef {object} Shown
 * @property {boolean} following
 * @property {boolean} canFollow the focused vehicle has a position
 * @property {boolean} canFit some vehicle has a position
 * @property {readonly string[]} kinds of site areas in view
 * @property {string} note
 * @property {import('../core/mapstyle.js').Tiles | null} tiles whose layer is on
 */

export class MapTools {
  root = document.createElement('div');
  #t;
  #acts;
  #drawn = '';

  /** @param {(key: string) => string} t @param {{follow: () => void, fleet: () => void}} acts */
  constructor(t, acts) {
    this.#t = t;
    this.#acts = acts;
    this.root.className = 'map-tools';
  }

  /** Draws only what differs. @param {Shown} shown @param {string} language */
  show(shown, language) {
    const drawn = JSON.stringify([shown, language]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const t = this.#t;
    render(html`
      <div class="map-buttons">
        <button data-testid="map-follow" aria-pressed=${shown.following} disabled=${!shown.canFollow && !shown.following}
          title=${shown.canFollow ? t('map.follow_long') : t('map.no_position')} onClick=${this.#acts.follow}>${t('map.follow')}</button>
        <button data-testid="map-fleet" disabled=${!shown.canFit}
          title=${shown.canFit ? t('map.fleet_long') : t('map.no_position')} onClick=${this.#acts.fleet}>${t('map.fleet')}</button>
      </div>
      <div class="map-corner">
        ${shown.kinds.length > 0 && html`<ul class="map-legend" aria-label=${t('map.legend')} data-testid="map-legend">
          ${SITE_KINDS.filter((kind) => shown.kinds.includes(kind)).map((kind) => html`<li key=${kind} data-kind=${kind}>${t(`map.kind.${kind}`)}</li>`)}
        </ul>`}
        ${shown.note !== '' && html`<p class="map-note" data-testid="map-note">${shown.note}</p>`}
      </div>
      ${shown.tiles !== null && html`<a class="map-credit" data-testid="map-credit" href=${shown.tiles.credit_url}
        target="_blank" rel="noopener noreferrer" lang="ja" title=${t('map.tiles_greyed')}>${shown.tiles.credit}</a>`}`, this.root);
  }
}
