"""Stock Chromium as watcher and as publisher, both without a line of our own console."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil

import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from support.bottleneck import Bottleneck

FULL, TOP = 8_000_000, 1_500_000
"""Bit/s of the uplink, and about what Chromium sends of a picture of 640×480."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="chromium is not installed"
    ),
]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]

PAGE = """<!doctype html><video id=v autoplay muted playsinline></video><script>
const post = async (path, token, pc) => {
  await pc.setLocalDescription();
  const answer = await fetch(path, {method: 'POST', body: pc.localDescription.sdp,
    headers: {'Content-Type': 'application/sdp', Authorization: 'Bearer ' + token}});
  window.location_ = answer.headers.get('Location');
  if (answer.status !== 201) throw new Error(answer.status + ' ' + await answer.text());
  let sdp = await answer.text();
  if (window.detour) sdp = sdp.replaceAll(` ${detour[0]} typ`, ` ${detour[1]} typ`);
  await pc.setRemoteDescription({type: 'answer', sdp});
};
window.watch = async (token) => {
  const pc = window.pc = new RTCPeerConnection();
  pc.addTransceiver('video', {direction: 'recvonly'});
  pc.addTransceiver('audio', {direction: 'recvonly'});
  window.frames_ = [];
  window.sounds = 0;
  const video = document.getElementById('v');
  pc.ontrack = (event) => {
    if (event.track.kind !== 'video') return;
    video.srcObject = new MediaStream([event.track]);
    const seen = (now, data) => {
      window.frames_.push({rtp: data.rtpTimestamp, receive: data.receiveTime, width: data.width});
      video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
  };
  await post('/whep/maebashi/bus-01', token, pc);
};
// A picture that takes every bit an encoder is given.
const noise = () => {
  const [tile, canvas] = [0, 1].map(() => document.createElement('canvas'));
  [tile.width, tile.height, canvas.width, canvas.height] = [1280, 960, 640, 480];
  const pixels = new ImageData(1280, 960);
  for (let i = 0; i < pixels.data.length; i++) pixels.data[i] = 255 * Math.random();
  tile.getContext('2d').putImageData(pixels, 0, 0);
  const paper = canvas.getContext('2d');
  setInterval(() => paper.drawImage(tile, -640 * Math.random(), -480 * Math.random()), 50);
  return canvas.captureStream(20);
};
window.publish = async (token, codec, busy) => {
  const stream = busy ? noise()
    : await navigator.mediaDevices.getUserMedia({video: {width: 640}, audio: true});
  const pc = window.up = new RTCPeerConnection();
  for (const track of stream.getTracks()) pc.addTransceiver(track, {direction: 'sendonly'});
  const codecs = RTCRtpSender.getCapabilities('video').codecs;
  pc.getTransceivers().filter((t) => t.sender.track.kind === 'video').forEach((t) =>
    t.setCodecPreferences(codecs.filter((c) => c.mimeType === 'video/' + codec)));
  await post('/whip/maebashi/bus-01', token, pc);
};
window.restart = async (token) => {
  const pc = window.up, before = pc.remoteDescription.sdp;
  pc.restartIce();
  await pc.setLocalDescription();
  const [ufrag, pwd] = ['ufrag', 'pwd'].map(
    (name) => pc.localDescription.sdp.match(`a=ice-${name}:.*`)[0]);
  const answer = await fetch(window.location_, {method: 'PATCH', body: ufrag + '\\r\\n' + pwd,
    headers: {'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*',
      Authorization: 'Bearer ' + token}});
  if (answer.status !== 200) throw new Error(answer.status + ' ' + await answer.text());
  const fragment = await answer.text();
  let sdp = before;
  for (const name of ['ufrag', 'pwd']) {
    sdp = sdp.replaceAll(new RegExp(`a=ice-${name}:.*`, 'g'),
      fragment.match(`a=ice-${name}:.*`)[0].trim());
  }
  await pc.setRemoteDescription({type: 'answer', sdp});
};
window.publishSizes = async (token, codec) => {
  const stream = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480}});
  const pc = window.up = new RTCPeerConnection();
  const codecs = RTCRtpSender.getCapabilities('video').codecs;
  pc.addTransceiver(stream.getTracks()[0], {direction: 'sendonly', sendEncodings: [
    {rid: 'a', scaleResolutionDownBy: 4, maxBitrate: 150000}, {rid: 'b', maxBitrate: 1500000}],
  }).setCodecPreferences(codecs.filter((c) => c.mimeType === 'video/' + codec));
  await post('/whip/maebashi/bus-01', token, pc);
};
window.wish = (token, layer) => fetch(window.location_ + '/layers', {method: 'POST',
  headers: {'Content-Type': 'application/json', Authorization: 'Bearer ' + token},
  body: JSON.stringify({front: layer})}).then((answer) => answer.status);
window.operate = async (token) => {
  const pc = window.pc = new RTCPeerConnection();
  pc.addTransceiver('video', {direction: 'recvonly'});
  const voice = await navigator.mediaDevices.getUserMedia({audio: true});
  pc.addTransceiver(voice.getTracks()[0], {direction: 'sendrecv'});
  window.commands = pc.createDataChannel('command', {ordered: false, maxRetransmits: 0});
  window.heard = [];
  commands.onmessage = (event) => window.heard.push(event.data);
  await post('/whep/maebashi/bus-01', token, pc);
};
window.target = async () => {
  let bps = 0;
  (await window.up.getStats()).forEach((s) => {
    if (s.type === 'outbound-rtp' && s.kind === 'video') bps = s.targetBitrate || 0;
  });
  return bps;
};
window.sound = async () => {
  let packets = 0;
  (await window.pc.getStats()).forEach((s) => {
    if (s.type === 'inbound-rtp' && s.kind === 'audio') packets = s.packetsReceived;
  });
  return packets;
};
</script>"""


@contextlib.asynccontextmanager
async def served(hub, until):
    async def page(request):
        return HTMLResponse(PAGE)

    app = Starlette(routes=[Route("/", page), *hub.plane.routes()])
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(), name="uvicorn")
    try:
        await until(lambda: server.started, "uvicorn is started")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def page_of(address):
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = await browser.new_page()
            await page.goto(address)
            yield page
        finally:
            await browser.close()


async def test_chromium_shows_what_a_stock_publisher_sends(hub, peer, media):
    vehicle = peer()

    vehicle.pc.addTrack(media.Camera())
    vehicle.pc.addTrack(media.Microphone())
    media.prefer(vehicle.pc, "H264")
    assert (await vehicle.dial("/whip/maebashi/bus-01")).status_code == 201
    await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    async with served(hub, media.until) as address, page_of(address) as page:
        await page.evaluate("token => watch(token)", media.TOKEN)
        await page.wait_for_function("frames_.length > 30 && sound().then((n) => n > 20)")
        frames = await page.evaluate("frames_")
    assert all(frame["rtp"] is not None and frame["width"] == 160 for frame in frames)
    assert frames[-1]["rtp"] != frames[0]["rtp"]


@pytest.mark.parametrize("codec", ["H264", "VP8", "VP9", "AV1"])
async def test_chromium_publishes_to_chromium(hub, media, codec):
    async with served(hub, media.until) as address, page_of(address) as page:
        await page.evaluate("([token, codec]) => publish(token, codec)", [media.TOKEN, codec])
        await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
        await page.evaluate("token => watch(token)", media.TOKEN)
        await page.wait_for_function("frames_.length > 30 && sound().then((n) => n > 20)")

        def video():
            return next(s for s in hub.samples()[-1].streams if s.kind == "video")

        await media.until(lambda: video().sender_ntp is not None, "a sender report")
        assert video().codec == codec
        assert video().keyframes >= 1


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_chromium_sends_two_sizes_and_shows_the_one_it_asks_for(hub, media, codec):
    async with served(hub, media.until) as address, page_of(address) as page:
        await page.evaluate("([token, codec]) => publishSizes(token, codec)", [media.TOKEN, codec])
        await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
        await page.evaluate("token => watch(token)", media.TOKEN)
        await page.wait_for_function("frames_.some((f) => f.width === 640)")
        for layer, width in (("low", 160), ("high", 640), ("low", 160)):
            assert await page.evaluate("([t, l]) => wish(t, l)", [media.TOKEN, layer]) == 204
            await page.wait_for_function(f"frames_.at(-1).width === {width}")
        await page.wait_for_function("frames_.length > 200")
        frames = await page.evaluate("frames_")
    stamps = [frame["rtp"] for frame in frames if frame["rtp"] is not None]
    steps = [(after - before) & 0xFFFFFFFF for before, after in itertools.pairwise(stamps)]
    assert all(0 < step < 90_000 * 10 for step in steps), "time goes on"
    assert [stream.camera for stream in hub.samples()[-1].streams] == ["front"]


async def test_chromium_commands_and_talks_to_a_stock_vehicle(hub, peer, media):
    vehicle = peer()
    vehicle.pc.addTrack(media.Camera())
    vehicle.pc.addTrack(media.Microphone())
    line = vehicle.pc.createDataChannel("command", ordered=False, maxRetransmits=0)
    got = []
    line.on("message", got.append)
    assert (await vehicle.dial("/whip/maebashi/bus-01")).status_code == 201
    await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    hub.plane.set_grant(media.BUS, "operator", 1)
    speaker = vehicle.pc.getTransceivers()[1].receiver.track
    async with served(hub, media.until) as address, page_of(address) as page:
        await page.evaluate("token => operate(token)", media.TOKEN)
        await page.wait_for_function("commands.readyState === 'open'")
        await media.until(lambda: line.readyState == "open", "the vehicle's channel")
        await page.evaluate("setInterval(() => commands.send('dead-man'), 50)")
        await media.until(lambda: got.count("dead-man") > 20, "frames at the vehicle")
        line.send("applied")
        await page.wait_for_function("heard.includes('applied')")
        async with asyncio.timeout(40):
            while np.abs((await speaker.recv()).to_ndarray()).max() < 500:
                pass


async def test_chromium_follows_its_uplink_by_transport_wide_feedback(hub, media):
    """Fault F-05 with a browser as publisher. Figures are printed.

    How fast the rate rises again is its own controller's affair: no feedback hastens it.
    """
    worker = hub.plane.worker_stats()[0].udp_port
    cell = Bottleneck(("127.0.0.1", worker), FULL)
    port = await cell.open()
    loop = asyncio.get_running_loop()
    try:
        async with served(hub, media.until) as address, page_of(address) as page:
            await page.evaluate("(ports) => { window.detour = ports; }", [worker, port])
            await page.evaluate("token => publish(token, 'VP8', true)", media.TOKEN)
            await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")

            async def target():
                return await page.evaluate("target()")

            async def when(condition, what, seconds=40.0):
                begun = loop.time()
                while not condition(await target()):
                    assert loop.time() - begun < seconds, f"never: {what}, {await target()}"
                    await asyncio.sleep(0.1)
                return loop.time() - begun

            await when(lambda bps: bps > 0.9 * TOP, "its full rate")
            fell = loop.time()
            cell.bps = TOP / 4
            followed = await when(lambda bps: bps < TOP / 3, "a lower rate")
            await media.until(
                lambda: loop.time() - fell > 4 and cell.history[-1][1] < 0.3, "the queue is gone"
            )
            over = cell.over(0.5, fell)
            worst = max(queue for at, queue, _ in cell.history if at >= fell)
            cell.bps = FULL
            low = await target()
            back = await when(lambda bps: bps > 1.2 * low, "a higher rate again")
            print(
                f"\nfollowed down in {followed:.2f} s, queue at most {worst:.2f} s, over 0.5 s for "
                f"{over:.2f} s; from {low / 1e6:.2f} Mbit/s up by 20 % in {back:.1f} s; "
                f"{cell.dropped} dropped"
            )
            # How long is a figure for docs/measured.md; that it followed and came back is shown.
            assert hub.samples()[-1].streams[0].estimate_kbps > 300
    finally:
        cell.close()


async def test_chromium_restarts_ice_and_the_same_session_goes_on(hub, media):
    async with served(hub, media.until) as address, page_of(address) as page:
        await page.evaluate("token => publish(token, 'VP8')", media.TOKEN)
        await media.until(
            lambda: hub.samples() and hub.samples()[-1].streams, "media of the publisher"
        )
        await page.evaluate("token => restart(token)", media.TOKEN)
        assert hub.plane.counters.get("media_ice_restarts") == 1
        frames = hub.samples()[-1].streams[-1].frames
        await media.until(
            lambda: hub.samples()[-1].streams[-1].frames > frames + 30, "pictures after it"
        )
        await page.wait_for_function("up.iceConnectionState === 'connected'")
    assert [event.connected for event in hub.connected()] == [True]
