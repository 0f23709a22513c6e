"""Offers of real peers and broken ones, without any socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.codec import ProtocolError
from supervisor.media import answer, sdp
from supervisor.media.sdp import MAX_MEDIA, MAX_SDP, parse_offer

PACKETS = Path(__file__).parents[1] / "packets"
LOCAL = answer.Local("ourfrag", "p" * 32, "AA:BB", ["192.0.2.1", "192.0.2.2"], 7000, "1")
HEAD = [
    "v=0",
    "a=group:BUNDLE 0 1 2",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:" + "x" * 22,
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
    "a=setup:actpass",
]


def video(mid, *extra, direction="sendonly", codec="VP8/90000"):
    return [
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        f"a=mid:{mid}",
        f"a={direction}",
        "a=rtcp-mux",
        f"a=rtpmap:96 {codec}",
        *extra,
    ]


def offer(*sections, head=HEAD):
    lines = [*head, *(line for section in sections for line in section)]
    return "\r\n".join(lines).encode()


def captured(name):
    return parse_offer((PACKETS / f"offer-{name}.sdp").read_bytes())


def published(*names):
    parsed = parse_offer(offer(*(video(index) for index in range(len(names)))))
    return answer.accept_publisher(parsed, names).streams


def names_of(parsed, cameras=()):
    return [stream.camera for stream in answer.accept_publisher(parsed, cameras).streams]


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("aiortc-publisher", {"H264", "opus"}),
        ("chromium-publisher-h264", {"H264", "opus"}),
        ("aiortc-watcher", {"VP8", "H264", "opus"}),
        ("chromium-watcher", {"VP8", "VP9", "AV1", "H264", "opus"}),
        ("chromium-operator", {"VP8", "VP9", "AV1", "H264", "opus"}),
        ("chromium-simulcast", {"VP8", "VP9", "AV1", "H264"}),
    ],
)
def test_offers_of_real_peers_are_understood(name, codecs):
    parsed = captured(name)
    answer.peer_transport(parsed)
    assert {codec.name for media in parsed.media for codec in media.codecs} == codecs
    assert all(
        codec.fmtp["packetization-mode"] == "1"
        for media in parsed.media
        for codec in media.codecs
        if codec.name == "H264"
    )


def test_a_publishers_primary_ssrcs_are_told_from_its_retransmissions():
    media = captured("chromium-publisher-h264").media
    assert [len(entry.ssrcs) for entry in media if entry.kind == "video"] == [1]


@pytest.mark.parametrize(
    ("sections", "asked", "expected"),
    [
        ([video(0)], [], ["front"]),
        ([video(0), video(1), video(2)], [], ["front", "camera-2", "camera-3"]),
        ([video(0), video(1)], ["left", "right"], ["left", "right"]),
        ([video(0), video(1)], ["left"], ["left", "camera-2"]),
        ([video(0, "a=msid:rear track"), video(1)], [], ["rear", "camera-2"]),
        ([video(0, "a=msid:13f1b7c6-33cd-49eb-b2f5-0a7a5a4b6ad6 t")], [], ["front"]),
        ([video(0, direction="recvonly"), video(1)], [], ["front"]),
        ([video(0, direction="sendrecv")], [], ["front"]),
    ],
)
def test_cameras_are_named_by_query_then_msid_then_number(sections, asked, expected):
    assert names_of(parse_offer(offer(*sections)), asked) == expected


@pytest.mark.parametrize(
    ("sections", "asked", "reason"),
    [
        ([video(0), video(1)], ["left", "left"], "bad_name"),
        ([video(0)], ["UPPER"], "bad_name"),
        ([video(0)], ["audio"], "bad_name"),
        ([video(0, codec="H265/90000")], [], "bad_sdp"),
        ([video(0, codec="H264/90000")], [], "bad_sdp"),
        ([video(0, direction="recvonly")], [], "bad_sdp"),
    ],
)
def test_offers_that_cannot_be_named_or_served_are_refused(sections, asked, reason):
    with pytest.raises(ProtocolError) as refused:
        answer.accept_publisher(parse_offer(offer(*sections)), asked)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"v=0\r\n",
        b"hello",
        b"v=0\r\nm=video",
        b"v=0\r\nm=video 99999 RTP 1",
        offer(*(video(index) for index in range(MAX_MEDIA + 1))),
        offer(video(0), video(0)),
        offer(video(0, "a=ice-ufrag:x")),
        offer(video(0, "a=ice-pwd:short")),
        offer(video(0, "a=mid:" + "m" * 40)),
    ],
)
def test_broken_offers_are_refused_with_the_declared_error(data):
    with pytest.raises(ProtocolError) as refused:
        parse_offer(data)
    assert refused.value.reason == "bad_sdp"


def test_an_offer_over_64_kib_is_refused_before_it_is_read():
    with pytest.raises(ProtocolError) as refused:
        parse_offer(b"v=0" + b" " * MAX_SDP)
    assert refused.value.reason == "oversize"


@pytest.mark.parametrize("missing", range(1, len(HEAD)))
def test_each_fact_of_the_transport_is_needed(missing):
    head = HEAD[:missing] + HEAD[missing + 1 :]
    with pytest.raises(ProtocolError):
        answer.peer_transport(parse_offer(offer(video(0), video(1), head=head)))


def test_a_publishers_answer_is_ice_lite_passive_and_bundled():
    parsed = parse_offer(
        offer(
            video(0, f"a=extmap:4 {sdp.MID_EXTENSION}", "a=extmap:5 urn:other"),
            ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:1"],
            video(2, codec="H265/90000"),
        )
    )
    accepted = answer.accept_publisher(parsed, [])
    served, extension = accepted.served, accepted.mid_extension
    lines = answer.build_answer(parsed, served, LOCAL).split("\r\n")
    assert extension == 4
    assert [line for line in lines if line.startswith("m=")] == [
        "m=video 7000 UDP/TLS/RTP/SAVPF 96",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
    ]
    for line in (
        "a=group:BUNDLE 0",
        "a=ice-lite",
        "a=setup:passive",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtcp-fb:96 goog-remb",
        f"a=extmap:4 {sdp.MID_EXTENSION}",
    ):
        assert lines.count(line) == 1, line
    assert sum(line.startswith("a=candidate:") for line in lines) == 2
    assert not any("urn:other" in line for line in lines)


def test_a_watcher_gets_the_cameras_he_asked_for_in_his_order():
    parsed = parse_offer(offer(*(video(index, direction="recvonly") for index in range(3))))
    served, streams = answer.accept_watcher(
        parsed, ["rear", "front"], published("front", "rear"), list(range(1, 10)), "cname"
    )
    assert [(stream.camera, stream.ssrc) for stream in streams] == [("rear", 1), ("front", 4)]
    text = answer.build_answer(parsed, served, LOCAL)
    assert "a=msid:rear rear" in text
    assert "a=ssrc:1 cname:cname" in text
    assert "m=video 0 " in text
    assert "extmap" not in text


def test_a_watcher_of_chromium_gets_retransmission_and_every_codec_both_know():
    parsed = captured("chromium-watcher")
    _, streams = answer.accept_watcher(parsed, [], published("front"), list(range(1, 10)), "c")
    (front,) = streams
    assert front.rtx_ssrc == 2
    assert all(codec.rtx is not None and codec.nack for codec in front.codecs)


def test_an_unknown_camera_is_named_in_the_refusal():
    parsed = parse_offer(offer(video(0, direction="recvonly")))
    with pytest.raises(ProtocolError, match="no camera 'roof'") as refused:
        answer.accept_watcher(parsed, ["roof"], published("front"), [1, 2, 3], "c")
    assert refused.value.reason == "unknown_camera"


# ----------------------------------------------------------------------- sizes

RID_LINES = [
    f"a=extmap:4 {sdp.MID_EXTENSION}",
    f"a=extmap:10 {sdp.RID_EXTENSION}",
    f"a=extmap:11 {sdp.REPAIRED_RID_EXTENSION}",
    "a=rid:a send",
    "a=rid:b send pt=96;max-width=320",
]


def sizes_of(*lines):
    accepted = answer.accept_publisher(parse_offer(offer(video(0, *RID_LINES, *lines))), [])
    return [(stream.camera, stream.layer, stream.rank, stream.rid) for stream in accepted.streams]


def test_chromiums_simulcast_is_answered_stream_by_stream():
    parsed = captured("chromium-simulcast")
    accepted = answer.accept_publisher(parsed, [])
    assert [(stream.rid, stream.ssrcs) for stream in accepted.streams] == [("a", []), ("b", [])]
    lines = answer.build_answer(parsed, accepted.served, LOCAL).split("\r\n")
    number = parsed.media[0].extensions[sdp.RID_EXTENSION]
    assert accepted.rid_extension == number
    for line in (
        "a=rid:a recv",
        "a=rid:b recv",
        "a=simulcast:recv a;b",
        f"a=extmap:{number} {sdp.RID_EXTENSION}",
    ):
        assert lines.count(line) == 1, line


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a=simulcast:send a;b"], [("front", "a", 0, "a"), ("front", "b", 1, "b")]),
        (["a=simulcast:recv c send ~b,x;a"], [("front", "b", 0, "b"), ("front", "a", 1, "a")]),
        (["a=simulcast:send a"], [("front", "", None, "")]),
        (["a=simulcast:send a;unheard-of"], [("front", "", None, "")]),
        (["a=simulcast:recv a;b"], [("front", "", None, "")]),
        ([], [("front", "", None, "")]),
    ],
)
def test_simulcast_lines_are_read_with_alternatives_and_pauses(lines, expected):
    assert sizes_of(*lines) == expected


def test_no_more_rids_than_the_bound_are_taken():
    rids = [f"r{number}" for number in range(12)]
    lines = [f"a=rid:{rid} send" for rid in rids]
    assert len(sizes_of(*lines, "a=simulcast:send " + ";".join(rids))) == sdp.MAX_RIDS


def test_sibling_tracks_are_sizes_of_one_camera():
    parsed = parse_offer(offer(video(0, "a=msid:front t"), video(1, "a=msid:front--low t")))
    streams = answer.accept_publisher(parsed, []).streams
    assert [(stream.camera, stream.layer) for stream in streams] == [
        ("front", ""),
        ("front", "low"),
    ]
    served, mine = answer.accept_watcher(
        parse_offer(offer(video(0, direction="recvonly"), video(1, direction="recvonly"))),
        [],
        streams,
        range(1, 7),
        "cname",
        "low",
    )
    assert [(stream.camera, stream.layer) for stream in mine] == [("front", "low")]
    assert served[1].extra is None
