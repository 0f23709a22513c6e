// @ts-check
/** Tiles from outside: whether they come, and asking again when they did not. */
import { TILES } from '../core/mapstyle.js';

/** Tiles that could not be fetched are asked for again this often. */
const AGAIN_MS = 30_000;

export class TileWatch {
  #map;
  #tiles;
  #failed_ms = 0;

  /** @param {any} map @param {import('../core/mapstyle.js').Tiles | null} tiles */
  constructor(map, tiles) {
    this.#map = map;
    this.#tiles = tiles;
    map.on('sourcedata', (/** @type {any} */ { sourceId, tile }) => {
      if (sourceId === TILES && tile?.state === 'loaded') this.#failed_ms = 0;
    });
    map.on('error', (/** @type {any} */ { sourceId, error }) => {
      if (sourceId !== TILES) console.error(error);
      else if (this.#failed_ms === 0) this.#failed_ms = performance.now();
    });
  }

  /** Whose tiles are on the map; null: none. */
  get tiles() {
    return this.#tiles;
  }

  /** The hub's own base map stays meanwhile. */
  get failed() {
    return this.#failed_ms > 0;
  }

  /** @param {number} now_ms */
  tryAgain(now_ms) {
    if (this.#tiles === null || !this.failed || now_ms - this.#failed_ms < AGAIN_MS) return;
    this.#failed_ms = now_ms;
    this.#map.getSource(TILES).setTiles([this.#tiles.url]);
  }
}
