"""Offers as text to plain facts (RFC 8866, RFC 8829 §5.8).

A reader of its own, of just what forwarding needs: one pass over bounded lines,
total by construction, so that only `ProtocolError` leaves it whatever the bytes are
and the time is linear in them. (The parser that comes with aiortc lets undeclared
exceptions out on most damaged input and searches lists inside loops.)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from protocols.codec import ProtocolError
from supervisor.rtp.codec import FORWARDED, Codec

MAX_SDP: Final = 65_536
"""Bytes of one offer."""

MAX_MEDIA: Final = 20
"""m-lines of one offer."""

MAX_SSRCS: Final = 32
"""SSRCs announced in one m-line; more are not read."""

MAX_RIDS: Final = 4
"""Simulcast streams of one m-line; more are not taken."""

MID_EXTENSION: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
RID_EXTENSION: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID_EXTENSION: Final = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"

_MEDIA_LINE: Final = re.compile(r"(\w{1,32}) (\d{1,5})(?:/\d+)? (\S{1,64}) (\S[^\r\n]*)")
_RID: Final = re.compile(r"[A-Za-z0-9]{1,16}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,64}")
_ICE: Final = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")
_FINGERPRINT: Final = re.compile(
    r"(sha-(?:256|384|512)) ((?:[0-9A-F]{2}:){31,63}[0-9A-F]{2})", re.I
)
_RTPMAP: Final = re.compile(r"(\d{1,3}) ([\w.-]{1,32})/(\d{1,6})(?:/(\d{1,2}))?")


def _bad(detail: str) -> ProtocolError:
    return ProtocolError("bad_sdp", detail)


class Media(msgspec.Struct):
    """One m-line of an offer.

    Attributes:
        formats: As written after the protocol.
        codecs: The ones a forwarder knows, in the offer's order, RTX folded in.
        ssrcs: Primary SSRCs, without the retransmission ones of FID groups.
        repairs: Retransmission SSRC to the primary one it repairs.
        stream: The msid's stream id, "" or "-" for none.
        transport_cc: Transport-wide feedback is offered for at least one codec.
        extensions: Header extension URI to id.
        sctp_port: Of a data channel section (RFC 8841); 0: none.
        rids: RIDs of the simulcast streams it sends, in the offer's order (RFC 8853).
    """

    kind: str
    port: int
    protocol: str
    formats: list[str]
    mid: str = ""
    direction: str = ""
    stream: str = ""
    codecs: list[Codec] = []
    ssrcs: list[int] = []
    repairs: dict[int, int] = {}
    transport_cc: bool = False
    extensions: dict[str, int] = {}
    ufrag: str = ""
    password: str = ""
    setup: str = ""
    fingerprints: list[tuple[str, str]] = []
    rtcp_mux: bool = False
    rids: list[str] = []
    sctp_port: int = 0

    @property
    def sends(self) -> bool:
        """The offerer sends media here."""
        return self.port != 0 and self.direction in ("sendonly", "sendrecv")

    @property
    def receives(self) -> bool:
        """The offerer wants media here."""
        return self.port != 0 and self.direction in ("recvonly", "sendrecv")


class Offer(msgspec.Struct):
    """A whole offer.

    Attributes:
        bundle: Mids of the first BUNDLE group.
    """

    media: list[Media]
    bundle: list[str]


class _Reader:
    """State of one section while its lines are read."""

    def __init__(self, media: Media) -> None:
        self.media = media
        self.bundle: list[str] = []
        self.rtpmap: dict[int, tuple[str, int, int]] = {}
        self.fmtp: dict[int, dict[str, str]] = {}
        self.feedback: dict[str, set[str]] = {}
        self.repairs: dict[int, int] = {}
        self.announced: dict[int, None] = {}
        self.rids: set[str] = set()
        self.simulcast: list[str] = []

    def attribute(self, name: str, value: str) -> None:
        """Take one `a=` line; unknown ones mean nothing here."""
        handler = _ATTRIBUTES.get(name)
        if handler is not None:
            handler(self, value)

    def finish(self) -> None:
        """Put together what several lines said."""
        media = self.media
        media.ssrcs = [ssrc for ssrc in self.announced if ssrc not in self.repairs]
        media.repairs = self.repairs
        media.transport_cc = any("transport-cc" in what for what in self.feedback.values())
        media.rids = [rid for rid in dict.fromkeys(self.simulcast) if rid in self.rids][:MAX_RIDS]
        rtx: dict[int, int] = {}
        for number, (name, _, _) in self.rtpmap.items():
            if name == "rtx":
                base = self.fmtp.get(number, {}).get("apt", "")
                if base.isdecimal() and len(base) <= 3:
                    rtx[int(base)] = number
        everywhere = self.feedback.get("*", set())
        codecs = []
        for text in media.formats:
            if not text.isdecimal() or len(text) > 3 or int(text) > 127:
                continue
            number = int(text)
            name, rate, channels = self.rtpmap.get(number, ("", 0, 0))
            known = FORWARDED.get(name)
            if known is None or known[0] != media.kind or known[2] != rate:
                continue
            fmtp = self.fmtp.get(number, {})
            if known[1] == "H264" and fmtp.get("packetization-mode", "0") != "1":
                continue
            nack = "nack" in self.feedback.get(text, set()) | everywhere
            codecs.append(Codec(number, known[1], rate, channels, fmtp, rtx.get(number), nack))
        media.codecs = codecs


def _mid(reader: _Reader, value: str) -> None:
    if _TOKEN.fullmatch(value) is None or len(value) > 32:
        raise _bad("a=mid: at most 32 visible characters")
    reader.media.mid = value


def _rtpmap(reader: _Reader, value: str) -> None:
    found = _RTPMAP.fullmatch(value.strip())
    if found is not None:
        reader.rtpmap[int(found[1])] = (found[2].lower(), int(found[3]), int(found[4] or 1))


def _fmtp(reader: _Reader, value: str) -> None:
    number, _, rest = value.partition(" ")
    if not number.isdecimal() or len(number) > 3:
        return
    parameters: dict[str, str] = {}
    for part in rest.split(";")[:32]:
        key, equals, content = part.strip().partition("=")
        if equals and _TOKEN.fullmatch(key) and _TOKEN.fullmatch(content):
            parameters[key.lower()] = content
    reader.fmtp[int(number)] = parameters


def _feedback(reader: _Reader, value: str) -> None:
    number, _, what = value.partition(" ")
    reader.feedback.setdefault(number[:3], set()).add(what.strip()[:32])


def _ssrc(reader: _Reader, value: str) -> None:
    text = value.partition(" ")[0]
    if text.isdecimal() and len(text) <= 10 and len(reader.announced) < MAX_SSRCS:
        reader.announced[int(text) & 0xFFFF_FFFF] = None


def _ssrc_group(reader: _Reader, value: str) -> None:
    words = value.split()
    if len(words) != 3 or words[0] != "FID" or len(reader.repairs) >= MAX_SSRCS:
        return
    if all(word.isdecimal() and len(word) <= 10 for word in words[1:]):
        reader.repairs[int(words[2]) & 0xFFFF_FFFF] = int(words[1]) & 0xFFFF_FFFF


def _extmap(reader: _Reader, value: str) -> None:
    number, _, rest = value.partition(" ")
    number = number.partition("/")[0]
    uri = rest.split(" ", 1)[0]
    if number.isdecimal() and len(number) <= 3 and 1 <= int(number) <= 255:
        reader.media.extensions[uri[:128]] = int(number)


def _ufrag(reader: _Reader, value: str) -> None:
    if _ICE.fullmatch(value) is None:
        raise _bad("a=ice-ufrag: 4 to 256 ICE characters (RFC 8839 §5.4)")
    reader.media.ufrag = value


def _password(reader: _Reader, value: str) -> None:
    if _ICE.fullmatch(value) is None or len(value) < 22:
        raise _bad("a=ice-pwd: 22 to 256 ICE characters (RFC 8839 §5.4)")
    reader.media.password = value


def _fingerprint(reader: _Reader, value: str) -> None:
    found = _FINGERPRINT.fullmatch(value.strip())
    if found is not None and len(reader.media.fingerprints) < 8:
        reader.media.fingerprints.append((found[1].lower(), found[2].upper()))


def _setup(reader: _Reader, value: str) -> None:
    reader.media.setup = value[:16]


def _msid(reader: _Reader, value: str) -> None:
    reader.media.stream = value.partition(" ")[0][:64]


def _rid(reader: _Reader, value: str) -> None:
    words = value.split(" ", 2)
    sent = len(words) >= 2 and words[1] == "send" and _RID.fullmatch(words[0]) is not None
    if sent and len(reader.rids) < 2 * MAX_RIDS:
        reader.rids.add(words[0])


def _simulcast(reader: _Reader, value: str) -> None:
    """`send a;b,c;~d recv e`: of alternatives the first; a paused one may begin later."""
    words = value.split()[:4]
    for what, streams in zip(words[::2], words[1::2], strict=False):
        if what == "send":
            for stream in streams.split(";", 2 * MAX_RIDS)[: 2 * MAX_RIDS]:
                reader.simulcast.append(stream.partition(",")[0].removeprefix("~")[:32])


def _sctp_port(reader: _Reader, value: str) -> None:
    if value.isdecimal() and len(value) <= 5 and int(value) <= 65_535:
        reader.media.sctp_port = int(value)


def _rtcp_mux(reader: _Reader, value: str) -> None:
    reader.media.rtcp_mux = True


def _group(reader: _Reader, value: str) -> None:
    words = value.split()
    if words[:1] == ["BUNDLE"] and not reader.bundle:
        reader.bundle = words[1 : MAX_MEDIA + 1]


def _direction(name: str) -> Callable[[_Reader, str], None]:
    def take(reader: _Reader, value: str) -> None:
        reader.media.direction = name

    return take


_ATTRIBUTES: Final[dict[str, Callable[[_Reader, str], None]]] = {
    "mid": _mid,
    "rtpmap": _rtpmap,
    "fmtp": _fmtp,
    "rtcp-fb": _feedback,
    "ssrc": _ssrc,
    "ssrc-group": _ssrc_group,
    "extmap": _extmap,
    "ice-ufrag": _ufrag,
    "ice-pwd": _password,
    "fingerprint": _fingerprint,
    "setup": _setup,
    "msid": _msid,
    "sctp-port": _sctp_port,
    "rid": _rid,
    "simulcast": _simulcast,
    "rtcp-mux": _rtcp_mux,
    "group": _group,
    **{name: _direction(name) for name in ("sendonly", "recvonly", "sendrecv", "inactive")},
}


def _media_line(text: str, session: Media) -> Media:
    found = _MEDIA_LINE.fullmatch(text)
    if found is None or int(found[2]) > 65_535:
        raise _bad(f"m-line {text[:80]!r}")
    return Media(
        kind=found[1],
        port=int(found[2]),
        protocol=found[3],
        formats=[word[:64] for word in found[4].split()[:128]],
        direction=session.direction or "sendrecv",
        ufrag=session.ufrag,
        password=session.password,
        setup=session.setup,
        fingerprints=list(session.fingerprints),
    )


def parse_offer(data: bytes) -> Offer:
    """Return the facts of one offer.

    Raises:
        ProtocolError: `oversize`, `bad_sdp` with what exactly.
    """
    if len(data) > MAX_SDP:
        raise ProtocolError("oversize", f"SDP of {len(data)} bytes, at most {MAX_SDP}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _bad("not UTF-8") from error
    if not text.startswith("v=0"):
        raise _bad("does not begin with v=0")
    session = _Reader(Media("session", 0, "", []))
    current = session
    readers: list[_Reader] = []
    for line in text.split("\n"):
        line = line.rstrip("\r")
        if line.startswith("m="):
            if len(readers) >= MAX_MEDIA:
                raise _bad(f"more than {MAX_MEDIA} m-lines")
            current = _Reader(_media_line(line[2:], session.media))
            readers.append(current)
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            current.attribute(name, value)
    if not readers:
        raise _bad("no m-line")
    for reader in readers:
        reader.finish()
    media = [reader.media for reader in readers]
    mids = [entry.mid for entry in media if entry.mid]
    if len(set(mids)) != len(mids):
        raise _bad("two m-lines have the same mid")
    return Offer(media, session.bundle)
