import assert from 'node:assert/strict';
import test from 'node:test';
import { GREYS, addBase, addTiles, cornersOf, lines, mapsOf, pointOf, tilePaint } from './mapstyle.js';

const GSI = { name: 'gsi', url: 'https://tiles.test/{z}/{x}/{y}.png', max_zoom: 18, credit: '地理院タイル', credit_url: 'https://tiles.test/' };
const ground = () => ({ sources: {}, layers: [{ id: 'ground', type: 'background' }] });

test('without tiles the style names nothing from outside', () => {
  const style = ground();
  addTiles(style, null, 'night');
  addBase(style, 'base-0', '/basemaps/a.geojson');
  assert.ok(!JSON.stringify(style).includes('https:'));
  assert.ok(style.layers.every(({ type }) => type !== 'raster'));
});

test('tiles lie over the ground and under the local base', () => {
  const style = ground();
  addTiles(style, GSI, 'night');
  addBase(style, 'base-0', '/basemaps/a.geojson');
  assert.deepEqual(style.layers.slice(0, 3).map(({ id }) => id), ['ground', 'tiles', 'base-0-area']);
  assert.deepEqual(style.sources.tiles, { type: 'raster', tiles: [GSI.url], tileSize: 256, maxzoom: 18 });
});

test('tiles are grey in every palette, and dark where the console is', () => {
  const white = Object.keys(GREYS).map((palette) => {
    const paint = tilePaint(palette);
    assert.equal(paint['raster-saturation'], -1);
    assert.ok([paint['raster-brightness-min'], paint['raster-brightness-max']].every((part) => part >= 0 && part <= 1));
    return paint['raster-brightness-max'];
  });
  assert.ok(white[0] < white[1] && white[1] < 0.3 && white[2] > 0.8, 'night, dusk, day');
});

test('what the hub says of its maps is taken only as it should be', () => {
  assert.deepEqual(mapsOf(null), { bases: [], tiles: null });
  assert.deepEqual(mapsOf([]), { bases: [], tiles: null });
  assert.deepEqual(mapsOf({ bases: [{ name: 'a', url: 'a.geojson' }], tiles: {} }), { bases: [{ name: 'a', url: 'a.geojson' }], tiles: null });
  assert.equal(mapsOf({ bases: [], tiles: GSI }).tiles, GSI);
});

test('the corners hold all points; a vehicle without a position has none', () => {
  assert.equal(cornersOf([]), null);
  assert.deepEqual(cornersOf([[139, 36]]), [[139, 36], [139, 36]]);
  assert.deepEqual(cornersOf([[139, 43], [141, 36], [140, 40]]), [[139, 36], [141, 43]]);
  assert.equal(pointOf({ pose: null }), null);
  assert.equal(pointOf(undefined), null);
  assert.deepEqual(pointOf({ pose: { longitude: 139, latitude: 36 } }), [139, 36]);
});

test('a line needs two points', () => {
  assert.equal(lines([[[1, 2]], [[1, 2], [3, 4]]]).features.length, 1);
});
