import assert from 'node:assert/strict';
import test from 'node:test';
import { clip, codecOf, emptyRing, keep, REACH_MS, rtpBetween, shed, timeline } from './ring.js';

const FRAME_MS = 40;

/** Frames at 25 a second, a keyframe every `every`. */
function film(count, every, { bytes = 1_000, from = 0, limit } = {}) {
  let ring = emptyRing();
  for (let at = from; at < from + count; at += 1) {
    ring = keep(ring, frame(at, at % every === 0, bytes), limit);
  }
  return ring;
}

function frame(at, key, bytes = 1_000) {
  return { rtp: (at * FRAME_MS * 90) >>> 0, at_ms: at * FRAME_MS, key, bytes, data: new ArrayBuffer(0), mime: 'video/H264' };
}

const span = ({ frames }) => frames.at(-1).at_ms - frames[0].at_ms;

test('it reaches back to the newest keyframe that is ten seconds old', () => {
  const ring = film(1_000, 50);
  assert.ok(ring.frames[0].key);
  assert.ok(span(ring) >= REACH_MS);
  assert.ok(span(ring) <= REACH_MS + 2 * 2_000, `${span(ring)}`);
  assert.equal(ring.dropped, 0);
  assert.equal(ring.bytes, ring.frames.length * 1_000);
});

test('keyframes that are far apart make it reach further, not shorter', () => {
  const ring = film(900, 500);
  assert.equal(ring.frames[0].at_ms, 0);
  assert.ok(film(1_300, 500).frames[0].key);
  assert.ok(span(film(1_300, 500)) >= REACH_MS);
});

test('before the first keyframe nothing is kept', () => {
  const ring = keep(keep(emptyRing(), frame(1, false)), frame(2, false));
  assert.deepEqual(ring.frames, []);
  assert.equal(keep(ring, frame(3, true)).frames.length, 1);
});

test('beyond its bytes the oldest whole group goes, and is counted', () => {
  const ring = film(200, 50, { limit: { bytes: 120_000, frames: 10_000 } });
  assert.ok(ring.frames[0].key);
  assert.ok(ring.bytes <= 120_000);
  assert.equal(ring.dropped % 50, 0);
  assert.ok(ring.dropped > 0);
});

test('beyond its frames too; a single group that is too large goes whole and waits for the next keyframe', () => {
  const limit = { bytes: 1e9, frames: 30 };
  const ring = film(40, 1_000, { limit });
  assert.deepEqual(ring.frames, []);
  assert.equal(ring.bytes, 0);
  assert.equal(ring.dropped, 31);
  assert.equal(keep(ring, frame(1_000, true), limit).frames.length, 1);
});

test('after a long pause it begins anew', () => {
  const ring = film(100, 50);
  assert.deepEqual(keep(ring, frame(1_000, false)).frames, []);
  assert.equal(keep(film(100, 50), frame(1_000, true)).frames.length, 1);
});

test('shedding takes one group', () => {
  const ring = shed(film(100, 50));
  assert.equal(ring.frames.length, 50);
  assert.equal(ring.bytes, 50_000);
  assert.equal(ring.dropped, 50);
  assert.deepEqual(shed(emptyRing()).frames, []);
});

test('a clip begins at a keyframe and says what comes before the wanted instant', () => {
  const ring = film(500, 50);
  const newest = ring.frames.at(-1).at_ms;
  const { frames, lead } = clip(ring, newest - 7_000);
  assert.ok(frames[0].key);
  assert.ok(frames[lead].at_ms >= newest - 7_000);
  assert.ok(lead < 50);
  assert.equal(clip(ring, -1e9).frames.length, ring.frames.length);
  assert.deepEqual(clip(emptyRing(), 0), { frames: [], lead: 0 });
});

test('time runs on over the wrap of the RTP timestamp', () => {
  assert.equal(rtpBetween(4_294_967_000, 2_704), 33.333333333333336);
  const times = timeline([
    { rtp: 4_294_963_696, at_ms: 0 }, { rtp: 0, at_ms: 45 }, { rtp: 3_600, at_ms: 70 },
  ]);
  assert.deepEqual(times.map(Math.round), [0, 40, 80]);
});

test('another timeline is bridged by the time of arrival', () => {
  const times = timeline([{ rtp: 0, at_ms: 0 }, { rtp: 3_600, at_ms: 40 }, { rtp: 900_000_000, at_ms: 640 }]);
  assert.deepEqual(times, [0, 40, 640]);
});

test('the codec of a clip', () => {
  const sps = new Uint8Array([0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xaa]).buffer;
  assert.equal(codecOf('video/H264', sps), 'avc1.42c01f');
  assert.equal(codecOf('video/H264', new ArrayBuffer(20)), null);
  assert.equal(codecOf('video/VP8', sps), 'vp8');
  assert.equal(codecOf('video/rtx', sps), null);
});
