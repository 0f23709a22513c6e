"""Who may say something to a vehicle, in virtual time."""

from __future__ import annotations

import pytest

from protocols.codec import ProtocolError
from supervisor.counters import Counters
from supervisor.media import ipc
from supervisor.media.commands import BURST, FRAMES_PER_S, Commands
from supervisor.media.dtls import MAX_FRAME
from supervisor.media.peer import Publisher, Watcher
from supervisor.media.sctp_guard import MAX_GAP_SPAN, check_sctp
from supervisor.media.talk import MAX_TALK_SSRCS, SILENCE_NS, Floor
from supervisor.rtp.codec import Codec
from supervisor.rtp.packet import HEADER

S = 1_000_000_000
BUS = "site/bus"
TRANSPORT = ipc.Transport("u", "p", [])
OPUS = Codec(111, "opus", 48_000, 2)


class Channel:
    def __init__(self):
        self.got = []

    def send(self, frame):
        self.got.append(frame)
        return True


def vehicle(session="v", talk=True):
    spec = ipc.OpenPublisher(
        session,
        BUS,
        TRANSPORT,
        [],
        1,
        talk=ipc.OutboundSpec("talk", "audio", 9, None, 1, [Codec(96, "opus", 48_000, 2)])
        if talk
        else None,
    )
    peer = Publisher(spec, [], None, 0)
    peer.channel = Channel()
    return peer


def operator(holder):
    spec = ipc.OpenWatcher("w", BUS, TRANSPORT, [], "cname", holder, 5_000, [OPUS])
    peer = Watcher(spec, [], None, 0)
    peer.channel = Channel()
    return peer


@pytest.fixture
def commands():
    return Commands(Counters())


def refused(commands):
    return {r: n for name, r, n in commands._counters.items() if name == "media_command_refused"}


def test_a_newer_session_of_the_vehicle_takes_over_and_a_gone_one_gets_nothing(commands):
    first, second, aoki = vehicle("1"), vehicle("2"), operator("aoki")
    commands.set_grant(BUS, "aoki", 1)
    for peer in (first, second, aoki):
        commands.on_open(peer, True, 0)
    commands.on_frame(aoki, b"a", S)
    assert (first.channel.got, second.channel.got) == ([], [b"a"])
    commands.on_frame(first, b"late", S)
    assert refused(commands) == {"replaced": 1}
    commands.on_open(second, False, S)
    commands.on_frame(aoki, b"b", S)
    assert refused(commands)["not_open"] == 1
    assert second.channel.got == [b"a"]


def test_all_sessions_of_the_holder_hear_the_vehicle_and_nobody_else_does(commands):
    bus, one, two, other = vehicle(), operator("aoki"), operator("aoki"), operator("mori")
    commands.set_grant(BUS, "aoki", 1)
    for peer in (bus, one, two, other):
        commands.on_open(peer, True, 0)
    commands.on_frame(bus, "state", S)
    assert [peer.channel.got for peer in (one, two, other)] == [["state"], ["state"], []]
    commands.on_open(one, False, S)
    commands.on_open(two, False, S)
    commands.on_frame(bus, "state", S)
    assert refused(commands) == {"not_open": 1}


def test_an_older_epoch_never_wins(commands):
    bus, aoki, mori = vehicle(), operator("aoki"), operator("mori")
    for peer in (bus, aoki, mori):
        commands.on_open(peer, True, 0)
    commands.set_grant(BUS, "aoki", 5)
    commands.set_grant(BUS, "mori", 4)
    commands.on_frame(mori, b"m", S)
    commands.on_frame(aoki, b"a", S)
    commands.set_grant(BUS, None, 5)
    commands.on_frame(aoki, b"b", S)
    assert bus.channel.got == [b"a"]
    assert refused(commands) == {"old_epoch": 1, "not_holder": 1, "no_grant": 1}


def test_a_steady_stream_passes_at_its_rate_and_a_flood_does_not(commands):
    bus, aoki = vehicle(), operator("aoki")
    commands.set_grant(BUS, "aoki", 1)
    commands.on_open(bus, True, 0)
    commands.on_open(aoki, True, 0)
    for number in range(1_000):
        commands.on_frame(aoki, b"x", number * S // 50)
    assert len(bus.channel.got) == 1_000
    start = 30 * S
    for number in range(5_000):
        commands.on_frame(aoki, b"x", start + number * S // 1_000)
    passed = len(bus.channel.got) - 1_000
    assert 5 * FRAMES_PER_S <= passed <= 5 * FRAMES_PER_S + BURST
    commands.on_frame(aoki, b"", 60 * S)
    commands.on_frame(aoki, bytes(MAX_FRAME + 1), 60 * S)
    commands.on_frame(aoki, "é" * (MAX_FRAME // 2 + 1), 60 * S)
    assert refused(commands)["size"] == 3
    commands.on_frame(aoki, bytes(MAX_FRAME), 60 * S)
    assert bus.channel.got[-1] == bytes(MAX_FRAME)


def test_a_peer_without_an_open_channel_has_no_say(commands):
    commands.set_grant(BUS, "aoki", 1)
    commands.on_frame(operator("aoki"), b"x", 0)
    assert refused(commands) == {"rate": 1}


# ----------------------------------------------------------------------- voice


def voice(sequence, timestamp, ssrc=7, payload_type=111):
    return HEADER.pack(0x80, payload_type, sequence, timestamp, ssrc) + b"opus"


def test_the_floor_is_his_who_speaks_first_until_he_is_silent():
    floor, first, second = Floor(), operator("aoki"), operator("mori")
    floor.listen(vehicle())
    [packet] = floor.hear(first, voice(100, 0), 0)
    with pytest.raises(ProtocolError, match="somebody else"):
        floor.hear(second, voice(7, 9_000), SILENCE_NS - 1)
    floor.hear(first, voice(101, 960), 20_000_000)
    [after] = floor.hear(second, voice(7, 9_000), 20_000_000 + SILENCE_NS)
    assert after.sequence == packet.sequence + 2
    assert after.timestamp == 960 + 48_000
    [again] = floor.hear(first, voice(160, 960 * 60), 20_000_000 + 2 * SILENCE_NS)
    assert again.sequence == after.sequence + 1


def test_the_floor_is_free_when_its_holder_leaves():
    floor, first, second = Floor(), operator("aoki"), operator("mori")
    floor.listen(vehicle())
    floor.hear(first, voice(1, 0), 0)
    floor.leave(first)
    assert floor.hear(second, voice(1, 0), 1)


def test_nobody_is_heard_by_a_vehicle_that_does_not_listen():
    floor, first, bus = Floor(), operator("aoki"), vehicle()
    with pytest.raises(ProtocolError, match="does not listen"):
        floor.hear(first, voice(1, 0), 0)
    floor.listen(vehicle(talk=False))
    assert floor.track is None
    floor.listen(bus)
    assert floor.hear(first, voice(2, 960), 0)
    newer = vehicle("2")
    floor.listen(newer)
    floor.leave(bus)
    assert floor.listener is newer


def test_an_operators_streams_are_bounded_and_of_the_negotiated_type():
    floor, first = Floor(), operator("aoki")
    floor.listen(vehicle())
    with pytest.raises(ProtocolError, match="negotiated"):
        floor.hear(first, voice(1, 0, payload_type=96), 0)
    for ssrc in range(MAX_TALK_SSRCS):
        floor.hear(first, voice(1, 0, ssrc=ssrc), ssrc)
    with pytest.raises(ProtocolError, match="already"):
        floor.hear(first, voice(1, 0, ssrc=99), 9)


# ------------------------------------------------------------------------ SCTP


def chunk(kind, body):
    return bytes((kind, 0)) + (4 + len(body)).to_bytes(2, "big") + body + bytes(-len(body) % 4)


def sack(*gaps, claimed=None):
    count = len(gaps) if claimed is None else claimed
    blocks = b"".join(first.to_bytes(2, "big") + last.to_bytes(2, "big") for first, last in gaps)
    return chunk(3, bytes(8) + count.to_bytes(2, "big") + bytes(2) + blocks)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\x00\x00",
        b"\x00\x00\x00\x03",
        b"\x00\x00\xff\xff",
        sack((1, 0xFFFF)),
        sack((5, 4)),
        sack((0, 4)),
        sack(claimed=3),
        chunk(3, b"short"),
        chunk(192, bytes(4 + 4 * 17)),
        chunk(1, bytes(16)) + chunk(10, b""),
        chunk(10, b"") * 65,
        bytes(1_500),
    ],
)
def test_packets_built_to_keep_their_reader_busy_are_refused(body):
    with pytest.raises(ProtocolError):
        check_sctp(bytes(12) + body)


@pytest.mark.parametrize(
    "body",
    [sack(), sack((1, 1), (3, MAX_GAP_SPAN)), chunk(0, bytes(13)), chunk(192, bytes(8))],
)
def test_honest_packets_pass(body):
    check_sctp(bytes(12) + body)
