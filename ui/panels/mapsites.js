// @ts-check
/**
 * What a site is on the map: operating areas 走行領域, headland 枕地, handover spots 引継ぎ地点, as its
 * GeoJSON says by `properties.kind`. Drawn in greys, told apart by line and shape.
 */

const KINDS = /** @type {const} */ ({ operating_area: [4, 3], headland: [1, 1.5] });

/** In the order of the key. */
export const SITE_KINDS = [...Object.keys(KINDS), 'handover_spot'];

/**
 * The areas of each site, under routes and vehicles.
 *
 * @param {any} style @param {readonly import('../core/mapstyle.js').Base[]} bases @param {(url: string) => string} here
 */
export function addSites(style, bases, here) {
  bases.forEach(({ site }, index) => {
    if (site === undefined) return;
    const source = `site-${index}`;
    style.sources[source] = { type: 'geojson', data: here(site) };
    for (const [kind, dash] of Object.entries(KINDS)) {
      style.layers.push({
        id: `${source}-${kind}`, type: 'line', source, filter: ['==', ['get', 'kind'], kind],
        paint: { 'line-width': kind === 'headland' ? 1.5 : 2.5, 'line-dasharray': dash },
      });
    }
    style.layers.push({
      id: `${source}-spot`, type: 'circle', source, filter: ['==', ['get', 'kind'], 'handover_spot'],
      paint: { 'circle-radius': 6, 'circle-stroke-width': 3 },
    });
  });
}

/** The kinds that are drawn in view now. @param {any} map @returns {string[]} */
export function kindsInView(map) {
  const layers = map.getLayersOrder().filter((/** @type {string} */ id) => id.startsWith('site-'));
  if (layers.length === 0) return [];
  const found = new Set(map.queryRenderedFeatures({ layers }).map((/** @type {any} */ { properties }) => properties.kind));
  return SITE_KINDS.filter((kind) => found.has(kind));
}

/** Whether this layer is one of ours; if so it is painted. @param {any} map @param {string} id @param {{ground: string, route: string, trail: string}} grey */
export function paintSite(map, id, grey) {
  if (!id.startsWith('site-')) return false;
  if (id.endsWith('-spot')) {
    map.setPaintProperty(id, 'circle-color', grey.ground);
    map.setPaintProperty(id, 'circle-stroke-color', grey.trail);
  } else {
    map.setPaintProperty(id, 'line-color', id.endsWith('headland') ? grey.route : grey.trail);
  }
  return true;
}
