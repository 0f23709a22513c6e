import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greys, Sameness } from './sameness.js';

const CELLS = 96 * 54;

/** A scene with edges; another number, another scene. @param {number} number */
const scene = (number) => Uint8Array.from({ length: CELLS }, (_, at) => ((at * 7 + number * 31) % 5) * 50);
/** The same with every cell a little off, and a few far off. @param {Uint8Array} picture @param {number} levels @param {number} [few] */
const nearly = (picture, levels, few = 0) => picture.map((grey, at) => (at < few ? grey + 40 : grey + (at % (levels + 1))));
/** Fog: nothing to see. @param {number} number */
const fog = (number) => Uint8Array.from({ length: CELLS }, (_, at) => 120 + ((at + number) % 3));

/** Look every 250 ms at these pictures; return what is known after each. @param {Uint8Array[]} pictures @param {number} [speed_mps] */
function looks(pictures, speed_mps = 5) {
  const same = new Sameness();
  return pictures.map((picture, at) => {
    same.take(picture, at, at * 250, speed_mps);
    return same.same_ms;
  });
}

/** @param {number[]} numbers */
const scenes = (...numbers) => numbers.map(scene);

test('pictures that differ are never the same for long', () => {
  assert.deepEqual(looks(scenes(1, 2, 3, 4)), [0, 0, 0, 0]);
});

test('one picture again and again counts from its first look', () => {
  assert.deepEqual(looks(scenes(1, 2, 2, 2)), [0, 0, 250, 500]);
  assert.deepEqual(looks(scenes(1, 2, 3, 4, 4, 4)), [0, 0, 0, 0, 250, 500]);
});

test('a keyframe that redraws the same scene does not end it, a scene that changes does', () => {
  assert.deepEqual(looks(scenes(7, 7, 7, 8, 8, 8)), [0, 250, 500, 750, 1_000, 1_250]);
  assert.deepEqual(looks(scenes(7, 7, 7, 8, 9, 9)), [0, 250, 500, 750, 0, 250]);
});

test('a stuck camera whose encoder goes on refining is the same once the vehicle has moved half a metre', () => {
  const still = scene(1);
  const refined = [scene(4), scene(3), still, nearly(still, 1), nearly(still, 2, 3), nearly(still, 3)];
  assert.deepEqual(looks(refined, 5), [0, 0, 0, 250, 500, 750]);
  assert.deepEqual(looks(refined, 0.8), [0, 0, 0, 0, 0, 750]);
});

test('a scene that goes by slowly is not alike, nor is what changes in a few places more', () => {
  const still = scene(1);
  assert.deepEqual(looks([scene(2), scene(3), still, nearly(still, 2, 9), nearly(still, 3, 18), nearly(still, 1, 27)], 5), [0, 0, 0, 0, 0, 0]);
});

test('fog looks alike from everywhere: only equal pictures count in it', () => {
  assert.deepEqual(looks([fog(0), fog(1), fog(2), fog(3), fog(4)], 5), [0, 0, 0, 0, 0]);
  assert.deepEqual(looks([fog(0), fog(1), fog(1), fog(1)], 5), [0, 0, 250, 500]);
});

test('what nobody looked at is not known', () => {
  const same = new Sameness();
  assert.equal(same.same_ms, null);
  same.take(scene(1), 1, 0, 5);
  same.forget();
  assert.equal(same.same_ms, null);
});

test('grey is the luma of red, green and blue', () => {
  assert.deepEqual([...greys(new Uint8ClampedArray([255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255]))], [76, 149, 28]);
});
