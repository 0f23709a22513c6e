// @ts-check
/**
 * How the map looks: greys by palette, the hub's base maps, tiles from outside if the hub
 * allows any, and what of it is drawn where. Pure.
 *
 * @typedef {'night'|'dusk'|'day'} Palette
 * @typedef {{name: string, url: string, site?: string}} Base
 * @typedef {{name: string, url: string, max_zoom: number, credit: string, credit_url: string}} Tiles
 * @typedef {readonly [number, number]} Point  longitude, latitude in degrees, WGS 84
 */

/** Greys by palette: the base map's kinds, and what we draw on it. */
export const GREYS = {
  night: { ground: '#24282c', water: '#1b1e21', soft: '#2b3035', building: '#343a40', minor: '#3f464d', main: '#565e66', route: '#9aa2aa', trail: '#e6e8ea' },
  dusk: { ground: '#3a3f44', water: '#2f3337', soft: '#42484e', building: '#4c535a', minor: '#5a626a', main: '#737c85', route: '#b3bac1', trail: '#f2f3f4' },
  day: { ground: '#e2e4e5', water: '#c3c8cc', soft: '#d6d9db', building: '#c9cdd0', minor: '#f4f5f5', main: '#ffffff', route: '#5d656d', trail: '#15181b' },
};

export const TILES = 'tiles';
/** How close the map goes when it begins to follow, unless it is closer already. */
export const FOLLOW_ZOOM = 15;

/**
 * Brightness of black and of white in the tiles: where the console is dark they are turned
 * round, white ground to a dark one.
 */
const BRIGHTNESS = /** @type {const} */ ({ night: [0.6, 0.13], dusk: [0.72, 0.2], day: [0.25, 0.9] });

/** What the hub says of its maps; anything else is no map. @param {unknown} body @returns {{bases: Base[], tiles: Tiles | null}} */
export function mapsOf(body) {
  const { bases, tiles } = /** @type {any} */ (body) ?? {};
  return { bases: Array.isArray(bases) ? bases : [], tiles: typeof tiles?.url === 'string' ? tiles : null };
}

/** Tiles under everything but the ground. @param {any} style @param {Tiles | null} tiles @param {Palette} palette */
export function addTiles(style, tiles, palette) {
  if (tiles === null) return;
  style.sources[TILES] = { type: 'raster', tiles: [tiles.url], tileSize: 256, maxzoom: tiles.max_zoom };
  style.layers.push({ id: TILES, type: 'raster', source: TILES, paint: { ...tilePaint(palette), 'raster-fade-duration': 0 } });
}

/** Tiles in greys that fit the palette. @param {Palette} palette */
export function tilePaint(palette) {
  const [black, white] = BRIGHTNESS[palette];
  return { 'raster-saturation': -1, 'raster-brightness-min': black, 'raster-brightness-max': white };
}

/** @param {typeof GREYS['night']} grey @returns {any} */
export function areaGrey(grey) {
  return ['match', ['get', 'kind'], 'water', grey.water, 'building', grey.building, 'land', grey.ground, grey.soft];
}

/**
 * Areas and lines of one GeoJSON file. `kind` is land, water, park, field, building or
 * road; a road's `class` is main, minor or rail. Anything else is drawn as an area.
 * @param {any} style @param {string} name @param {string} data
 */
export function addBase(style, name, data) {
  const wide = ['interpolate', ['linear'], ['zoom'], 12, 0.8, 17, ['case', ['==', ['get', 'class'], 'main'], 7, 4]];
  style.sources[name] = { type: 'geojson', data };
  style.layers.push(
    { id: `${name}-area`, type: 'fill', source: name, filter: ['==', ['geometry-type'], 'Polygon'] },
    { id: `${name}-edge`, type: 'line', source: name, filter: ['==', ['get', 'kind'], 'field'], paint: { 'line-width': 1 } },
    { id: `${name}-road`, type: 'line', source: name, filter: ['==', ['geometry-type'], 'LineString'], paint: { 'line-width': wide } },
  );
}

/** @param {readonly (readonly (readonly number[])[])[]} paths @returns {any} */
export function lines(paths) {
  return {
    type: 'FeatureCollection',
    features: paths.filter((path) => path.length > 1).map((coordinates) => ({
      type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates },
    })),
  };
}

/** Some 60 m each way. @param {{longitude: number, latitude: number}} pose @returns {[number, number][]} */
export function around({ longitude, latitude }) {
  return [[longitude - 0.0008, latitude - 0.0005], [longitude + 0.0008, latitude + 0.0005]];
}

/** Where a vehicle is; null while nobody knows. @param {any} vehicle @returns {[number, number] | null} */
export function pointOf(vehicle) {
  return vehicle?.pose ? [vehicle.pose.longitude, vehicle.pose.latitude] : null;
}

/** West-south and east-north corner; null without points. @param {readonly (readonly number[])[]} points @returns {[[number, number], [number, number]] | null} */
export function cornersOf(points) {
  if (points.length === 0) return null;
  const lons = points.map(([lon]) => lon);
  const lats = points.map(([, lat]) => lat);
  const least = (/** @type {number[]} */ all) => all.reduce((a, b) => Math.min(a, b));
  const most = (/** @type {number[]} */ all) => all.reduce((a, b) => Math.max(a, b));
  return [[least(lons), least(lats)], [most(lons), most(lats)]];
}

/** Where vehicles are of which that is known. @param {Readonly<Record<string, any>>} vehicles @returns {[number, number][]} */
export function placesOf(vehicles) {
  return Object.values(vehicles).map(pointOf).filter((point) => point !== null);
}
