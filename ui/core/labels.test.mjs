import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { LABELS, TOPICS, label } from './labels.js';

const HERE = new URL('..', import.meta.url);
const SOURCES = ['.', 'panels', 'shell', 'core'].flatMap((room) =>
  readdirSync(new URL(`${room}/`, HERE))
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(new URL(`${room}/${name}`, HERE), 'utf8')),
);

test('every label has both languages and the same values in them', () => {
  for (const [key, [ja, en]] of Object.entries(LABELS)) {
    assert.ok(ja.trim() && en.trim(), key);
    const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([name]) => name).sort().join();
    assert.equal(names(ja), names(en), key);
  }
});

test('no label is in two files, and every file is in the catalogue', () => {
  const keys = TOPICS.flatMap((topic) => Object.keys(topic));
  assert.deepEqual(keys.filter((key, at) => keys.indexOf(key) !== at), []);
  assert.equal(TOPICS.length, readdirSync(new URL('labels/', import.meta.url)).length);
});

test('every label that the sources name exists', () => {
  for (const source of SOURCES) {
    for (const [, key] of source.matchAll(/\bt\('([a-z_0-9]+\.[A-Za-z_0-9.]+)'/g)) {
      assert.ok(key in LABELS, key);
    }
  }
});

test('every label is used, by name or by the family before its last part', () => {
  const all = SOURCES.join('\n');
  for (const key of Object.keys(LABELS)) {
    const family = key.slice(0, key.lastIndexOf('.') + 1);
    const partial = new RegExp(`['\`]${key.replace(/_[a-z0-9]+$/, '_').replaceAll('.', '\\.')}\\$\\{`);
    const named = all.includes(`'${key}'`);
    assert.ok(named || all.includes(`\`${family}\${`) || partial.test(all), `${key} is never used`);
  }
});

test('values are put in, and an unknown word falls back', () => {
  assert.equal(label('en', 'alarm.more', { n: 3 }), '3 more');
  assert.equal(label('ja', 'reason.something_new', {}, 'something_new'), 'something_new');
});
