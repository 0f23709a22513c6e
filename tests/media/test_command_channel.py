"""The data channel "command" and the operator's voice, through a real worker."""

from __future__ import annotations

import asyncio
import os
import signal

import numpy as np
import pytest

pytestmark = [pytest.mark.integration]

WHIP = "/whip/maebashi/bus-01"
WHEP = "/whep/maebashi/bus-01"


class Line:
    """One end of the channel: what came in, and whether it is open."""

    def __init__(self, pc, label="command", **options):
        self.channel = pc.createDataChannel(
            label, **{"ordered": False, "maxRetransmits": 0, **options}
        )
        self.got = []
        self.channel.on("message", self.got.append)

    @property
    def open(self):
        return self.channel.readyState == "open"


async def dialled(hub, peer, media, path, kinds=("video",), token=None, **options):
    entry = peer()
    line = Line(entry.pc, **options)
    if path == WHIP:
        entry.pc.addTrack(media.Camera())
        media.prefer(entry.pc, "VP8")
    else:
        for kind in kinds:
            entry.pc.addTransceiver(kind, direction="recvonly")
    response = await entry.dial(path, token or media.TOKEN)
    assert response.status_code == 201, response.text
    if path == WHIP:
        await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    return entry, line


async def opened(media, *lines):
    for line in lines:
        await media.until(lambda line=line: line.open, "channel open")


def refused(hub):
    return {r: n for name, r, n in hub.plane.counters.items() if name == "media_command_refused"}


async def test_frames_pass_both_ways_for_the_holder_of_the_grant_alone(hub, peer, media):
    _, vehicle = await dialled(hub, peer, media, WHIP)
    _, holder = await dialled(hub, peer, media, WHEP)
    _, other = await dialled(hub, peer, media, WHEP, token=media.OTHER)
    await opened(media, vehicle, holder, other)
    holder.channel.send(b"before any grant")
    await media.until(lambda: refused(hub).get("no_grant"), "refused without a grant")
    hub.plane.set_grant(media.BUS, "operator", 5)
    await passes(media, holder, vehicle, b"drive")
    await passes(media, vehicle, holder, "applied")
    other.channel.send(b"let me")
    await media.until(lambda: refused(hub).get("not_holder"), "refused to another")
    hub.plane.set_grant(media.BUS, "other", 4)
    await passes(media, holder, vehicle, b"an older epoch takes nothing away")
    hub.plane.set_grant(media.BUS, "other", 6)
    await passes(media, other, vehicle, b"mine now")
    hub.plane.set_grant(media.BUS, None, 7)
    before = refused(hub)["no_grant"]

    def again() -> bool:
        # The end goes to the worker by another way than the frame, which may overtake it.
        other.channel.send(b"after the end")
        return bool(refused(hub)["no_grant"] > before)

    await media.until(again, "refused after the end")
    assert not {b"before any grant", b"let me", b"after the end"} & set(vehicle.got)
    assert "applied" not in other.got


async def passes(media, source, target, frame):
    """Send until one arrives: the channel repeats nothing, and a grant takes its time."""
    async with asyncio.timeout(30):
        while frame not in target.got:
            source.channel.send(frame)
            await asyncio.sleep(0.1)
    assert frame in target.got


async def test_a_stop_passes_without_a_grant_from_whom_the_role_lets_stop(hub, peer, media):
    bus, vehicle = await dialled(hub, peer, media, WHIP)
    stops = Line(bus.pc, label="stop")
    _, holder = await dialled(hub, peer, media, WHEP, token=media.OTHER, label="stop")
    seat, line = await dialled(hub, peer, media, WHEP)
    emergency = Line(seat.pc, label="stop")
    await opened(media, vehicle, stops, holder, line, emergency)
    hub.plane.set_grant(media.BUS, "other", 3)
    await passes(media, emergency, stops, b"stop")
    holder.channel.send(b"his role may not")
    await media.until(lambda: refused(hub).get("stop_role"), "refused for its role")
    stops.channel.send(b"from the vehicle")
    await media.until(lambda: refused(hub).get("stop_from_vehicle"), "the wrong way")
    assert set(stops.got) == {b"stop"}
    assert vehicle.got == []
    stops.channel.close()
    await passes(media, emergency, vehicle, b"on the other channel")


async def test_too_large_and_too_many_frames_are_counted_and_dropped(hub, peer, media):
    _, vehicle = await dialled(hub, peer, media, WHIP)
    _, holder = await dialled(hub, peer, media, WHEP)
    await opened(media, vehicle, holder)
    hub.plane.set_grant(media.BUS, "operator", 1)
    await passes(media, holder, vehicle, b"drive")
    await asyncio.sleep(0.3)  # the allowance is full again
    for number in range(100):
        holder.channel.send(bytes([number]))
    await media.until(lambda: refused(hub).get("rate", 0) >= 50, "too many")
    assert len([frame for frame in vehicle.got if len(frame) == 1]) < 60
    channel = holder.channel
    channel.transport._remote_max_message_size = 0
    await asyncio.sleep(0.3)
    channel.send(bytes(1_201))
    await media.until(lambda: refused(hub).get("size"), "too large")
    assert max(len(frame) for frame in vehicle.got) < 100


@pytest.mark.parametrize(
    "options",
    [
        {"label": "chat"},
        {"label": "stop", "ordered": True},
        {"label": "link"},  # a vehicle's alone
        {"ordered": True},
        {"maxRetransmits": None},
        {"maxRetransmits": 3},
    ],
)
async def test_any_other_channel_is_refused(hub, peer, media, options):
    await dialled(hub, peer, media, WHIP)
    _, line = await dialled(hub, peer, media, WHEP, **options)
    await media.until(
        lambda: hub.plane.counters.get("media_channel_dropped", "channel_refused"), "refused"
    )
    await media.until(lambda: line.channel.readyState == "closed", "closed")


async def test_an_association_that_breaks_the_protocol_ends_and_the_picture_goes_on(
    hub, peer, media
):
    await dialled(hub, peer, media, WHIP)
    entry, line = await dialled(hub, peer, media, WHEP)
    entry.count_frames()
    await opened(media, line)
    sctp = line.channel.transport

    async def raw(chunk_type, body):
        tag = sctp._remote_verification_tag
        chunk = bytes((chunk_type, 0)) + (4 + len(body)).to_bytes(2, "big") + body
        head = (5000).to_bytes(2, "big") * 2 + tag.to_bytes(4, "big")
        from google_crc32c import value

        packet = bytearray(head + bytes(4) + chunk + bytes(-len(chunk) % 4))
        packet[8:12] = value(bytes(packet)).to_bytes(4, "little")
        await sctp.transport._send_data(bytes(packet))

    gaps = (1).to_bytes(4, "big") + bytes(4) + b"\x00\x01\x00\x00" + b"\x00\x01\xff\xff"
    await raw(3, gaps)
    await media.until(
        lambda: hub.plane.counters.get("media_channel_dropped", "sctp_malformed"), "gaps refused"
    )
    tsn = sctp._local_tsn
    for number in range(80):
        body = ((tsn + number) & 0xFFFFFFFF).to_bytes(4, "big") + b"\x00\x01\x00\x00"
        await raw(0, body + (53).to_bytes(4, "big") + bytes(1_100))
    await media.until(
        lambda: hub.plane.counters.get("media_channel_dropped", "sctp_broken"), "bound reached"
    )
    seen = entry.frames.get("video0", 0)
    await media.until(lambda: entry.frames.get("video0", 0) > seen + 20, "the picture goes on")


# ----------------------------------------------------------------------- voice


def tone(media, hertz):
    class Tone(media.Microphone):
        async def recv(self):
            frame = await super().recv()
            samples = np.arange(960) + self._count * 960
            wave = (np.sin(samples * 2 * np.pi * hertz / 48_000) * 8_000).astype(np.int16)
            frame.planes[0].update(wave.tobytes())
            return frame

    return Tone()


async def loudest(track, frames=10):
    """Return the strongest frequency of the next frames, 0 for silence."""
    parts = []
    for _ in range(frames):
        frame = await track.recv()
        parts.append(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0])
    sound = np.concatenate(parts).astype(float)
    if np.abs(sound).max() < 500:
        return 0
    spectrum = np.abs(np.fft.rfft(sound))
    return int(spectrum.argmax() * 48_000 / len(sound))


async def test_the_vehicle_hears_one_operator_at_a_time(hub, peer, media):
    vehicle = peer()
    vehicle.pc.addTrack(media.Camera())
    vehicle.pc.addTrack(media.Microphone())
    media.prefer(vehicle.pc, "VP8")
    assert (await vehicle.dial(WHIP)).status_code == 201
    await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    speaker = vehicle.pc.getTransceivers()[1].receiver.track

    async def operator(hertz):
        entry = peer()
        entry.pc.addTransceiver("video", direction="recvonly")
        entry.pc.addTrack(tone(media, hertz))
        assert (await entry.dial(WHEP)).status_code == 201
        return entry

    async def hears(hertz):
        async with asyncio.timeout(40):
            while abs(await loudest(speaker) - hertz) > 40:
                pass

    first = await operator(600)
    await hears(600)
    second = await operator(1_500)
    await media.until(
        lambda: hub.plane.counters.get("media_dropped", "talk_busy") > 20, "the floor is taken"
    )
    await hears(600)
    await media.until(lambda: hub.unheard, "who is not heard is told why")
    assert set(hub.unheard) == {("operator", media.BUS, "busy")}
    await first.close()
    await hears(1_500)
    await second.close()


async def test_who_may_not_talk_is_not_decrypted(hub, peer, media):
    vehicle = peer()
    vehicle.pc.addTransceiver(media.Microphone(), direction="sendonly")
    vehicle.pc.addTransceiver(media.Camera(), direction="sendonly")
    assert (await vehicle.dial(WHIP)).status_code == 201
    await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    entry = peer()
    entry.pc.addTrack(tone(media, 600))
    assert (await entry.dial(WHEP)).status_code == 201
    assert "a=sendrecv" not in entry.answer


async def test_a_grant_outlives_the_worker(hub, peer, media):
    hub.plane.set_grant(media.BUS, "operator", 1)
    killed = hub.plane.worker_stats()[0].pid
    os.kill(killed, signal.SIGKILL)
    await media.until(
        lambda: hub.plane.ready.is_set() and hub.plane.worker_stats()[0].pid != killed,
        "another worker",
    )
    _, vehicle = await dialled(hub, peer, media, WHIP)
    _, holder = await dialled(hub, peer, media, WHEP)
    await opened(media, vehicle, holder)
    await passes(media, holder, vehicle, b"still granted")
