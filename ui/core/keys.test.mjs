import assert from 'node:assert/strict';
import test from 'node:test';
import { actionFor } from './keys.js';

const nowhere = { inText: false, onControl: false, hasRequests: true };

test('Space is STOP even with a button focused, and never in a text field or while composing', () => {
  assert.equal(actionFor({ code: 'Space' }, nowhere), 'stop');
  assert.equal(actionFor({ code: 'Space' }, { ...nowhere, onControl: true }), 'stop');
  assert.equal(actionFor({ code: 'Space' }, { ...nowhere, inText: true }), null);
  assert.equal(actionFor({ code: 'Space', isComposing: true }, nowhere), null);
});

test('Enter opens the top card, unless a button has the focus', () => {
  assert.equal(actionFor({ code: 'Enter' }, nowhere), 'top_card');
  assert.equal(actionFor({ code: 'Enter' }, { ...nowhere, onControl: true }), null);
});

test('Tab goes to the next request only if there is one, and never backwards', () => {
  assert.equal(actionFor({ code: 'Tab' }, nowhere), 'next_request');
  assert.equal(actionFor({ code: 'Tab', shiftKey: true }, nowhere), null);
  assert.equal(actionFor({ code: 'Tab' }, { ...nowhere, hasRequests: false }), null);
});

test('digits choose tiles on both rows of keys', () => {
  assert.equal(actionFor({ code: 'Digit3' }, nowhere), 'tile_3');
  assert.equal(actionFor({ code: 'Numpad9' }, nowhere), 'tile_9');
  assert.equal(actionFor({ code: 'Digit0' }, nowhere), null);
});

test('keys with Ctrl, Alt or Meta belong to the browser', () => {
  for (const held of ['ctrlKey', 'altKey', 'metaKey']) {
    assert.equal(actionFor({ code: 'KeyA', [held]: true }, nowhere), null);
  }
});
