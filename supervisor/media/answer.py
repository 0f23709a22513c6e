"""From an offer to a session: which m-lines are served, and the answer's text.

ICE-lite, BUNDLE, rtcp-mux, `setup:passive`, one candidate for each announced
address (RFC 8829 §5.3, RFC 8839 §5). An m-line that cannot be served is refused
with port 0. Publishers are offered two header extensions: MID, to tell m-lines apart,
and one for rate control. Watchers get none, as nothing is forwarded but header and
payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from protocols.codec import ProtocolError
from protocols.ids import check_name
from supervisor.media import ipc
from supervisor.media.dtls import MAX_FRAME, SCTP_PORT
from supervisor.media.sdp import (
    ABS_SEND_TIME,
    MID_EXTENSION,
    REPAIRED_RID_EXTENSION,
    RID_EXTENSION,
    TRANSPORT_CC,
    Media,
    Offer,
)
from supervisor.rtp.codec import Codec
from supervisor.rtp.layers import MAX_LAYERS, Choice

AUDIO = "audio"
"""The name of a vehicle's sound."""

TALK = "talk"
"""The name of the operator's voice towards a vehicle."""


class Local(msgspec.Struct, frozen=True):
    """Our side of one session.

    Attributes:
        addresses: Put into candidates, the best first.
        identity: Origin session id, decimal.
    """

    ufrag: str
    password: str
    fingerprint: str
    addresses: list[str]
    port: int
    identity: str


class Served(msgspec.Struct, frozen=True):
    """What one m-line of the offer becomes; `extra` None: refused.

    Attributes:
        data: It is the section of the data channel.
    """

    media: Media
    direction: str = "inactive"
    codecs: list[Codec] = []
    extra: list[str] | None = None
    data: bool = False


def peer_transport(offer: Offer) -> Media:
    """Return the m-line whose ICE and DTLS facts hold for all (BUNDLE).

    Raises:
        ProtocolError: `bad_sdp`: not bundled, or ICE or DTLS facts are missing.
    """
    active = [media for media in offer.media if media.port != 0] or offer.media
    if len(active) > 1:
        outside = [media.mid for media in active if media.mid not in offer.bundle]
        if outside or any(not media.mid for media in active):
            raise ProtocolError("bad_sdp", "all m-lines must be in one BUNDLE group")
    first = active[0]
    if not first.ufrag or not first.password:
        raise ProtocolError("bad_sdp", "a=ice-ufrag or a=ice-pwd is missing")
    if not first.fingerprints:
        raise ProtocolError("bad_sdp", "no a=fingerprint with sha-256, sha-384 or sha-512")
    if first.setup not in ("actpass", "active"):
        raise ProtocolError("bad_sdp", "a=setup must be actpass or active")
    return first


SEPARATOR = "--"
"""Between camera and layer in the name of a sibling track: `front--low`."""


_DATA_PROTOCOLS = ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP")


def _data(media: Media, served: Sequence[Served]) -> Served:
    """Take the first data channel section (RFC 8841), refuse any further one."""
    if (
        media.protocol not in _DATA_PROTOCOLS
        or media.formats != ["webrtc-datachannel"]
        or media.port == 0
        or media.sctp_port == 0
        or any(entry.data for entry in served)
    ):
        return Served(media)
    extra = [f"a=sctp-port:{SCTP_PORT}", f"a=max-message-size:{MAX_FRAME}"]
    return Served(media, extra=extra, data=True)


def data_port(served: Sequence[Served]) -> int:
    """Return the peer's SCTP port; 0 if it has no data channel."""
    return next((entry.media.sctp_port for entry in served if entry.data), 0)


def talk_codecs(served: Sequence[Served]) -> list[Codec]:
    """Return the codecs of the section in which an operator may talk; empty: none."""
    return next(
        (
            entry.codecs
            for entry in served
            if entry.media.kind == AUDIO and entry.direction == "sendrecv"
        ),
        [],
    )


class Accepted(msgspec.Struct, frozen=True):
    """What becomes of a publisher's offer.

    Attributes:
        served: What each m-line becomes.
        streams: What the worker is told, one for each m-line or simulcast stream.
        mid_extension, rid_extension, repaired_rid_extension: Ids of the header
            extensions; 0: not offered.
        talk: How the operator's voice goes to the vehicle, if it takes one.
    """

    served: list[Served]
    streams: list[ipc.InboundSpec]
    mid_extension: int
    rid_extension: int
    repaired_rid_extension: int
    talk: ipc.OutboundSpec | None


def _camera_names(offer: Offer, asked: Sequence[str]) -> dict[int, tuple[str, str]]:
    """Return (camera, layer) by m-line index: asked for, else by msid, else by number."""
    videos = [
        index for index, media in enumerate(offer.media) if media.kind == "video" and media.sends
    ]
    names: dict[int, str] = {}
    for number, index in enumerate(videos):
        if number < len(asked):
            names[index] = check_name(asked[number], "camera")
            continue
        stream = offer.media[index].stream
        try:
            names[index] = check_name(stream, "camera")
        except ProtocolError:
            names[index] = "front" if number == 0 else f"camera-{number + 1}"
    if len(set(names.values())) != len(names):
        raise ProtocolError("bad_name", "two cameras have the same name")
    split: dict[int, tuple[str, str]] = {}
    sizes: dict[str, int] = {}
    for index, name in names.items():
        camera, _, layer = name.partition(SEPARATOR)
        split[index] = (check_name(camera, "camera"), layer)
        sizes[camera] = sizes.get(camera, 0) + 1
        if sizes[camera] > MAX_LAYERS:
            raise ProtocolError("bad_name", f"more than {MAX_LAYERS} sizes of one camera")
    if AUDIO in sizes:
        raise ProtocolError("bad_name", "a camera cannot be named 'audio'")
    return split


def _simulcast(media: Media) -> tuple[list[str], list[str]]:
    """Return (RIDs, answer lines) of an m-line; both empty if it sends one stream.

    Without MID and RID on its packets nobody could tell the streams apart, as their
    SSRCs are not announced (RFC 8853 §6.3).
    """
    known = media.extensions
    if len(media.rids) < 2 or RID_EXTENSION not in known or MID_EXTENSION not in known:
        return [], []
    lines = [
        f"a=extmap:{known[uri]} {uri}"
        for uri in (RID_EXTENSION, REPAIRED_RID_EXTENSION)
        if uri in known
    ]
    lines += [f"a=rid:{rid} recv" for rid in media.rids]
    lines.append("a=simulcast:recv " + ";".join(media.rids))
    return media.rids, lines


class RateExtensions(NamedTuple):
    """Ids of the header extensions that rate control needs, 0 for none.

    A publisher that takes transport-wide feedback estimates by itself; the time of
    sending tells us as well what its uplink carries, so that we can cap its estimate.
    """

    transport_cc: int
    send_time: int


def rate_extensions(offer: Offer) -> RateExtensions:
    """Return what rate control uses of an offer."""
    videos = [media for media in offer.media if media.kind == "video" and media.sends]
    found = {
        uri: next((media.extensions[uri] for media in videos if uri in media.extensions), 0)
        for uri in (TRANSPORT_CC, ABS_SEND_TIME)
    }
    takes = any(media.transport_cc and TRANSPORT_CC in media.extensions for media in videos)
    return RateExtensions(found[TRANSPORT_CC] if takes else 0, found[ABS_SEND_TIME])


def _rate_lines(media: Media, codecs: Sequence[Codec], rate: RateExtensions) -> list[str]:
    lines = []
    if rate.transport_cc and TRANSPORT_CC in media.extensions:
        lines.append(f"a=extmap:{media.extensions[TRANSPORT_CC]} {TRANSPORT_CC}")
        lines += [f"a=rtcp-fb:{codec.payload_type} transport-cc" for codec in codecs]
    if rate.send_time and ABS_SEND_TIME in media.extensions:
        lines.append(f"a=extmap:{media.extensions[ABS_SEND_TIME]} {ABS_SEND_TIME}")
    return lines


def accept_publisher(
    offer: Offer, cameras: Sequence[str], numbers: Sequence[int] = (), cname: str = ""
) -> Accepted:
    """Decide what a vehicle may send: every video and the first sound we know a codec of.

    Args:
        numbers: Two random 32-bit numbers, for the operator's voice; empty: no talking.

    Raises:
        ProtocolError: `bad_sdp`, `bad_name`.
    """
    names = _camera_names(offer, cameras)
    rate = rate_extensions(offer)
    served: list[Served] = []
    streams: list[ipc.InboundSpec] = []
    mid_extension = rid_extension = repaired = 0
    sound = False
    talk: ipc.OutboundSpec | None = None
    for index, media in enumerate(offer.media):
        if media.kind == "application":
            served.append(_data(media, served))
            continue
        camera, layer = names.get(index, ("", ""))
        if media.kind == AUDIO and media.sends and not sound:
            camera, sound = AUDIO, bool(media.codecs)
        codecs = [
            msgspec.structs.replace(
                codec,
                rtx=codec.rtx if codec.nack and media.kind == "video" else None,
                nack=codec.nack and media.kind == "video",
            )
            for codec in media.codecs
        ]
        if not camera or not codecs or not media.rtcp_mux:
            served.append(Served(media))
            continue
        extra: list[str] = []
        if MID_EXTENSION in media.extensions:
            mid_extension = media.extensions[MID_EXTENSION]
            extra.append(f"a=extmap:{mid_extension} {MID_EXTENSION}")
        extra += _rate_lines(media, codecs, rate)
        rids, lines = _simulcast(media) if media.kind == "video" and not layer else ([], [])
        if rids:
            rid_extension = media.extensions[RID_EXTENSION]
            repaired = media.extensions.get(REPAIRED_RID_EXTENSION, 0)
        direction = "recvonly"
        if media.kind == AUDIO and media.receives and numbers:
            direction = "sendrecv"
            ssrc, first = numbers[:2]
            lines = [f"a=msid:{TALK} {TALK}", f"a=ssrc:{ssrc} cname:{cname}"]
            talk = ipc.OutboundSpec(TALK, AUDIO, ssrc, None, first & 0x7FFF, codecs)
        served.append(Served(media, direction, codecs, extra + lines))
        for place, rid in enumerate(rids or [""]):
            streams.append(
                ipc.InboundSpec(
                    camera,
                    media.kind,
                    media.mid,
                    codecs,
                    [] if rid else media.ssrcs,
                    {} if rid else media.repairs,
                    layer or rid,
                    place if rid else None,
                    rid,
                )
            )
    if not streams:
        raise ProtocolError(
            "bad_sdp",
            "no m-line that sends H264 (packetization-mode=1), VP8, VP9, AV1 or Opus with rtcp-mux",
        )
    return Accepted(served, streams, mid_extension, rid_extension, repaired, talk)


def accept_watcher(
    offer: Offer,
    cameras: Sequence[str],
    published: Iterable[ipc.InboundSpec],
    numbers: Sequence[int],
    cname: str,
    layer: Choice = "high",
    *,
    talk: bool = False,
) -> tuple[list[Served], list[ipc.OutboundSpec]]:
    """Decide what a watcher gets: cameras to video m-lines in order, sound to the first audio.

    Args:
        cameras: Asked for, by m-line order; empty: the publisher's, in its order.
        numbers: Random 32-bit numbers, three for each m-line.
        talk: The vehicle takes an operator's voice.

    Raises:
        ProtocolError: `bad_sdp`; `unknown_camera`.
    """
    known = {stream.camera: stream for stream in published}
    wanted = list(cameras) or [name for name, stream in known.items() if stream.kind == "video"]
    for name in wanted:
        if name not in known or known[name].kind != "video":
            raise ProtocolError("unknown_camera", f"the vehicle sends no camera {name[:64]!r}")
    videos = iter(wanted)
    sounds = iter([AUDIO] if AUDIO in known else [])
    served: list[Served] = []
    streams: list[ipc.OutboundSpec] = []
    for index, media in enumerate(offer.media):
        if media.kind == "application":
            served.append(_data(media, served))
            continue
        names = {"video": videos, "audio": sounds}.get(media.kind)
        camera = None
        if names is not None and media.receives and media.codecs and media.rtcp_mux:
            camera = next(names, None)
        if camera is None:
            served.append(Served(media))
            continue
        ssrc, rtx_ssrc, first = numbers[3 * index : 3 * index + 3]
        has_rtx = media.kind == "video" and any(codec.rtx is not None for codec in media.codecs)
        extra = [f"a=msid:{camera} {camera}"]
        if has_rtx:
            extra.append(f"a=ssrc-group:FID {ssrc} {rtx_ssrc}")
        for number in (ssrc, rtx_ssrc) if has_rtx else (ssrc,):
            extra.append(f"a=ssrc:{number} cname:{cname}")
            extra.append(f"a=ssrc:{number} msid:{camera} {camera}")
        both = talk and media.kind == AUDIO and media.sends
        served.append(Served(media, "sendrecv" if both else "sendonly", media.codecs, extra))
        streams.append(
            ipc.OutboundSpec(
                camera,
                media.kind,
                ssrc,
                rtx_ssrc if has_rtx else None,
                first & 0x7FFF,
                media.codecs,
                layer,
            )
        )
    if not streams:
        raise ProtocolError("bad_sdp", "no m-line receives anything the vehicle sends")
    return served, streams


def _codec_lines(codec: Codec, video: bool) -> list[str]:
    number = codec.payload_type
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    lines = [f"a=rtpmap:{number} {codec.name}/{codec.clock_rate}{channels}"]
    if video:
        feedback = ["ccm fir", "nack pli", "goog-remb"]
        if codec.nack:
            feedback.insert(0, "nack")
        lines.extend(f"a=rtcp-fb:{number} {what}" for what in feedback)
    if codec.fmtp:
        lines.append(
            f"a=fmtp:{number} " + ";".join(f"{key}={value}" for key, value in codec.fmtp.items())
        )
    if codec.rtx is not None:
        lines.append(f"a=rtpmap:{codec.rtx} rtx/{codec.clock_rate}")
        lines.append(f"a=fmtp:{codec.rtx} apt={number}")
    return lines


def candidate_lines(local: Local) -> list[str]:
    """Return our candidates and their end as `a=` lines."""
    lines = []
    for index, address in enumerate(local.addresses):
        priority = (126 << 24) + ((65_535 - index) << 8) + 255
        lines.append(f"a=candidate:{index + 1} 1 udp {priority} {address} {local.port} typ host")
    lines.append("a=end-of-candidates")
    return lines


def build_answer(offer: Offer, served: Sequence[Served], local: Local) -> str:
    """Return the SDP of the answer."""
    host = local.addresses[0]
    family = "IP6" if ":" in host else "IP4"
    bundle = [entry.media.mid for entry in served if entry.extra is not None and entry.media.mid]
    lines = ["v=0", f"o=- {local.identity} 1 IN {family} {host}", "s=-", "t=0 0"]
    if bundle and offer.bundle:
        lines.append("a=group:BUNDLE " + " ".join(bundle))
    lines += ["a=ice-lite", "a=msid-semantic: WMS *"]
    for entry in served:
        media = entry.media
        if entry.extra is None:
            lines.append(f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}")
            lines.append(f"c=IN {family} {host}")
            if media.mid:
                lines.append(f"a=mid:{media.mid}")
            lines.append("a=inactive")
            continue
        formats: list[int | str] = list(media.formats) if entry.data else []
        for codec in entry.codecs:
            formats.append(codec.payload_type)
            if codec.rtx is not None:
                formats.append(codec.rtx)
        lines.append(
            f"m={media.kind} {local.port} {media.protocol} "
            + " ".join(str(number) for number in formats)
        )
        lines.append(f"c=IN {family} {host}")
        if not entry.data:
            lines.append(f"a=rtcp:{local.port} IN {family} {host}")
        lines += candidate_lines(local)
        lines += [
            f"a=ice-ufrag:{local.ufrag}",
            f"a=ice-pwd:{local.password}",
            f"a=fingerprint:sha-256 {local.fingerprint}",
            "a=setup:passive",
        ]
        if media.mid:
            lines.append(f"a=mid:{media.mid}")
        lines += entry.extra
        if entry.data:
            continue
        lines += [f"a={entry.direction}", "a=rtcp-mux", "a=rtcp-rsize"]
        for codec in entry.codecs:
            lines += _codec_lines(codec, media.kind == "video")
    return "\r\n".join(lines) + "\r\n"
