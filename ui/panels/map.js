// @ts-check
/**
 * Route, trails and vehicles on a base map of the hub's own files; no outside host.
 *
 * One map per console, moved between screens and never redrawn by the view library. It
 * draws only when something moved, at most twice a second. Without WebGL the positions
 * are listed in words.
 */
import { useEffect, useRef } from 'preact/hooks';
import { effect } from '@preact/signals';
import { controlOf, isMine } from '../core/control.js';
import { dashed, kmh, seconds, shortName } from '../core/format.js';
import { FOLLOW_ZOOM, GREYS, addBase, addTiles, areaGrey, around, cornersOf, lines, mapsOf, placesOf, pointOf, tilePaint } from '../core/mapstyle.js';
import { fromVehicle, withPoint } from '../core/path.js';
import { call, Unreachable } from '../shell/api.js';
import { html } from '../view.js';
import { holderText } from './control.js';
import { addSites, kindsInView, paintSite } from './mapsites.js';
import { TileWatch } from './maptiles.js';
import { MapTools } from './maptools.js';
import { unknownNow } from './tile.js';

const UPDATE_EVERY_MS = 500;
const EMPTY = /** @type {const} */ ({ type: 'FeatureCollection', features: [] });

/** @type {WeakMap<object, FleetMapView>} */
const maps = new WeakMap();

/** @param {{desk: import('../shell/console.js').Console}} props */
export const FleetMap = ({ desk }) => html`<${MapHost} desk=${desk} />`;

/** @param {{desk: import('../shell/console.js').Console}} props */
function MapHost({ desk }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    let view = maps.get(desk);
    if (view === undefined) {
      view = new FleetMapView(desk);
      maps.set(desk, view);
    }
    return view.showIn(/** @type {HTMLElement} */ (ref.current));
  }, [desk]);
  return html`<div class="map-host" data-testid="map" ref=${ref}></div>`;
}

class FleetMapView {
  #desk;
  #root = document.createElement('div');
  #list = document.createElement('ul');
  #tools;
  /** @type {import('maplibre-gl').Map | null} */
  #map = null;
  /** @type {any} */
  #library = null;
  /** @type {Map<string, {marker: any, element: HTMLElement, arrow: HTMLElement, name: HTMLElement}>} */
  #markers = new Map();
  #ready = false;
  #fitted = '';
  #routes = '';
  #drawn = '';
  #updated_ms = 0;
  #spoken = '';
  /** Letters in the middle of the ways that a vehicle offers. @type {any[]} */
  #letters = [];
  /** Keep the focused vehicle in the middle, until the map is moved by hand. */
  #following = false;
  /** @type {TileWatch | null} */
  #tiles = null;
  /** Kinds of site areas in view. @type {string[]} */
  #kinds = [];
  #looked = false;

  /** @param {import('../shell/console.js').Console} desk */
  constructor(desk) {
    this.#desk = desk;
    this.#root.className = 'map-root';
    this.#list.className = 'map-list';
    this.#list.dataset.testid = 'map-list';
    this.#tools = new MapTools(desk.t, { follow: () => this.#toggleFollow(), fleet: () => this.#showFleet() });
    void this.#open();
  }

  /** @param {HTMLElement} host @returns {() => void} leave */
  showIn(host) {
    host.append(this.#root, this.#list, this.#tools.root);
    this.#map?.resize();
    this.#fitted = '';
    const resized = new ResizeObserver(() => this.#map?.resize());
    resized.observe(host);
    const stop = effect(() => {
      void this.#desk.tick.value;
      void this.#desk.state.value.focused;
      if (this.#desk.path.value !== null) this.#updated_ms = 0;
      if (this.#spoken !== this.#desk.language.value) this.#updated_ms = -Infinity;
      this.#spoken = this.#desk.language.value;
      this.#update();
    });
    const repaint = effect(() => this.#recolour(this.#desk.palette.value));
    return () => {
      stop();
      repaint();
      resized.disconnect();
    };
  }

  async #open() {
    const gl = document.createElement('canvas').getContext('webgl2');
    if (gl === null) {
      this.#root.dataset.state = 'no-webgl';
      return;
    }
    gl.getExtension('WEBGL_lose_context')?.loseContext();
    this.#library = await import('maplibre-gl');
    const { bases, tiles } = await baseMaps();
    const palette = this.#desk.palette.peek();
    const { ground } = GREYS[palette];
    /** @type {any} */
    const style = { version: 8, sources: {}, layers: [{ id: 'ground', type: 'background', paint: { 'background-color': ground } }] };
    addTiles(style, tiles, palette);
    bases.forEach(({ url }, index) => addBase(style, `base-${index}`, here(url)));
    addSites(style, bases, here);
    for (const name of ['routes', 'trails', 'options', 'path', 'points']) style.sources[name] = { type: 'geojson', data: EMPTY };
    style.layers.push(
      { id: 'routes', type: 'line', source: 'routes', paint: { 'line-width': 3, 'line-dasharray': [2, 1] } },
      { id: 'trails', type: 'line', source: 'trails', paint: { 'line-width': 2.5 }, layout: { 'line-cap': 'round', 'line-join': 'round' } },
      { id: 'options', type: 'line', source: 'options', paint: { 'line-width': 5, 'line-opacity': 0.85 }, layout: { 'line-cap': 'round' } },
      { id: 'path', type: 'line', source: 'path', paint: { 'line-width': 4, 'line-dasharray': [1.5, 1] } },
      { id: 'points', type: 'circle', source: 'points', paint: { 'circle-radius': 5, 'circle-stroke-width': 2 } },
    );
    const map = new this.#library.Map({
      container: this.#root, style, center: [139.06, 36.39], zoom: 13, fadeDuration: 0,
      attributionControl: false, dragRotate: false, pitchWithRotate: false, keyboard: false,
      maxPitch: 0, pixelRatio: 1, renderWorldCopies: false,
    });
    map.addControl(new this.#library.ScaleControl({ maxWidth: 120 }), 'bottom-right');
    map.touchZoomRotate.disableRotation();
    map.on('click', (/** @type {any} */ { lngLat }) => this.#clicked([lngLat.lng, lngLat.lat]));
    this.#tiles = new TileWatch(map, tiles);
    this.#listen(map);
    map.on('load', () => {
      this.#ready = true;
      this.#root.dataset.state = 'ready';
      this.#recolour(this.#desk.palette.peek());
      this.#updated_ms = 0;
      this.#update();
    });
    this.#map = map;
    if (bases.length === 0) this.#root.dataset.base = 'none';
  }

  /** What is done to the map by hand, and what is in view of it. @param {any} map */
  #listen(map) {
    map.on('dragstart', () => {
      this.#following = false;
      this.#showTools(this.#desk.state.peek());
    });
    map.on('moveend', () => (this.#looked = false));
    map.on('idle', () => {
      if (this.#looked) return;
      this.#looked = true;
      this.#kinds = kindsInView(map);
    });
    map.on('sourcedata', (/** @type {any} */ { sourceId }) => {
      if (sourceId?.startsWith('site-')) this.#looked = false;
    });
  }

  #toggleFollow() {
    this.#following = !this.#following;
    const map = this.#map;
    if (this.#following && map !== null && map.getZoom() < FOLLOW_ZOOM) map.setZoom(FOLLOW_ZOOM);
    this.#updated_ms = -Infinity;
    this.#update();
  }

  #showFleet() {
    this.#following = false;
    this.#fitTo(placesOf(this.#desk.state.peek().vehicles));
    this.#showTools(this.#desk.state.peek());
  }

  /** @param {import('../core/store.js').State} state */
  #showTools(state) {
    this.#tools.show({
      following: this.#following,
      canFollow: state.focused !== null && pointOf(state.vehicles[state.focused]) !== null,
      canFit: placesOf(state.vehicles).length > 0,
      kinds: this.#kinds,
      note: this.#noteNow(),
      tiles: (this.#ready && this.#tiles?.tiles) || null,
    }, this.#desk.language.peek());
  }

  #noteNow() {
    const { t } = this.#desk;
    if (this.#root.dataset.state === 'no-webgl') return t('map.no_webgl');
    if (!this.#ready) return t('map.loading');
    if (this.#tiles?.failed) return t('map.tiles_failed', { credit: this.#tiles.tiles?.credit ?? '' });
    return this.#root.dataset.base === 'none' && !this.#tiles?.tiles ? t('map.no_base') : '';
  }

  #update() {
    const now_ms = performance.now();
    const state = this.#desk.state.peek();
    if (now_ms - this.#updated_ms < UPDATE_EVERY_MS - 20 && this.#fitted === place(state)) return;
    this.#updated_ms = now_ms;
    this.#tiles?.tryAgain(now_ms);
    this.#showTools(state);
    if (this.#root.dataset.state === 'no-webgl') {
      this.#listPositions();
      return;
    }
    if (!this.#ready || this.#map === null) return;
    this.#drawLines(state);
    for (const id of state.order) this.#drawVehicle(state.vehicles[id], state.focused === id);
    for (const [id, { marker }] of this.#markers) {
      if (!state.vehicles[id]) {
        marker.remove();
        this.#markers.delete(id);
      }
    }
    this.#fit(state);
  }

  /** @param {import('../core/store.js').State} state */
  #drawLines(state) {
    const views = Object.values(state.vehicles);
    const routes = views.map(({ id, route }) => `${id}:${route.length}:${route[0]}`).join();
    if (routes !== this.#routes) {
      this.#routes = routes;
      this.#source('routes').setData(lines(views.map(({ route }) => route)));
    }
    this.#drawWays(state);
    this.#source('trails').setData(lines(Object.values(state.trails).map((trail) => trail.map(([, lon, lat]) => [lon, lat]))));
  }

  /** Ways the vehicle offers, with their letters, and the path that is being drawn. @param {import('../core/store.js').State} state */
  #drawWays(state) {
    const path = this.#desk.path.peek();
    const request = state.takeover === null ? null : state.requests[state.takeover];
    const options = (request?.options ?? []).filter((/** @type {any} */ option) => option.points.length > 1);
    const pose = path === null ? null : state.vehicles[path.vehicle]?.pose ?? null;
    const drawn = JSON.stringify([state.takeover, options.length, path, pose && [pose.longitude, pose.latitude]]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const whole = path === null ? [] : fromVehicle(pose, path.points);
    this.#source('options').setData(lines(options.map((/** @type {any} */ { points }) => points)));
    this.#source('path').setData(lines([whole]));
    this.#source('points').setData({
      type: 'FeatureCollection',
      features: whole.map((coordinates) => ({ type: 'Feature', properties: {}, geometry: { type: 'Point', coordinates } })),
    });
    this.#letters.forEach((marker) => marker.remove());
    this.#letters = options.map((/** @type {any} */ option, /** @type {number} */ at) => {
      const element = document.createElement('b');
      element.className = 'option-mark';
      element.textContent = String.fromCharCode(65 + request.options.indexOf(option));
      return new this.#library.Marker({ element, anchor: at % 2 ? 'left' : 'right' }).setLngLat(option.points[option.points.length >> 1]).addTo(this.#map);
    });
    this.#root.classList.toggle('drawing', path !== null);
  }

  /** A point for the path that is being drawn. @param {readonly [number, number]} point */
  #clicked(point) {
    const path = this.#desk.path.peek();
    if (path !== null) this.#desk.path.value = { ...path, points: withPoint(path.points, point) };
  }

  /** @param {string} name @returns {any} */
  #source(name) {
    return this.#map?.getSource(name);
  }

  /** @param {any} vehicle @param {boolean} focused */
  #drawVehicle(vehicle, focused) {
    const { pose } = vehicle;
    if (!pose) return;
    let shown = this.#markers.get(vehicle.id);
    if (shown === undefined) {
      const element = document.createElement('div');
      element.className = 'vehicle-mark';
      element.dataset.testid = `mark-${dashed(vehicle.id)}`;
      const arrow = element.appendChild(document.createElement('i'));
      const name = element.appendChild(document.createElement('span'));
      element.addEventListener('click', () => this.#desk.focus(vehicle.id));
      const marker = new this.#library.Marker({ element, anchor: 'center' }).setLngLat([pose.longitude, pose.latitude]).addTo(this.#map);
      shown = { marker, element, arrow, name };
      this.#markers.set(vehicle.id, shown);
    }
    shown.marker.setLngLat([pose.longitude, pose.latitude]);
    shown.arrow.style.rotate = `${pose.heading_deg}deg`;
    const unknown = unknownNow(this.#desk, vehicle);
    const age_ms = this.#desk.since(pose.at_ns) ?? 0;
    const called = this.#desk.say(vehicle.name);
    const state = this.#desk.state.peek();
    const control = controlOf(state, vehicle.id);
    const mine = state.socket === 'open' && isMine(state, control);
    const holder = control === null || control.state === 'free' ? ''
      : ` — ${holderText(this.#desk, control)}`;
    const words = (unknown ? `${called} ${this.#desk.t('link.age', { age: seconds(age_ms) })}` : called) + holder;
    if (shown.name.textContent !== words) shown.name.textContent = words;
    shown.element.classList.toggle('unknown', unknown);
    shown.element.classList.toggle('focused', focused);
    shown.element.classList.toggle('held', mine);
  }

  /** In the middle if asked for; who intervenes keeps it in sight; not while he draws. @param {import('../core/store.js').State} state */
  #follow(state) {
    const map = this.#map;
    const watched = this.#following ? state.focused : state.intervene;
    const at = watched === null ? null : pointOf(state.vehicles[watched]);
    if (at === null || map === null || this.#desk.path.peek() !== null || map.dragPan.isActive()) return;
    if (this.#following) {
      if (state.intervene === null) this.#fitted = place(state);
      map.setCenter(at);
    } else if (this.#fitted === place(state) && !map.getBounds().contains(at)) map.setCenter(at);
  }

  /** Follow the focused vehicle's area: its route when it becomes the focused one. @param {import('../core/store.js').State} state */
  #fit(state) {
    this.#follow(state);
    const wanted = place(state);
    if (state.focused === null || this.#fitted === wanted || this.#map === null) return;
    const { route, pose } = state.vehicles[state.focused];
    // Who intervenes looks at the place, not at the route.
    const here = pose ? [[pose.longitude, pose.latitude]] : [];
    const points = state.intervene !== null && pose ? around(pose) : [...route, ...here];
    if (points.length === 0) return;
    this.#fitted = wanted;
    this.#fitTo(points);
  }

  /** @param {readonly (readonly number[])[]} points */
  #fitTo(points) {
    const corners = cornersOf(points);
    if (corners !== null) this.#map?.fitBounds(corners, { padding: 40, maxZoom: 18, animate: false });
  }

  /** @param {'night'|'dusk'|'day'} palette */
  #recolour(palette) {
    const map = this.#map;
    if (!this.#ready || map === null) return;
    const grey = GREYS[palette];
    for (const { id, type } of map.getStyle().layers) {
      if (type === 'background') map.setPaintProperty(id, 'background-color', grey.ground);
      else if (type === 'raster') Object.entries(tilePaint(palette)).forEach(([name, value]) => map.setPaintProperty(id, name, value));
      else if (paintSite(map, id, grey)) continue;
      else if (id === 'routes') map.setPaintProperty(id, 'line-color', grey.route);
      else if (id === 'options' || id === 'path') map.setPaintProperty(id, 'line-color', grey.trail);
      else if (id === 'points') {
        map.setPaintProperty(id, 'circle-color', grey.ground);
        map.setPaintProperty(id, 'circle-stroke-color', grey.trail);
      } else if (id === 'trails') map.setPaintProperty(id, 'line-color', grey.trail);
      else if (type === 'fill') map.setPaintProperty(id, 'fill-color', areaGrey(grey));
      else if (type === 'line') map.setPaintProperty(id, 'line-color', ['case', ['==', ['get', 'class'], 'main'], grey.main, grey.minor]);
    }
  }

  #listPositions() {
    const { t } = this.#desk;
    const { order, vehicles } = this.#desk.state.peek();
    this.#list.replaceChildren(
      ...order.map((id) => {
        const { name, pose } = vehicles[id];
        const item = document.createElement('li');
        item.textContent = pose
          ? `${this.#desk.say(name)} (${shortName(id)}): ${pose.latitude.toFixed(5)}, ${pose.longitude.toFixed(5)} — ${Math.round(pose.heading_deg)}° — ${kmh(pose.speed_mps)} km/h — ${t('link.age', { age: seconds(this.#desk.since(pose.at_ns) ?? 0) })}`
          : `${this.#desk.say(name)} (${shortName(id)}): ${t('map.no_position')}`;
        return item;
      }),
    );
  }
}

/** What the map has to show. @param {import('../core/store.js').State} state */
function place(state) {
  return `${state.focused} ${state.intervene ?? ''}`;
}

/** @returns {Promise<ReturnType<typeof mapsOf>>} none: plain background */
async function baseMaps() {
  try {
    const { status, body } = await call('/basemaps/index.json');
    return mapsOf(status === 200 ? body : null);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return mapsOf(null);
  }
}

/** @param {string} url relative to the list of base maps */
function here(url) {
  return new URL(url, new URL('/basemaps/', location.href)).href;
}
