import assert from 'node:assert/strict';
import test from 'node:test';
import { arrange, layerOf, LEAST_THUMB_WIDTH, MOST_THUMBS, nextCamera, spread } from './cameras.js';

test('one camera needs no column beside it', () => {
  assert.deepEqual(arrange(1250, 640, 0, false), { side: 0, columns: 1, thumb: null });
});

test('thumbnails of a tile on a small screen stand below each other and fit', () => {
  const { side, columns, thumb } = arrange(575, 222, 2, false);
  assert.equal(columns, 1);
  assert.ok(thumb.width >= LEAST_THUMB_WIDTH && thumb.width <= side);
  assert.ok(2 * thumb.height <= 222);
});

test('a tile that is too small shows, and so asks for, no thumbnails', () => {
  assert.equal(arrange(320, 180, 2, false).thumb, null);
  assert.equal(arrange(320, 180, 2, false).side, 0);
  assert.equal(arrange(575, 140, 2, false).thumb, null);
});

test('a replay takes the column, and thumbnails only what it leaves', () => {
  assert.equal(arrange(575, 222, 2, true).thumb, null);
  const large = arrange(1250, 640, 2, true);
  assert.ok(large.thumb.height * 2 / large.columns <= 640);
  assert.ok(large.side < 1250 / 2, 'live stays larger than the replay');
});

test('however many cameras, no more than four thumbnails, none below the least width', () => {
  for (let others = 1; others < 16; others += 1) {
    for (const [width, height] of [[400, 200], [800, 350], [1250, 640]]) {
      const { side, columns, thumb } = arrange(width, height, others, false);
      if (thumb === null) continue;
      const count = Math.min(others, MOST_THUMBS);
      assert.ok(thumb.width >= LEAST_THUMB_WIDTH);
      assert.ok(thumb.width * columns <= side);
      assert.ok(thumb.height * Math.ceil(count / columns) <= height);
    }
  }
});

test('only the large picture of the focused vehicle is asked for in full', () => {
  assert.equal(layerOf(true, true), 'high');
  for (const [large, focused] of [[true, false], [false, true], [false, false]]) {
    assert.equal(layerOf(large, focused), 'low');
  }
});

test('the key goes round all cameras', () => {
  assert.equal(nextCamera(['front', 'left'], 'front'), 'left');
  assert.equal(nextCamera(['front', 'left'], 'left'), 'front');
  assert.equal(nextCamera(['front'], 'gone'), 'front');
  assert.equal(nextCamera([], 'front'), 'front');
});

test('the main session keeps its camera while that is shown anywhere', () => {
  assert.deepEqual(spread('front', 'front', []), { main: 'front', side: [] });
  assert.deepEqual(spread('front', 'front', ['left', 'right']), { main: 'front', side: ['left', 'right'] });
  assert.deepEqual(spread('front', 'left', ['front', 'right']), { main: 'front', side: ['left', 'right'] });
});

test('with no thumbnails the main session carries the large camera', () => {
  assert.deepEqual(spread('front', 'left', []), { main: 'left', side: [] });
});
