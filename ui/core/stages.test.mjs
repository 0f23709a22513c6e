import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STAGES, stagesOf, summary } from './stages.js';

const stream = { encode_ms: 20, arrival_ms: 35, forward_ms: 1, clock_uncertainty_ns: 2e6 };
const frame = { rtp: 1, displayed_ms: 1_018, presented_ms: 1_004, processing_ms: 4 };

test('the stages add up to the age of the frame, in the order of its way', () => {
  const stages = stagesOf(stream, frame, { age_ms: 140, uncertainty_ms: 5 });
  assert.deepEqual(stages.map(({ stage }) => stage), STAGES);
  assert.deepEqual(stages.map(({ ms }) => ms), [20, 15, 1, 86, 18]);
  assert.equal(stages.reduce((sum, { ms }) => sum + ms, 0), 140);
});

test('a stage that crosses two clocks carries the error bar of both', () => {
  const [, uplink, , downlink] = stagesOf(stream, frame, { age_ms: 140, uncertainty_ms: 5 });
  assert.equal(uplink.uncertainty_ms, 3);
  assert.equal(downlink.uncertainty_ms, 7);
});

test('what nobody says is left out, and nothing is guessed from it', () => {
  const age = { age_ms: 140, uncertainty_ms: 5 };
  const names = (/** @type {any} */ s, /** @type {any} */ f) => stagesOf(s, f, age).map(({ stage }) => stage);
  assert.deepEqual(names({ ...stream, encode_ms: null }, frame), ['hub', 'downlink', 'display']);
  assert.deepEqual(names({ ...stream, forward_ms: null }, frame), ['capture_encode', 'uplink', 'display']);
  assert.deepEqual(names(stream, { ...frame, processing_ms: null }), ['capture_encode', 'uplink', 'hub']);
  assert.deepEqual(names(undefined, { ...frame, processing_ms: null }), []);
});

test('of a second of frames every known age is kept and the middle one is split', () => {
  const frames = [10, 30, 20].map((n) => ({ ...frame, rtp: n }));
  const told = summary(frames, stream, (f) =>
    f.rtp === 30 ? { ok: false, reason: 'no_picture' } : { ok: true, age_ms: 100 + Number(f.rtp), uncertainty_ms: Number(f.rtp) / 10 });
  assert.deepEqual(told.ages_ms, [110, 120]);
  assert.equal(told.age_ms, 120);
  assert.equal(told.uncertainty_ms, 2);
  assert.equal(told.stages.reduce((sum, { ms }) => sum + ms, 0), 120);
});

test('no stage takes less than no time', () => {
  const [encode, uplink] = stagesOf({ ...stream, encode_ms: 40 }, frame, { age_ms: 140, uncertainty_ms: 5 });
  assert.deepEqual([encode.ms, uplink.ms], [35, 0]);
});

test('without one known age nothing is claimed', () => {
  assert.deepEqual(summary([frame], stream, () => ({ ok: false, reason: 'hub_clock_unknown' })), {
    ages_ms: [], uncertainty_ms: null, age_ms: null, stages: [],
  });
});
