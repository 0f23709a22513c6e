"""Session descriptions: the offers of our peers, and what they need from an answer.

One m-line of H.264 (packetization mode 1, constrained baseline), as JSEP (RFC 8829)
wants it. A publisher offers the header extensions a browser would send, and sends
those that the answer accepts.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import msgspec

PAYLOAD_TYPE: Final = 96
RTX_PAYLOAD_TYPE: Final = 97

MID_URI: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
ABS_SEND_TIME_URI: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC_URI: Final = (
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)
_EXTENSIONS: Final = {1: MID_URI, 2: ABS_SEND_TIME_URI, 3: TRANSPORT_CC_URI}


class AnswerError(Exception):
    """An answer that our peer cannot use."""


class LocalPeer(msgspec.Struct, frozen=True):
    """What a peer tells about itself.

    Attributes:
        fingerprint: SHA-256 of its certificate, as in SDP.
    """

    port: int
    ufrag: str
    password: str
    fingerprint: str


class Answer(msgspec.Struct, frozen=True):
    """What a peer needs from an answer.

    Attributes:
        candidates: Addresses to try, in the order given.
        passive: The other side waits for our DTLS ClientHello.
        extensions: Header extensions accepted: URI to id.
        payload_type: Payload type of the video.
    """

    candidates: list[tuple[str, int]]
    ufrag: str
    password: str
    fingerprints: list[tuple[str, str]]
    passive: bool
    extensions: dict[str, int]
    payload_type: int


def publish_offer(local: LocalPeer, ssrc: int, camera: str = "front") -> str:
    """Return the offer of a publisher of one camera."""
    return _offer(
        local,
        "sendonly",
        [
            *(f"a=extmap:{number} {uri}" for number, uri in _EXTENSIONS.items()),
            f"a=msid:{camera} {camera}-video",
            f"a=ssrc:{ssrc} cname:loadtest",
        ],
        rtx=False,
    )


def watch_offer(local: LocalPeer) -> str:
    """Return the offer of a watcher of one camera."""
    return _offer(local, "recvonly", [], rtx=True)


def _offer(local: LocalPeer, direction: str, lines: list[str], *, rtx: bool) -> str:
    formats = [PAYLOAD_TYPE, RTX_PAYLOAD_TYPE] if rtx else [PAYLOAD_TYPE]
    text = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS *",
        f"m=video {local.port} UDP/TLS/RTP/SAVPF {' '.join(map(str, formats))}",
        "c=IN IP4 127.0.0.1",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=candidate:1 1 udp 2130706431 127.0.0.1 {local.port} typ host",
        "a=end-of-candidates",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        "a=setup:actpass",
        "a=mid:0",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/90000",
        f"a=fmtp:{PAYLOAD_TYPE} "
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        f"a=rtcp-fb:{PAYLOAD_TYPE} nack",
        f"a=rtcp-fb:{PAYLOAD_TYPE} nack pli",
        f"a=rtcp-fb:{PAYLOAD_TYPE} goog-remb",
        f"a=rtcp-fb:{PAYLOAD_TYPE} transport-cc",
    ]
    if rtx:
        text.append(f"a=rtpmap:{RTX_PAYLOAD_TYPE} rtx/90000")
        text.append(f"a=fmtp:{RTX_PAYLOAD_TYPE} apt={PAYLOAD_TYPE}")
    return "\r\n".join(text + lines) + "\r\n"


def parse_answer(text: str) -> Answer:
    """Read an answer with one accepted m-line.

    Raises:
        AnswerError: The m-line is refused, or credentials, fingerprint or candidates
            are missing.
    """
    media = re.search(r"^m=video (\d+) \S+ (\d+)", text, re.MULTILINE)
    if media is None or media[1] == "0":
        raise AnswerError("the answer refuses the video")
    ufrag = _attribute(text, "ice-ufrag")
    password = _attribute(text, "ice-pwd")
    fingerprints = re.findall(r"^a=fingerprint:(\S+) (\S+)", text, re.MULTILINE)
    if ufrag is None or password is None or not fingerprints:
        raise AnswerError("the answer has no ICE credentials or no fingerprint")
    candidates = [
        (address, int(port))
        for component, transport, address, port in re.findall(
            r"^a=candidate:\S+ (\d) (\S+) \d+ (\S+) (\d+) typ host", text, re.MULTILINE
        )
        if component == "1" and transport.lower() == "udp" and _is_ipv4(address)
    ]
    if not candidates:
        raise AnswerError("the answer has no IPv4 host candidate")
    return Answer(
        candidates=candidates,
        ufrag=ufrag,
        password=password,
        fingerprints=fingerprints,
        passive=_attribute(text, "setup") != "active",
        extensions={
            uri: int(number)
            for number, uri in re.findall(r"^a=extmap:(\d+)\S* (\S+)", text, re.MULTILINE)
        },
        payload_type=int(media[2]),
    )


def _attribute(text: str, name: str) -> str | None:
    found = re.search(rf"^a={name}:(\S+)", text, re.MULTILINE)
    return found[1] if found else None


def _is_ipv4(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).version == 4
    except ValueError:  # a name (mDNS) or IPv6 with a zone
        return False
