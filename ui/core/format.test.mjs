import assert from 'node:assert/strict';
import test from 'node:test';
import { ageWithBar, countdown, inLanguage, kmh, seconds, tenths, wallClock } from './format.js';

test('an age carries its error bar, rounded up', () => {
  assert.equal(ageWithBar(181.4, 4.2), '0.18 s ±0.01');
  assert.equal(ageWithBar(181.4, 12.1), '0.18 s ±0.02');
});

test('a freeze is never shown longer than it was', () => {
  assert.equal(tenths(1_499), '1.4');
});

test('times', () => {
  assert.equal(seconds(340), '0.34 s');
  assert.equal(seconds(3_400), '3.4 s');
  assert.equal(seconds(34_900), '34 s');
  assert.equal(seconds(300_000), '5 min');
  assert.equal(countdown(61_001), '1:02');
  assert.equal(countdown(-5), '0:00');
  assert.equal(wallClock(0, 9), '09:00:00');
});

test('words in two languages are shown in the reader\'s', () => {
  assert.equal(inLanguage('本町 / Honmachi', 'ja'), '本町');
  assert.equal(inLanguage('本町 / Honmachi', 'en'), 'Honmachi');
  assert.equal(inLanguage('a / b / c', 'en'), 'a / b / c');
  assert.equal(inLanguage('本町', 'en'), '本町');
});

test('speed', () => {
  assert.equal(kmh(5.5), '19.8');
  assert.equal(kmh(-1), '3.6');
});
