import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beyond, emptyRing, latest, limitOf, MOST_VEHICLES, put, read, sampleFleet, sampleOf, SERIES, SPAN_S } from './history.js';

const NOW_NS = 1_000e9;
const nothing = Object.fromEntries(SERIES.map((name) => [name, NaN]));
const only = (values) => ({ ...nothing, ...values });

/** A healthy vehicle. */
const vehicle = (change = {}) => ({
  id: 'a/b', link: 'online', link_at_ns: NOW_NS - 2e8,
  pose: { at_ns: NOW_NS - 1e8, speed_mps: -3, speed_limit_mps: 5 },
  streams: [
    { name: 'front', kind: 'video', live: true, kbps: 4_000, last_frame_ns: NOW_NS - 3e7 },
    { name: 'rear', kind: 'video', live: true, kbps: 1_000, last_frame_ns: NOW_NS - 3e7 },
    { name: 'audio', kind: 'audio', live: true, kbps: 40, last_frame_ns: NOW_NS },
  ],
  supervision: {
    at_ns: NOW_NS - 5e8, round_trip_ms: 42, loss: { before: 0.02, after: 0.001 },
    closed_loop: { g2g_ms: 180, g2g_uncertainty_ms: 4 }, objectives: [],
  },
  ...change,
});

test('what is fresh is sampled, in its unit', () => {
  const found = sampleOf(vehicle(), NOW_NS);
  assert.deepEqual(found, { g2g: 180, g2g_bar: 4, rtt: 42, loss: 0.02, loss_after: 0.001, kbps: 5_000, speed: 3, speed_limit: 5 });
});

test('what is old or not known is never a number', () => {
  const lost = sampleOf(vehicle({ link: 'lost' }), NOW_NS);
  assert.ok(['rtt', 'speed', 'speed_limit'].every((name) => Number.isNaN(lost[name])));
  assert.equal(lost.kbps, 5_000, 'pictures have their own way');
  const later = sampleOf(vehicle(), NOW_NS + 4e9);
  assert.ok(SERIES.every((name) => Number.isNaN(later[name])), 'nothing new for four seconds');
  const bare = sampleOf(vehicle({ pose: null, streams: [], supervision: null, link_at_ns: null }), NOW_NS);
  assert.ok(SERIES.every((name) => Number.isNaN(bare[name])));
  const unseen = vehicle();
  unseen.supervision = { ...unseen.supervision, loss: null, round_trip_ms: null, closed_loop: { g2g_ms: null, g2g_uncertainty_ms: null } };
  const found = sampleOf(unseen, NOW_NS);
  assert.ok(['g2g', 'g2g_bar', 'rtt', 'loss', 'loss_after'].every((name) => Number.isNaN(found[name])));
});

test('missing seconds and unknown values are gaps, and old ones fall out', () => {
  const ring = emptyRing();
  put(ring, 100, only({ rtt: 40 }));
  put(ring, 103, only({ rtt: 41, speed: 2 }));
  const { seconds, series, known } = read(ring, 104);
  assert.equal(seconds.length, SPAN_S);
  assert.equal(seconds.at(-1), 104);
  assert.deepEqual(series.rtt.slice(-5), [40, null, null, 41, null]);
  assert.deepEqual(series.speed.slice(-5), [null, null, null, 2, null]);
  assert.equal(known, 2);
  put(ring, 100 + SPAN_S, only({ rtt: 50 }));
  const after = read(ring, 100 + SPAN_S);
  assert.deepEqual(after.series.rtt.filter((value) => value !== null), [41, 50]);
  assert.equal(read(ring, 100 + 3 * SPAN_S).known, 0, 'what is older than the span is not shown');
});

test('time only goes forward', () => {
  const ring = emptyRing();
  assert.ok(put(ring, 10, only({ rtt: 1 })));
  assert.ok(put(ring, 10, only({ rtt: 2 })), 'the same second replaces');
  assert.ok(!put(ring, 9, only({ rtt: 3 })));
  assert.ok(!put(ring, 10.5, only({ rtt: 3 })));
  assert.ok(!put(ring, -1, only({ rtt: 3 })));
  assert.deepEqual(read(ring, 10).series.rtt.slice(-2), [null, 2]);
});

test('a ring is never larger than at its beginning: two hundred vehicles stay below 5 MB', () => {
  const histories = new Map();
  const ids = Array.from({ length: 200 }, (_, index) => `site/v${index}`);
  const state = { socket: 'open', seq: 1, order: ids, vehicles: Object.fromEntries(ids.map((id) => [id, vehicle({ id })])) };
  for (let second = 0; second < 2 * SPAN_S; second += 400) sampleFleet(histories, state, second, NOW_NS);
  const bytes = [...histories.values()].reduce((sum, { seconds, values }) => sum + seconds.byteLength + values.byteLength, 0);
  assert.equal(histories.size, 200);
  assert.ok(bytes < 5_000_000, `${bytes}`);
});

test('vehicles that are gone lose their history, and their number is bounded', () => {
  const histories = new Map();
  const ids = Array.from({ length: MOST_VEHICLES + 5 }, (_, index) => `s/v${index}`);
  const all = { socket: 'open', seq: 1, order: ids, vehicles: Object.fromEntries(ids.map((id) => [id, vehicle({ id })])) };
  sampleFleet(histories, all, 1, NOW_NS);
  assert.equal(histories.size, MOST_VEHICLES);
  sampleFleet(histories, { ...all, order: ['s/v1'], vehicles: { 's/v1': vehicle() } }, 2, NOW_NS);
  assert.deepEqual([...histories.keys()], ['s/v1']);
});

test('without the hub nothing is sampled', () => {
  const histories = new Map();
  const state = { socket: 'lost', seq: null, order: ['a/b'], vehicles: { 'a/b': vehicle() } };
  sampleFleet(histories, state, 1, NOW_NS);
  assert.equal(read(histories.get('a/b'), 1).known, 0);
});

test('the strictest limit that is judged now counts', () => {
  const objectives = [
    { indicator: 'g2g', limit: 500, reason: 'within' },
    { indicator: 'g2g', limit: 200, reason: 'not_in_use' },
    { indicator: 'bitrate', limit: 1_000, reason: 'within' },
    { indicator: 'bitrate', limit: 2_000, reason: 'stale' },
  ];
  assert.equal(limitOf({ objectives }, 'g2g'), 500);
  assert.equal(limitOf({ objectives }, 'bitrate'), 2_000);
  assert.equal(limitOf({ objectives }, 'frame_gap'), null);
  assert.equal(limitOf(null, 'g2g'), null);
});

test('only what breaks a limit is marked, also a limit that moves', () => {
  assert.deepEqual(beyond([1, null, 6, 5], 5, 'most'), [null, null, 6, null]);
  assert.deepEqual(beyond([1, null, 6], 5, 'least'), [1, null, null]);
  assert.deepEqual(beyond([4, 4, 4], [5, null, 3], 'most'), [null, null, 4]);
  assert.deepEqual(beyond([4], null, 'most'), [null]);
});

test('a newest value is new', () => {
  assert.equal(latest([1, 2, null]), 2);
  assert.equal(latest([1, null, null, null]), null);
  assert.equal(latest([]), null);
});
