import assert from 'node:assert/strict';
import test from 'node:test';
import { FEATURES, withheld } from './secure.js';

const nothing = Object.fromEntries(FEATURES.map((feature) => [feature, false]));

test('over https nothing is withheld, whatever the browser lacks', () => {
  assert.deepEqual(withheld({ secure: true, present: nothing }), []);
});

test('over plain http everything that is missing is named, what weighs most first', () => {
  assert.deepEqual(withheld({ secure: false, present: nothing }), [...FEATURES]);
  assert.deepEqual(withheld({ secure: false, present: { ...nothing, gamepad: true } }).includes('gamepad'), false);
});
