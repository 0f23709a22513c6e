"""Who is bound, decided by the router alone, over a socket that only remembers."""

from __future__ import annotations

from pathlib import Path

import pytest
from aioice import stun

from protocols.codec import ProtocolError
from supervisor import clock
from supervisor.counters import Counters
from supervisor.media import ice, ipc
from supervisor.media.ended import MAX_ENDED, Ended
from supervisor.media.feedback import STEERED_AT_ONCE
from supervisor.media.peer import (
    EXTRA_SSRCS,
    HALF_OPEN_NS,
    MAX_ADDRESSES,
    NO_MEDIA_NS,
    RIGHT_NS,
    SILENT_NS,
    Publisher,
    Watcher,
)
from supervisor.media.router import MAX_READS, SHED_AFTER_NS, Router
from supervisor.media.srtp import Buffer
from supervisor.rtp import rtcp
from supervisor.rtp.codec import Codec
from supervisor.rtp.nack import GIVE_UP_NS
from supervisor.rtp.packet import HEADER
from vehicle_stub.ice_path import SESSION_ENDED

PACKETS = Path(__file__).parents[1] / "packets"
PASSWORD = "p" * 32
VP8 = Codec(96, "VP8", 90_000, nack=True)
HOME, AWAY = ("192.0.2.1", 5000), ("192.0.2.9", 6000)


class FakePort:
    """Stands for the UDP socket."""

    def __init__(self):
        self.buffer = Buffer(65_536)
        self.counters = Counters()
        self.runs = []
        self.sent = []
        self.crowded = False

    def receive(self):
        if not self.runs:
            return None
        data, address = self.runs.pop(0)
        self.buffer.view[: len(data)] = data
        return len(data), len(data), address

    def send(self, data, segment, address):
        self.sent.append((bytes(data), segment, address))


class PlainSrtp:
    """Stands for SRTP: everything is genuine and in clear."""

    def unprotect(self, buffer, start, length):
        return length

    unprotect_rtcp = protect = unprotect

    tag = 0

    def unprotect_run(self, buffer, segment, count):
        return [segment] * count

    def protect_run(self, buffer, segment, begin, count, length):
        return True

    def protect_rtcp(self, packet):
        return packet


class FakeDtls:
    def __init__(self):
        self.fed = []

    def feed(self, data):
        self.fed.append(data)
        return True


def transport(ufrag):
    return ipc.Transport(ufrag, PASSWORD, [("sha-256", "AA")])


@pytest.fixture
def port():
    return FakePort()


@pytest.fixture
def router(port):
    return Router(port, port.counters)


@pytest.fixture
def vehicle(router, port):
    streams = [
        ipc.InboundSpec("front", "video", "0", [VP8], [1]),
        ipc.InboundSpec("rear", "video", "1", [VP8], []),
    ]
    spec = ipc.OpenPublisher("p", "site/bus", transport("ours"), streams, 20_000, 4)
    cameras = [router.vehicle("site/bus").camera(stream.camera, "video") for stream in streams]
    peer = Publisher(spec, cameras, port, 0)
    peer.dtls = FakeDtls()
    router.add(peer)
    return peer


@pytest.fixture
def watcher(router, port):
    spec = ipc.OpenWatcher(
        "w",
        "site/bus",
        transport("eyes"),
        [ipc.OutboundSpec("front", "video", 77, 78, 5, [VP8])],
        "cname",
    )
    camera = router.vehicle("site/bus").camera("front", "video")
    if not camera.feeds:
        camera.feed("")
    peer = Watcher(spec, [camera], port, 0)
    router.add(peer)
    return peer


def check(ufrag="ours", password=PASSWORD, transaction=None, nominated=True):
    message = stun.Message(
        stun.Method.BINDING,
        stun.Class.REQUEST,
        transaction_id=transaction,
        attributes={"USERNAME": f"{ufrag}:theirs", "PRIORITY": 1},
    )
    if nominated:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password.encode())
    return bytes(message)


def deliver(router, port, *runs):
    port.runs.extend(runs)
    router.on_readable()


def connect(router, peer):
    peer.rx = peer.tx = PlainSrtp()
    router.connected(peer)


def rtp(ssrc=1, sequence=1, payload_type=96, first=0x80, rest=b"\x10\x00x"):
    return HEADER.pack(first, payload_type, sequence, 0, ssrc) + rest


def dropped(port):
    return {reason: total for name, reason, total in port.counters.items()}


def test_a_check_with_our_password_binds_and_is_answered(router, port, vehicle):
    deliver(router, port, (check(), HOME))
    assert vehicle.address == HOME
    data, _, address = port.sent[0]
    response = stun.parse_message(data)
    assert address == HOME
    assert response.attributes["XOR-MAPPED-ADDRESS"] == HOME
    assert response.check_message_integrity(PASSWORD.encode())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (check(password="q" * 32), "stun_integrity"),
        (check(ufrag="nobody"), "stun_unknown_user"),
        (check()[:-1], "stun_malformed"),
        (b"\x00\x01", "stun_malformed"),
        (b"\x16\xfe\xfd hello", "unbound"),
        (rtp(), "unbound"),
        (b"\xff" * 20, "unbound"),
    ],
    ids=["wrong key", "unknown user", "cut short", "two bytes", "DTLS", "RTP", "noise"],
)
def test_a_stranger_gets_silence_and_reaches_nothing(router, port, vehicle, data, reason):
    deliver(router, port, (data, AWAY))
    assert port.sent == []
    assert vehicle.address is None
    assert vehicle.dtls.fed == []
    assert dropped(port) == {reason: 1}


def test_only_the_bound_address_reaches_dtls(router, port, vehicle):
    deliver(router, port, (check(), HOME), (b"\x16from home", HOME), (b"\x16from away", AWAY))
    assert vehicle.dtls.fed == [b"\x16from home"]


def test_a_worker_with_too_much_media_still_shakes_hands(router, port, vehicle, watcher):
    deliver(router, port, (check(), HOME))
    connect(router, vehicle)
    port.crowded = True
    media = [(rtp(sequence=number), HOME) for number in range(2 * MAX_READS + 10)]
    deliver(router, port, *media[:MAX_READS])
    router._busy_since_ns -= SHED_AFTER_NS + 1
    deliver(
        router,
        port,
        *media[MAX_READS:],
        (check(ufrag="eyes"), AWAY),
        (b"\x16hello", HOME),
        *media[:3],
    )
    assert watcher.address == AWAY, "checks behind the media are answered in the same turn"
    assert vehicle.dtls.fed == [b"\x16hello"]
    assert vehicle.inbound[1].stats.packets == 2 * MAX_READS
    assert dropped(port)["overload"] == 13
    assert port.runs == []


def test_a_worker_that_was_only_kept_from_running_catches_up_without_loss(router, port, vehicle):
    deliver(router, port, (check(), HOME))
    connect(router, vehicle)
    port.crowded = True
    deliver(router, port, *[(rtp(sequence=number), HOME) for number in range(MAX_READS + 10)])
    assert "overload" not in dropped(port)
    assert len(port.runs) == 10, "the rest has to wait for the next turn"


def test_a_new_validated_address_takes_over_at_once(router, port, vehicle):
    deliver(router, port, (check(), HOME), (check(nominated=False), AWAY))
    assert vehicle.address == AWAY


def test_of_known_addresses_the_nominated_one_is_used(router, port, vehicle):
    deliver(router, port, (check(), HOME), (check(), AWAY), (check(nominated=False), HOME))
    assert vehicle.address == AWAY
    deliver(router, port, (check(nominated=True), HOME))
    assert vehicle.address == HOME


def test_genuine_media_from_another_validated_address_moves_the_session(router, port, vehicle):
    deliver(router, port, (check(), HOME), (check(), AWAY))
    connect(router, vehicle)
    deliver(router, port, (rtp(), HOME))
    assert vehicle.address == HOME


def test_a_check_repeated_by_somebody_else_does_not_bind_him(router, port, vehicle):
    genuine = check()
    deliver(router, port, (genuine, HOME), (genuine, AWAY), (genuine, HOME))
    assert vehicle.address == HOME
    assert len(port.sent) == 2
    assert dropped(port) == {"stun_replayed": 1}


def test_an_address_belongs_to_the_session_that_validated_it_last(router, port, vehicle, watcher):
    deliver(router, port, (check(), HOME), (check(ufrag="eyes"), HOME))
    assert watcher.address == HOME
    assert vehicle.address is None


def test_no_more_addresses_are_kept_than_the_bound(router, port, vehicle):
    homes = [("192.0.2.1", 5000 + number) for number in range(MAX_ADDRESSES + 2)]
    deliver(router, port, *((check(), home) for home in homes))
    assert vehicle.addresses == homes[2:]
    deliver(router, port, (b"\x16old", homes[0]))
    assert vehicle.dtls.fed == []


def test_half_open_and_silent_sessions_end(router, vehicle):
    vehicle.expires_ns = 2 * SILENT_NS
    assert router.on_time(HALF_OPEN_NS) == []
    assert router.on_time(HALF_OPEN_NS + 1) == [(vehicle, "half_open")]
    connect(router, vehicle)
    assert router.on_time(SILENT_NS) == []
    assert router.on_time(SILENT_NS + 1) == [(vehicle, "silent")]


def test_a_session_whose_right_nobody_renews_ends(router, vehicle):
    connect(router, vehicle)
    assert router.on_time(RIGHT_NS) == []
    assert router.on_time(RIGHT_NS + 1) == [(vehicle, "right_expired")]


def test_an_ended_session_leaves_nothing_behind(router, port, vehicle, watcher):
    deliver(router, port, (check(), HOME), (check(ufrag="eyes"), AWAY))
    connect(router, watcher)
    router.remove(watcher)
    router.remove(vehicle)
    assert router.vehicles == {}
    assert router.peers == {}
    deliver(router, port, (b"\x16x", HOME), (check(ufrag="nobody"), HOME))
    assert dropped(port)["unbound"] == 1
    assert dropped(port)["stun_unknown_user"] == 1


def test_the_peer_of_an_ended_session_is_told_so_and_a_forger_is_not(router, port, vehicle):
    deliver(router, port, (check(), HOME))
    router.remove(vehicle)
    router.ended.update({"died": PASSWORD})
    port.sent.clear()
    forged = check(password="another" * 5)
    deliver(router, port, (check(), HOME), (check(ufrag="died"), AWAY), (forged, AWAY))
    assert [address for _, _, address in port.sent] == [HOME, AWAY]
    for data, _, _ in port.sent:
        message = stun.parse_message(data)
        assert message.message_class is stun.Class.ERROR
        assert message.error_code == SESSION_ENDED
        assert message.check_message_integrity(PASSWORD.encode())
    assert dropped(port)["stun_ended"] == 2
    assert dropped(port)["stun_unknown_user"] == 1


def test_only_so_many_ended_sessions_are_remembered():
    ended = Ended()
    for number in range(MAX_ENDED + 1):
        ended.add(str(number), "secret")
    assert ended.password("0") is None
    assert ended.password("1") == ended.password(str(MAX_ENDED)) == "secret"


def test_a_feed_lives_as_long_as_somebody_uses_it(router, vehicle, watcher):
    router.remove(vehicle)
    assert list(router.vehicles["site/bus"].cameras) == [("front", "video")]
    router.remove(watcher)
    assert router.vehicles == {}


# ------------------------------------------------------------------ what flows


@pytest.fixture
def flowing(router, port, vehicle, watcher):
    deliver(router, port, (check(), HOME), (check(ufrag="eyes"), AWAY))
    connect(router, vehicle)
    connect(router, watcher)
    port.sent.clear()
    return router


def to(port, address):
    return [data for data, _, target in port.sent if target == address]


def test_a_packet_is_forwarded_under_the_watchers_ssrc_and_numbers(flowing, port):
    extended = rtp(sequence=900, first=0x90, rest=bytes.fromhex("bede000140610000") + b"\x10\x00x")
    deliver(flowing, port, (extended, HOME), (rtp(sequence=901), HOME))
    run = to(port, AWAY)[0]
    assert run[:15] == HEADER.pack(0x80, 96, 5, 0, 77) + b"\x10\x00x"
    assert run[15:] == HEADER.pack(0x80, 96, 6, 0, 77) + b"\x10\x00x"


def test_a_new_watcher_makes_one_keyframe_request_upstream(flowing, port, watcher):
    deliver(flowing, port, (rtp(rest=b"\x10\x01x"), HOME))
    asked = [packet for data in to(port, HOME) for packet in rtcp.parse(data)]
    assert rtcp.KeyframeAsked(1, 1) in asked
    deliver(flowing, port, (rtcp.build_pli(9, 77), AWAY), (rtp(sequence=2, rest=b"\x00x"), HOME))
    again = [packet for data in to(port, HOME) for packet in rtcp.parse(data)]
    assert again.count(rtcp.KeyframeAsked(1, 1)) == 1


@pytest.mark.parametrize("feedback", [rtcp.build_pli(9, 1), rtcp.build_nack(9, 1, [5])])
def test_feedback_for_a_stream_of_somebody_else_is_dropped(flowing, port, feedback):
    deliver(flowing, port, (feedback, AWAY))
    assert dropped(port) == {"rtcp_foreign_ssrc": 1}


def test_a_watcher_gets_a_lost_packet_again(flowing, port):
    deliver(flowing, port, (rtp(sequence=900), HOME))
    port.sent.clear()
    deliver(flowing, port, (rtcp.build_nack(9, 77, [5, 6]), AWAY))
    assert to(port, AWAY) == [HEADER.pack(0x80, 96, 5, 0, 77) + b"\x10\x00x"]


def test_a_retransmission_stream_is_used_when_it_is_negotiated(flowing, port, watcher):
    rtx = Codec(96, "VP8", 90_000, nack=True, rtx=97)
    watcher.tracks[77].codecs = [rtx]
    deliver(flowing, port, (rtp(sequence=900), HOME))
    port.sent.clear()
    deliver(flowing, port, (rtcp.build_nack(9, 77, [5]), AWAY))
    assert to(port, AWAY) == [HEADER.pack(0x80, 97, 6, 0, 78) + b"\x00\x05\x10\x00x"]


def test_a_gap_is_asked_for_upstream(flowing, port):
    deliver(flowing, port, (rtp(sequence=900), HOME), (rtp(sequence=903), HOME))
    asked = [packet for data in to(port, HOME) for packet in rtcp.parse(data)]
    assert rtcp.Nack(1, 1, (901, 902)) in asked


def test_a_packet_that_never_comes_costs_one_keyframe_request(flowing, port):
    deliver(flowing, port, (rtp(sequence=900, rest=b"\x10\x00x"), HOME))
    deliver(flowing, port, (rtp(sequence=902, rest=b"\x00x"), HOME))
    port.sent.clear()
    later = clock.monotonic_ns() + GIVE_UP_NS + 10**9
    flowing.on_repair_time(later)
    flowing.on_repair_time(later + 1)
    asked = [packet for data in to(port, HOME) for packet in rtcp.parse(data)]
    assert asked.count(rtcp.KeyframeAsked(1, 1)) == 1


def test_sender_reports_reach_watchers_under_their_ssrc_with_the_same_clock(flowing, port):
    report = rtcp.build_sender_report(rtcp.SenderReport(1, 5 << 32, 900, 1, 2))
    deliver(flowing, port, (rtp(), HOME), (report, HOME))
    packets = [packet for data in to(port, AWAY) if data[1] == 200 for packet in rtcp.parse(data)]
    assert packets == [rtcp.SenderReport(77, 5 << 32, 900, 1, 3)]


def test_publishers_are_told_what_arrived_and_what_they_may_send(flowing, port, vehicle):
    deliver(flowing, port, (rtp(), HOME))
    port.sent.clear()
    vehicle.reported_ns = -(10**10)
    flowing.on_time(0)
    packets = [packet for data in to(port, HOME) for packet in rtcp.parse(data)]
    assert rtcp.BitrateEstimated(1, 20_000_000, (1,)) in packets
    assert any(isinstance(packet, rtcp.ReceiverReport) for packet in packets)


def test_an_unannounced_ssrc_is_placed_by_its_mid(flowing, port, vehicle):
    by_mid = rtp(ssrc=9, first=0x90, rest=bytes.fromhex("bede000140310000") + b"\x10\x00x")
    deliver(flowing, port, (by_mid, HOME), (rtp(ssrc=10), HOME))
    assert vehicle.inbound[9].feed.camera == "rear"
    assert dropped(port) == {"rtp_unknown_ssrc": 1}


def test_a_publisher_cannot_use_ssrcs_without_end(flowing, port, vehicle):
    flood = [
        rtp(ssrc=ssrc, first=0x90, rest=bytes.fromhex("bede000140310000") + b"x")
        for ssrc in range(100, 200)
    ]
    deliver(flowing, port, *((data, HOME) for data in flood[:60]))
    deliver(flowing, port, *((data, HOME) for data in flood[60:]))
    assert len(vehicle.inbound) == 2 + 1 + EXTRA_SSRCS
    assert dropped(port)["rtp_ssrc_cap"] == 100 - len(vehicle.inbound)


def test_rtp_from_a_watcher_and_damaged_packets_are_counted_not_forwarded(flowing, port):
    deliver(
        flowing,
        port,
        (rtp(), AWAY),
        (rtp(first=0xA0, rest=b"\xff"), HOME),
        (b"\x80", HOME),
        (b"\x80\xc8" + bytes(12), HOME),
        (b"\x50", HOME),
        (b"", HOME),
    )
    assert dropped(port) == {
        "rtp_from_watcher": 1,
        "rtp_malformed": 1,
        "malformed": 1,
        "rtcp_malformed": 1,
        "unknown_protocol": 1,
    }


@pytest.mark.parametrize("name", ["aiortc", "chromium"])
def test_checks_of_real_peers_are_read(name):
    request = ice.parse_request((PACKETS / f"stun-request-{name}.bin").read_bytes())
    assert request.ufrag
    assert not request.authentic("x" * 32)


def test_a_check_without_integrity_is_refused():
    message = stun.Message(
        stun.Method.BINDING, stun.Class.REQUEST, attributes={"USERNAME": "ours:theirs"}
    )
    with pytest.raises(ProtocolError):
        ice.parse_request(bytes(message))


def test_simulcast_streams_are_told_apart_by_rid(router, port):
    streams = [
        ipc.InboundSpec("front", "video", "0", [VP8], [], layer=rid, rank=place, rid=rid)
        for place, rid in enumerate("ab")
    ]
    spec = ipc.OpenPublisher("s", "site/bus", transport("sizes"), streams, 20_000, 4, 5)
    camera = router.vehicle("site/bus").camera("front", "video")
    peer = Publisher(spec, [camera, camera], port, 0)
    router.add(peer)
    deliver(router, port, (check(ufrag="sizes"), HOME))
    connect(router, peer)

    def extended(rid, ssrc):
        # one-byte elements: 4 = "0" (MID), 5 = rid
        block = bytes((0xBE, 0xDE, 0, 1, 0x40, 0x30, 0x50)) + rid
        return rtp(ssrc=ssrc, first=0x90, rest=block + b"\x10\x00x")

    deliver(router, port, (extended(b"b", 50), HOME), (extended(b"a", 51), HOME))
    deliver(router, port, (extended(b"c", 52), HOME), (rtp(ssrc=53), HOME))
    assert {ssrc: entry.feed for ssrc, entry in peer.inbound.items()} == {
        50: camera.feeds["b"],
        51: camera.feeds["a"],
    }
    assert dropped(port)["rtp_unknown_ssrc"] == 2
    assert [report.camera for report in peer.report()] == ["front"]
    assert peer.report()[0].packets == 2


def test_retransmissions_of_simulcast_streams_are_told_apart_by_repaired_rid(router, port):
    codec = Codec(96, "VP8", 90_000, nack=True, rtx=97)
    streams = [
        ipc.InboundSpec("front", "video", "0", [codec], [], layer=rid, rank=place, rid=rid)
        for place, rid in enumerate("ab")
    ]
    spec = ipc.OpenPublisher("s", "site/bus", transport("sizes"), streams, 20_000, 4, 5, 6)
    camera = router.vehicle("site/bus").camera("front", "video")
    peer = Publisher(spec, [camera, camera], port, 0)
    router.add(peer)
    deliver(router, port, (check(ufrag="sizes"), HOME))
    connect(router, peer)

    def extended(number, rid, payload, **fields):
        block = bytes((0xBE, 0xDE, 0, 1, 0x40, 0x30, number << 4)) + rid
        return rtp(first=0x90, rest=block + payload, **fields)

    for ssrc, rid in ((50, b"a"), (51, b"b")):
        for sequence in (10, 12):
            packet = extended(5, rid, b"\x10\x01x", ssrc=ssrc, sequence=sequence)
            deliver(router, port, (packet, HOME))
    original = (11).to_bytes(2, "big") + b"\x10\x01y"
    rtx = extended(6, b"b", original, ssrc=60, sequence=1, payload_type=97)
    deliver(router, port, (rtx, HOME))
    assert peer.inbound[51].stats.repaired == 1
    assert peer.inbound[50].stats.repaired == 0


# ----------------------------------------------------- restart, mobility, half-dead


def test_an_ice_restart_ends_the_old_credentials_when_the_new_ones_are_used(router, port, vehicle):
    deliver(router, port, (check(), HOME))
    router.renew(vehicle, "unused", "u" * 32)
    router.renew(vehicle, "anew", "n" * 32)
    deliver(router, port, (check(), HOME))
    assert len(port.sent) == 2, "until then the old ones hold"
    deliver(router, port, (check("unused", "u" * 32), AWAY), (check("anew"), AWAY))
    assert vehicle.address == HOME, "neither a forgotten pair nor a mixed one"
    deliver(router, port, (check("anew", "n" * 32), AWAY))
    assert vehicle.address == AWAY
    data, _, address = port.sent[-1]
    assert address == AWAY
    assert stun.parse_message(data).check_message_integrity(b"n" * 32)
    deliver(router, port, (check(), HOME))
    assert len(port.sent) == 3, "the old ones have ended"
    assert dropped(port)["stun_unknown_user"] >= 1
    router.remove(vehicle)
    assert not router._by_ufrag


def test_the_first_check_from_a_new_address_moves_everything_there_at_once(router, port, vehicle):
    deliver(router, port, (check(), HOME))
    connect(router, vehicle)
    deliver(router, port, (rtp(), HOME))
    deliver(router, port, (check(), AWAY))
    vehicle.send(b"\x80")
    assert port.sent[-1][2] == AWAY


def test_a_publisher_that_only_answers_for_its_address_is_ended(router, port, vehicle):
    deliver(router, port, (check(), HOME))
    connect(router, vehicle)
    now = vehicle.connected_ns
    vehicle.expires_ns = now + 10 * NO_MEDIA_NS
    vehicle.heard_ns = now + NO_MEDIA_NS + 1
    assert vehicle.expired(now + NO_MEDIA_NS) is None
    assert vehicle.expired(now + NO_MEDIA_NS + 1) == "no_media"
    deliver(router, port, (rtp(), HOME))
    came = vehicle.inbound[1].stats.last_packet_ns
    vehicle.heard_ns = came + NO_MEDIA_NS
    assert vehicle.expired(came + NO_MEDIA_NS) is None


def test_steering_many_publishers_leaves_room_for_media_in_between(router, port):
    peers = []
    for number in range(2 * STEERED_AT_ONCE + 1):
        streams = [ipc.InboundSpec("front", "video", "0", [VP8], [1])]
        spec = ipc.OpenPublisher(f"p{number}", f"v{number}", transport(f"u{number}"), streams, 9)
        peer = Publisher(spec, [router.vehicle(f"v{number}").camera("front", "video")], port, 0)
        router.add(peer)
        connect(router, peer)
        peers.append(peer)
    turns = router.repair_turns(1)
    next(turns)
    router.remove(peers[-1])
    assert len(list(turns)) == 1, "and one that has gone meanwhile is left out"
