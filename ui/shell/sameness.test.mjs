import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fnv1a, Sameness } from './sameness.js';

/** Look every 250 ms at pictures with these hashes; return what is known after each. */
function looks(...hashes) {
  const same = new Sameness();
  return hashes.map((hash, at) => {
    same.take(hash, at, at * 250);
    return same.same_ms;
  });
}

test('pictures that differ are never the same for long', () => {
  assert.deepEqual(looks(1, 2, 3, 4), [0, 0, 0, 0]);
});

test('one picture again and again counts from its first look', () => {
  assert.deepEqual(looks(1, 7, 7, 7), [0, 0, 250, 500]);
  assert.deepEqual(looks(1, 2, 3, 7, 7, 7), [0, 0, 0, 0, 250, 500]);
});

test('a keyframe that redraws the same scene does not end it, a scene that changes does', () => {
  assert.deepEqual(looks(7, 7, 7, 8, 8, 8), [0, 250, 500, 750, 1_000, 1_250]);
  assert.deepEqual(looks(7, 7, 7, 8, 9, 9), [0, 250, 500, 750, 0, 250]);
});

test('what nobody looked at is not known', () => {
  const same = new Sameness();
  assert.equal(same.same_ms, null);
  same.take(1, 1, 0);
  same.forget();
  assert.equal(same.same_ms, null);
});

test('the hash is FNV-1a', () => {
  assert.equal(fnv1a(new Uint8ClampedArray([97])), 0xe40c292c);
});
