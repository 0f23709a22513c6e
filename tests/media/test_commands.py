"""Who may say something to a vehicle, in virtual time."""

from __future__ import annotations

import pytest

from protocols.codec import ProtocolError
from supervisor.counters import Counters
from supervisor.media import ipc
from supervisor.media.commands import BURST, FRAMES_PER_S, STOP_BURST, Commands
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
    def __init__(self, *labels):
        self.got = []
        self.stops = []
        self.labels = labels or ("command", "stop")

    def send(self, frame, label="command"):
        if label not in self.labels:
            return False
        (self.stops if label == "stop" else self.got).append(frame)
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


def operator(holder, may_stop=True):
    spec = ipc.OpenWatcher(
        "w", BUS, TRANSPORT, [], "cname", holder, 5_000, [OPUS], may_stop=may_stop
    )
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
        commands.on_open(peer, "command", True, 0)
    commands.on_frame(aoki, "command", b"a", S)
    assert (first.channel.got, second.channel.got) == ([], [b"a"])
    commands.on_frame(first, "command", b"late", S)
    assert refused(commands) == {"replaced": 1}
    commands.forget(second)
    commands.on_frame(aoki, "command", b"b", S)
    assert refused(commands)["not_open"] == 1
    assert second.channel.got == [b"a"]


def test_all_sessions_of_the_holder_hear_the_vehicle_and_nobody_else_does(commands):
    bus, one, two, other = vehicle(), operator("aoki"), operator("aoki"), operator("mori")
    commands.set_grant(BUS, "aoki", 1)
    for peer in (bus, one, two, other):
        commands.on_open(peer, "command", True, 0)
    commands.on_frame(bus, "command", "state", S)
    assert [peer.channel.got for peer in (one, two, other)] == [["state"], ["state"], []]
    commands.on_open(one, "command", False, S)
    commands.on_open(two, "command", False, S)
    commands.on_frame(bus, "command", "state", S)
    assert refused(commands) == {"not_open": 1}


def test_an_older_epoch_never_wins(commands):
    bus, aoki, mori = vehicle(), operator("aoki"), operator("mori")
    for peer in (bus, aoki, mori):
        commands.on_open(peer, "command", True, 0)
    commands.set_grant(BUS, "aoki", 5)
    commands.set_grant(BUS, "mori", 4)
    commands.on_frame(mori, "command", b"m", S)
    commands.on_frame(aoki, "command", b"a", S)
    commands.set_grant(BUS, None, 5)
    commands.on_frame(aoki, "command", b"b", S)
    assert bus.channel.got == [b"a"]
    assert refused(commands) == {"old_epoch": 1, "not_holder": 1, "no_grant": 1}


def test_a_steady_stream_passes_at_its_rate_and_a_flood_does_not(commands):
    bus, aoki = vehicle(), operator("aoki")
    commands.set_grant(BUS, "aoki", 1)
    commands.on_open(bus, "command", True, 0)
    commands.on_open(aoki, "command", True, 0)
    for number in range(1_000):
        commands.on_frame(aoki, "command", b"x", number * S // 50)
    assert len(bus.channel.got) == 1_000
    start = 30 * S
    for number in range(5_000):
        commands.on_frame(aoki, "command", b"x", start + number * S // 1_000)
    passed = len(bus.channel.got) - 1_000
    assert 5 * FRAMES_PER_S <= passed <= 5 * FRAMES_PER_S + BURST
    commands.on_frame(aoki, "command", b"", 60 * S)
    commands.on_frame(aoki, "command", bytes(MAX_FRAME + 1), 60 * S)
    commands.on_frame(aoki, "command", "é" * (MAX_FRAME // 2 + 1), 60 * S)
    assert refused(commands)["size"] == 3
    commands.on_frame(aoki, "command", bytes(MAX_FRAME), 60 * S)
    assert bus.channel.got[-1] == bytes(MAX_FRAME)


def test_a_peer_without_an_open_channel_has_no_say(commands):
    commands.set_grant(BUS, "aoki", 1)
    commands.on_frame(operator("aoki"), "command", b"x", 0)
    assert refused(commands) == {"rate": 1}


# ------------------------------------------------------------------- "stop"


def opened_for_stop(commands, *peers):
    for peer in peers:
        commands.on_open(peer, "stop", True, 0)


def test_a_stop_passes_whoever_has_control_and_while_nobody_has(commands):
    bus, aoki, mori = vehicle(), operator("aoki"), operator("mori")
    opened_for_stop(commands, bus, aoki, mori)
    commands.on_frame(mori, "stop", b"1", S)
    commands.set_grant(BUS, "aoki", 1)
    commands.on_frame(mori, "stop", b"2", S)
    commands.drop_grants()
    commands.on_frame(mori, "stop", b"3", S)
    assert bus.channel.stops == [b"1", b"2", b"3"]
    assert bus.channel.got == []
    assert refused(commands) == {}


def test_what_passes_as_a_stop_opens_no_way_for_commands(commands):
    bus, mori = vehicle(), operator("mori")
    opened_for_stop(commands, bus, mori)
    commands.on_open(mori, "command", True, 0)
    commands.set_grant(BUS, "aoki", 1)
    commands.on_frame(mori, "command", b"drive", S)
    assert refused(commands) == {"not_holder": 1}
    assert (bus.channel.got, bus.channel.stops) == ([], [])


def test_a_role_that_may_not_stop_stops_nothing(commands):
    bus, viewer = vehicle(), operator("aoki", may_stop=False)
    opened_for_stop(commands, bus, viewer)
    commands.set_grant(BUS, "aoki", 1)
    commands.on_frame(viewer, "stop", b"x", S)
    assert refused(commands) == {"stop_role": 1}
    assert bus.channel.stops == []


def test_a_vehicle_without_the_stop_channel_is_stopped_on_the_other(commands):
    bus, aoki = vehicle(), operator("aoki")
    bus.channel = Channel("command")
    commands.on_open(bus, "command", True, 0)
    opened_for_stop(commands, aoki)
    commands.on_frame(aoki, "stop", b"x", S)
    assert bus.channel.got == [b"x"]


def test_the_newest_session_is_stopped_also_when_an_older_ones_channel_opens_late(commands):
    first, second, aoki = vehicle("1"), vehicle("2"), operator("aoki")
    second.opened_ns = S
    opened_for_stop(commands, second, aoki, first)
    commands.on_frame(aoki, "stop", b"x", S)
    assert (first.channel.stops, second.channel.stops) == ([], [b"x"])
    commands.forget(second)
    commands.on_frame(aoki, "stop", b"y", S)
    assert refused(commands) == {"not_open": 1}


def test_whoever_floods_stops_and_commands_delays_nobody_elses_stop(commands):
    bus, flooder, mori = vehicle(), operator("aoki"), operator("mori")
    opened_for_stop(commands, bus, flooder, mori)
    commands.on_open(flooder, "command", True, 0)
    commands.set_grant(BUS, "aoki", 1)
    for number in range(10_000):
        commands.on_frame(flooder, "stop", b"f", S + number * 1_000)
        commands.on_frame(flooder, "command", b"f", S + number * 1_000)
    commands.on_frame(mori, "stop", b"mine", S + 10_000_000)
    assert bus.channel.stops[-1] == b"mine"
    assert bus.channel.stops.count(b"f") == STOP_BURST
    assert refused(commands)["stop_rate"] == 10_000 - STOP_BURST


def test_a_console_that_repeats_its_stop_ten_times_a_second_is_never_held_back(commands):
    bus, aoki = vehicle(), operator("aoki")
    opened_for_stop(commands, bus, aoki)
    for number in range(600):
        commands.on_frame(aoki, "stop", b"x", S + number * S // 10)
    assert len(bus.channel.stops) == 600


def test_a_vehicle_stops_nobody(commands):
    bus = vehicle()
    opened_for_stop(commands, bus)
    commands.on_frame(bus, "stop", b"x", S)
    assert refused(commands) == {"stop_from_vehicle": 1}


def test_stops_have_a_size_too(commands):
    bus, aoki = vehicle(), operator("aoki")
    opened_for_stop(commands, bus, aoki)
    commands.on_frame(aoki, "stop", bytes(MAX_FRAME + 1), S)
    commands.on_frame(aoki, "stop", b"", S)
    assert refused(commands) == {"size": 2}


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
