import assert from 'node:assert/strict';
import test from 'node:test';
import { NUMBERS_EVERY_MS, rowViews } from './rows.js';

const vehicle = (more = {}) => ({ link: 'online', mode: 'AUTONOMOUS', pose: { speed_mps: 1 }, ...more });
const at = (shown, id) => shown.get(id).view;

test('numbers wait for their turn, what people act on does not', () => {
  const first = rowViews(new Map(), { a: vehicle() }, ['a'], 1_000);
  const faster = { a: vehicle({ pose: { speed_mps: 9 } }) };
  const soon = rowViews(first, faster, ['a'], 1_100);
  assert.equal(at(soon, 'a').pose.speed_mps, 1);
  assert.equal(at(rowViews(soon, faster, ['a'], 1_000 + NUMBERS_EVERY_MS), 'a').pose.speed_mps, 9);
  assert.equal(at(rowViews(soon, { a: vehicle({ link: 'lost' }) }, ['a'], 1_101), 'a').link, 'lost');
});

test('rows take turns, and those of vehicles that are gone go', () => {
  const ids = Array.from({ length: 100 }, (_, n) => `v${n}`);
  const all = () => Object.fromEntries(ids.map((id) => [id, vehicle()]));
  const first = rowViews(new Map(), all(), ids, 0);
  const next = rowViews(first, all(), ids, NUMBERS_EVERY_MS / 5);
  const drawn = ids.filter((id) => at(next, id) !== at(first, id)).length;
  assert.ok(drawn > 10 && drawn < 30, `${drawn} at once`);
  assert.deepEqual([...rowViews(next, all(), ['v3'], 200).keys()], ['v3']);
});
