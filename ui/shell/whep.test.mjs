import assert from 'node:assert/strict';
import test from 'node:test';
import { ownStreamForSound } from './whep.js';

test('sound gets a media stream of its own, pictures keep theirs', () => {
  const answer = 'v=0\r\nm=video 9 RTP/SAVPF 96\r\na=msid:bus front\r\nm=audio 9 RTP/SAVPF 111\r\na=msid:bus mic\r\na=ssrc:7 msid:bus mic\r\n';
  assert.equal(
    ownStreamForSound(answer),
    'v=0\r\nm=video 9 RTP/SAVPF 96\r\na=msid:bus front\r\nm=audio 9 RTP/SAVPF 111\r\na=msid:bus-sound mic\r\na=ssrc:7 msid:bus-sound mic\r\n',
  );
});
