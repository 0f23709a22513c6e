import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filtered, kept, lasting, percentile, rates, rows, size, sorted, sparkline } from './fleet.js';

const NOW = 100e9;
const vehicle = (id, change = {}) => ({
  id, name: id, kind: 'bus', link: 'online', link_at_ns: NOW, pose: null, supervision: null,
  cameras: [{ name: 'front', width: 1280, height: 720, fps: 30 }, { name: 'rear', width: 640, height: 360, fps: 15 }],
  streams: [{ name: 'front', kind: 'video', live: true, kbps: 4_000, fps: 30, loss: 0, last_frame_ns: NOW }, { name: 'audio', kind: 'audio', live: true }],
  clock_offset_ns: 5, clock_uncertainty_ns: 2e6, ...change,
});
const fleet = (...views) => ({ socket: 'open', order: views.map(({ id }) => id), vehicles: Object.fromEntries(views.map((one) => [one.id, one])) });
const told = { vehicles: [{ vehicle: 'a/1', maker: 'Yamada', software: 'drive 4', session: 'abc', protocol_version: 1, link_since_ns: 7 }] };

test('a row is what consoles are told and what the hub says beyond it', () => {
  const [first, second] = rows(fleet(vehicle('a/1'), vehicle('a/2', { streams: [], clock_offset_ns: null })), told, NOW);
  assert.equal(first.live, 1);
  assert.equal(first.cameras.length, 2);
  assert.equal(first.kbps, 4_000);
  assert.equal(first.clock_ms, 2);
  assert.deepEqual([first.maker, first.session, first.since_ns], ['Yamada', 'abc', 7]);
  assert.deepEqual([second.live, second.kbps, second.clock_ms, second.maker, second.since_ns], [0, null, null, '', null]);
});

test('without the hub nothing is present', () => {
  const [row] = rows({ ...fleet(vehicle('a/1')), socket: 'lost' }, told, NOW);
  assert.deepEqual([row.link, row.live, row.kbps, row.clock_ms], ['unknown', 0, null, null]);
});

test('a stream without a factsheet has a row in the cameras', () => {
  const [row] = rows(fleet(vehicle('a/1', { cameras: [] })), null, NOW);
  assert.deepEqual(row.cameras.map(({ name }) => name), ['front']);
});

test('unknown values come last in both directions, and the worst link first', () => {
  const list = rows(fleet(vehicle('a/1'), vehicle('a/2', { streams: [] }), vehicle('a/3', { link: 'lost' }), vehicle('a/4', { link: 'degraded' })), null, NOW);
  assert.equal(sorted(list, 'kbps', false).at(-1)?.id, 'a/2');
  assert.equal(sorted(list, 'kbps', true).at(-1)?.id, 'a/2');
  assert.deepEqual(sorted(list, 'link', false).map(({ id }) => id), ['a/3', 'a/4', 'a/1', 'a/2']);
  assert.deepEqual(sorted(list, 'cameras', false).map(({ id }) => id)[0], 'a/2');
});

test('every word of a filter has to be found, full width or not', () => {
  const list = rows(fleet(vehicle('a/1'), vehicle('b/2')), null, NOW);
  const words = ({ id, link }) => `${id} ${link}`;
  assert.deepEqual(filtered(list, 'B/2　ｏｎｌｉｎｅ', words).map(({ id }) => id), ['b/2']);
  assert.equal(filtered(list, ' ', words).length, 2);
  assert.equal(filtered(list, 'b/2 lost', words).length, 0);
});

const answer = (at_s, events, change = {}) => ({
  at_ns: at_s * 1e9,
  hub: { started_ns: 1, totals: { enkan_hub_events_total: events }, loop_lag: [[0.01, events], [0.1, events + 1], [null, events + 1]], ...change },
  workers: [{ worker: 0, packets_in: events * 10, packets_out: null, dropped: 0, cpu_s: at_s / 2 }],
});

test('rates lie between two answers of one hub', () => {
  const found = rates(answer(10, 100), answer(15, 600));
  assert.equal(found.events, 100);
  assert.deepEqual(found.workers, [{ worker: 0, packets_in: 1_000, packets_out: null, dropped: 0, cpu: 0.5 }]);
  assert.equal(found.lag_ms, 10);
  assert.equal(rates(null, answer(15, 600)).events, null);
  assert.equal(rates(answer(10, 100), answer(15, 50)).events, null, 'a total that fell says nothing');
  assert.equal(rates(answer(10, 100), answer(15, 600, { started_ns: 2 })).events, null, 'another hub');
});

test('a percentile is the bucket that holds it, or open', () => {
  assert.deepEqual(percentile([[0.01, 5], [0.1, 5], [null, 5]], [[0.01, 10], [0.1, 100], [null, 105]], 0.99), { bound_s: 0.1, open: true });
  assert.deepEqual(percentile([], [[0.01, 98], [0.1, 100], [null, 100]], 0.99), { bound_s: 0.1, open: false });
  assert.equal(percentile([[null, 3]], [[null, 3]], 0.99), null);
});

test('a small line has gaps, and is bounded', () => {
  assert.deepEqual(sparkline([1, null, 1], 4), ['1,0.091', '3,0.091']);
  assert.deepEqual(sparkline([null, null], 4), []);
  assert.deepEqual(kept([1, 2, 3], 4, 3), [2, 3, 4]);
});

test('sizes and times are short', () => {
  assert.deepEqual([size(999), size(1_500), size(250e9)], ['999 B', '1.5 kB', '250 GB']);
  assert.deepEqual([lasting(45_000), lasting(600_000), lasting(7_800_000), lasting(273_600_000)], ['45 s', '10 min', '2 h 10 min', '3 d 4 h']);
});
