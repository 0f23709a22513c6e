"""Every parser of foreign bytes, with real inputs to begin from and what it may raise."""

from __future__ import annotations

import io
import logging
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from aioice import stun
from argon2 import PasswordHasher

from protocols import drive, link, vehicle
from protocols.codec import ProtocolError, decode, encode
from protocols.operator import (
    AcknowledgeAlarm,
    AskResume,
    AskStop,
    ClockPing,
    PresentationReport,
    Presented,
    Role,
    Stage,
    StageTime,
)
from protocols.supervision import Purpose
from protocols.tags import sign
from protocols.topics import VehicleId, parse_topic, topic_for
from supervisor import config as hub_config
from supervisor.backup import archive
from supervisor.backup.archive import BackupError
from supervisor.console import bodies, incoming, server, sign_in
from supervisor.console.credentials import Credentials, CredentialsError
from supervisor.core import events
from supervisor.core.effects import Record
from supervisor.core.events import Operator
from supervisor.counters import Counters
from supervisor.evidence import audit, segments
from supervisor.media import answer, fragment, http, ice, ipc, sctp_guard, sdp
from supervisor.media.exchanges import Exchanges
from supervisor.media.peer import Publisher, Watcher
from supervisor.media.router import Router
from supervisor.media.srtp import Buffer
from supervisor.rtp import packet, picture_size, rtcp, rtx
from supervisor.rtp.codec import Codec
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound
from supervisor.telemetry.inbox import KINDS, Inbox
from support.backups import backup_of
from vehicle_stub import config as vehicle_config
from vehicle_stub.checker import Accepted, CommandChecker, Held, PersistEpoch, Refused
from vehicle_stub.drive_frames import DriveFrames, Ignored, Limits
from vehicle_stub.link_frames import LinkFrames

ROOT = Path(__file__).resolve().parents[2]
PACKETS = ROOT / "tests" / "packets"

BUS = VehicleId("maebashi", "bus-01")
KEY = bytes(range(32))


class Target(NamedTuple):
    """One parser.

    Attributes:
        parse: Takes an input; raises what is declared, or nothing.
        seeds: Real inputs.
        declared: What it may raise.
    """

    parse: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    declared: type[Exception] = ProtocolError


def _files(pattern: str) -> Callable[[], list[bytes]]:
    return lambda: [path.read_bytes() for path in sorted(PACKETS.glob(pattern))]


# ------------------------------------------------------------------- media plane

_LOCAL = answer.Local("ufrag", "p" * 32, "AA:BB", ["127.0.0.1"], 9, "1")
_EVERY_TYPE = [
    [Codec(number, name, 90_000, rtx=97, nack=True) for number in range(128)]
    for name in ("H264", "VP8", "VP9", "AV1")
]


def _offer(data: bytes) -> None:
    offer = sdp.parse_offer(data)
    answer.peer_transport(offer)
    accepted = answer.accept_publisher(offer, [], (1, 2), "cname")
    answer.data_port(accepted.served)
    answer.talk_codecs(accepted.served)
    answer.build_answer(offer, accepted.served, _LOCAL)
    numbers = list(range(1, 3 * len(offer.media) + 1))
    served, _ = answer.accept_watcher(
        offer, [], accepted.streams, numbers, "cname", "auto", talk=True
    )
    answer.build_answer(offer, served, _LOCAL)


def _rtp(data: bytes) -> None:
    packet.parse_rtp(data)
    packet.find_extension(data, 1)
    rtx.unwrap(data, 96, 1)
    for start in (12, 20):
        picture_size.picture_size("H264", data, start)
        picture_size.picture_size("VP8", data, start)
    feed = Feed("front", "video")
    for codecs in _EVERY_TYPE:
        source = Inbound(feed, 1, codecs)
        source.receive(data, 0)
        source.receive_rtx(data, 97, 0)


class _Port:
    """Stands for the UDP socket: hands out one datagram, forgets what is sent."""

    def __init__(self) -> None:
        self.buffer = Buffer(1 << 17)
        self.counters = Counters()
        self.next: tuple[bytes, tuple[str, int]] | None = None

    def receive(self) -> tuple[int, int, tuple[str, int]] | None:
        if self.next is None:
            return None
        data, address = self.next
        self.next = None
        self.buffer.view[: len(data)] = data
        return len(data), len(data), address

    def send(self, data: bytes, segment: int, address: object) -> None:
        pass


class _Clear:
    """Stands for SRTP, and calls everything genuine: what is behind it is tried too."""

    def unprotect(self, buffer: Buffer, start: int, length: int) -> int:
        return length

    unprotect_rtcp = protect = unprotect
    tag = 0

    def unprotect_run(self, buffer: Buffer, segment: int, count: int) -> list[int]:
        return [segment] * count

    def protect_run(
        self, buffer: Buffer, segment: int, begin: int, count: int, length: int
    ) -> bool:
        return True

    def protect_rtcp(self, data: bytes) -> bytes:
        return data


class _Handshake:
    """Stands for DTLS."""

    def feed(self, data: bytes) -> bool:
        return True


_ADDRESSES = {b"v": ("192.0.2.1", 1), b"o": ("192.0.2.2", 2)}
"""First byte of an input: from the vehicle, from the operator; any other: a stranger."""

_PASSWORD = "p" * 32


@cache
def _router() -> tuple[Router, _Port]:
    port = _Port()
    router = Router(port, port.counters)
    codecs = [Codec(number, "VP8", 90_000, rtx=97, nack=True) for number in (96, 98)]
    streams = [
        ipc.InboundSpec("front", "video", "0", codecs, [1]),
        ipc.InboundSpec("sound", "audio", "1", [Codec(111, "opus", 48_000)], []),
    ]
    spec = ipc.OpenPublisher(
        "p", str(BUS), ipc.Transport("ours", _PASSWORD, []), streams, 20_000, 4, 10, 11,
        talk=ipc.OutboundSpec("talk", "audio", 9, None, 5, [Codec(111, "opus", 48_000)]),
        transport_cc=3,
    )  # fmt: skip
    known = router.vehicle(str(BUS))
    cameras = [known.camera(stream.camera, stream.kind) for stream in streams]
    publisher = Publisher(spec, cameras, port, 0)
    watching = ipc.OpenWatcher(
        "w", str(BUS), ipc.Transport("eyes", _PASSWORD, []),
        [ipc.OutboundSpec("front", "video", 77, 78, 5, codecs)], "cname",
        talk=[Codec(111, "opus", 48_000)],
    )  # fmt: skip
    watcher = Watcher(watching, [known.camera("front", "video")], port, 0)
    for peer, address in ((publisher, _ADDRESSES[b"v"]), (watcher, _ADDRESSES[b"o"])):
        router.add(peer)
        peer.dtls = _Handshake()
        port.next = (_check(peer.transport.ufrag), address)
        router.on_readable()
        peer.rx = peer.tx = _Clear()
        router.connected(peer)
    return router, port


def _check(ufrag: str) -> bytes:
    attributes = {"USERNAME": f"{ufrag}:theirs", "PRIORITY": 1, "USE-CANDIDATE": None}
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
    message.add_message_integrity(_PASSWORD.encode())
    return bytes(message)


def _datagram(data: bytes) -> None:
    """The demultiplexer and everything behind it, from three sides."""
    router, port = _router()
    port.next = (data[1 : 1 << 16], _ADDRESSES.get(data[:1], ("192.0.2.3", 3)))
    before = dict(port.counters._totals)
    router.on_readable()
    for (name, reason), total in port.counters._totals.items():
        if name == "media_dropped" and total != before.get((name, reason), 0):
            raise ProtocolError(reason, "dropped")


def _datagrams() -> list[bytes]:
    kinds = [*_files("rt*.bin")(), *_files("stun-*.bin")(), _check("ours"), _check("eyes")]
    hello = bytes.fromhex("16fefd0000000000000000002f0100") + bytes(47)
    return [side + data for data in [*kinds, hello, b""] for side in (b"v", b"o", b"x")]


def _ipc_seeds() -> list[bytes]:
    codecs = [Codec(96, "VP8", 90_000, rtx=97, nack=True, fmtp={"a": "b"})]
    transport = ipc.Transport("ufrag", _PASSWORD, [("sha-256", "AA")])
    numbers = dict.fromkeys(("packets", "lost", "bytes", "frames", "keyframes"), 1)
    report = events.StreamSample(
        camera="front", kind="video", codec="VP8", clock_rate=90_000, jitter_ms=0.5, **numbers
    )
    messages = [
        ipc.Begin(0, {"ufrag": "password"}),
        ipc.OpenPublisher(
            "s", "a/b", transport, [ipc.InboundSpec("front", "video", "0", codecs, [1], {2: 1})], 9
        ),
        ipc.OpenWatcher(
            "s", "a/b", transport, [ipc.OutboundSpec("front", "video", 1, 2, 3, codecs)], "c"
        ),
        ipc.SetLayers("s", {"front": "low"}),
        ipc.SetGrant("a/b", None, 4),
        ipc.ClosePeer("s"),
        ipc.RestartIce("s", "u", "p"),
        ipc.Ready("AA:BB", True, False),
        ipc.Alive(),
        ipc.PeerClosed("s", "silent"),
        ipc.PublisherSampled("s", [report]),
        ipc.ClockExchanged("s", "run-1", 1, 2, 3, 4),
        ipc.Unheard("s", "run-1", 1),
        ipc.Stats(1, 0.5, 1, 2, 3, 4, 5, [("media_dropped", "unbound", 6)]),
    ]
    return [ipc.frame(message)[4:] for message in messages]


def _ipc(data: bytes) -> None:
    try:
        ipc.parse_hub_message(data)
    except ipc.IpcError:
        ipc.parse_worker_message(data)


def _link(data: bytes) -> None:
    """Both ends of the data channel "link"; each takes what the other says."""
    vehicle_end = LinkFrames("run-1")
    vehicle_end.on_frame(data, 1)
    hub_end = Exchanges(0)
    hub_end.due(0)
    hub_end.on_frame(data, 1)


def _link_seeds() -> list[bytes]:
    messages = [link.LinkAsk(1), link.LinkAnswer(1, "run-1", 2, 3), link.LinkUnheard("run-1")]
    return [encode(message) for message in messages]


# --------------------------------------------------------------- vehicle and people

_SAID = [
    vehicle.Connection(vehicle.ConnectionState.ONLINE, "run-1"),
    vehicle.Factsheet(
        vehicle.Kind.BUS, "Bus", [vehicle.CameraInfo("front", 1280, 720, 30.0, 3000)],
        True, ["stop"], 5.0, [(139.0, 36.0)],
    ),
    vehicle.State(
        "run-1", 1, vehicle.OperationMode.STOP, vehicle.MrmState.NORMAL,
        vehicle.MrmBehaviour.NONE, vehicle.Odd.INSIDE, vehicle.MrmBehaviour.PULL_OVER, "x",
    ),
    vehicle.Telemetry(
        "run-1", 1, 2, 139.0, 36.0, 1.0, -1.0, vehicle.OperationMode.LOCAL,
        radio=vehicle.Radio("c", -80.0),
    ),
    vehicle.Heartbeat("run-1", 1, 2, 3, vehicle.Echo(4, 5), {"front": 3.5}),
    vehicle.VehicleEvent("run-1", "e", vehicle.EventKind.ALARM, 1),
    vehicle.CommandResult("run-1", "c", vehicle.ResultState.APPLIED, 1),
]  # fmt: skip


def _mqtt_seeds() -> list[bytes]:
    streams = {kind.message: stream for stream, kind in KINDS.items()}
    return [
        topic_for(BUS, streams[type(message)]).encode() + b"\n" + encode(message)
        for message in _SAID
    ]


def _mqtt(data: bytes) -> None:
    topic, _, payload = data.partition(b"\n")
    counters = Counters()
    inbox = Inbox({BUS: None}, 1e9, counters)
    if inbox.read(topic.decode("utf-8", "replace"), payload, False, 0) is None:
        raise ProtocolError(counters.items()[0][1], "refused")


def _topic(data: bytes) -> None:
    parse_topic(data.decode("utf-8", "replace"))


_PERSON = Operator("session", "hanako", Role.OPERATOR)


def _websocket(data: bytes) -> None:
    message = incoming.parse(data.decode("utf-8", "replace"))
    incoming.reference(message)
    incoming.to_event(message, _PERSON)


def _websocket_seeds() -> list[bytes]:
    tile = Presented(
        "a/b", "front", 30, 12.5, 101.5, 9.5, [101.5, 99.0],
        [StageTime(Stage.UPLINK, 20.5, 3.0)], 1280, 720, 0.0, True,
    )  # fmt: skip
    messages = [
        ClockPing(1.5),
        AskStop("c-1", "a/b"),
        AskResume("c-2", "a/b", "r", 120.5),
        AcknowledgeAlarm("a/b:link.lost"),
        PresentationReport(True, [tile], 2.5),
    ]
    return [encode(message) for message in messages]


def _http_body(data: bytes) -> None:
    try:
        decode(data, sign_in._SignIn, limit=bodies.BODY_LIMIT)
    except ProtocolError:
        decode(data, server._StopBody, limit=bodies.BODY_LIMIT)


def _command(data: bytes) -> None:
    """The vehicle's own check of an MQTT command."""
    verdict = CommandChecker(BUS, KEY, "run-1", 1).check(data, False, 10, Held("hanako", 1))
    if isinstance(verdict, Refused):
        raise ProtocolError(str(verdict.reason), verdict.text)
    assert isinstance(verdict, Accepted | PersistEpoch)


def _command_seeds() -> list[bytes]:
    bodies = [
        vehicle.Resume("e1"), vehicle.Stop(), vehicle.EmergencyStop(), vehicle.Wait("e1", 30.0),
        vehicle.LimitSpeed(2.5, 1000), vehicle.MinimalRisk(), vehicle.ReleaseControl("x"),
        vehicle.FollowPath([(139.0, 36.0), (139.1, 36.0)], 2.5),
        vehicle.AlternatePath("e1", "o"), vehicle.Announce("text"), vehicle.Implement(True, None),
    ]  # fmt: skip
    commands = [vehicle.Command("c", "run-1", 1, 2, 3, 4, body, "hanako", "tag") for body in bodies]
    take = vehicle.TakeControl("hanako", Purpose.DRIVE)
    commands.append(vehicle.Command("t", "run-1", 2, 2, 3, 4, take))
    return [encode(sign(command, BUS, KEY)) for command in commands]


def _drive_frame(data: bytes) -> None:
    """The vehicle's own check of a control frame."""
    frames = DriveFrames(BUS, KEY, "run-1", Limits(5.0, 0.2))
    frames.begin(Held("hanako", 2))
    verdict = frames.check(data, 10)
    if isinstance(verdict, Ignored):
        raise ProtocolError(verdict.reason, "refused")


def _drive_frame_seeds() -> list[bytes]:
    held = drive.drive_key(KEY, BUS, 2, "hanako")
    wish = drive.DriveFrame("run-1", 2, 1, 5, True, 2.5, -0.125, 0.5)
    stop = drive.StopFrame("e1", "hanako")
    return [drive.seal(wish, held), drive.seal(stop, drive.stop_key(KEY, BUS, "hanako"))]


# -------------------------------------------------------------------------- files


@cache
def _place() -> Path:
    """Where inputs that must be files are written; memory where there is some."""
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = tempfile.TemporaryDirectory(prefix="enkan-fuzz-", dir=base)
    _kept.append(folder)
    return Path(folder.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _file(name: str, data: bytes) -> Path:
    path = _place() / name
    path.write_bytes(data)
    return path


def _hub_configuration(data: bytes) -> None:
    hub_config.load(_file("hub.toml", data), {})


def _vehicle_configuration(data: bytes) -> None:
    vehicle_config.load(_file("vehicle.toml", data), {})


def _sample(name: str) -> Callable[[], list[bytes]]:
    """Return the sample as a whole and each of its tables, without the comments."""

    def seeds() -> list[bytes]:
        text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
        bare = "\n".join(lines) + "\n"
        first, *tables = bare.split("\n[")
        return [bare.encode(), first.encode(), *(f"[{table}\n".encode() for table in tables)]

    return seeds


_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def _credentials(data: bytes) -> None:
    path = _place() / "credentials.json"
    path.write_bytes(data)
    path.chmod(0o600)
    Credentials.load(path, hasher=_CHEAP)


def _credentials_seeds() -> list[bytes]:
    path = _place() / "made.json"
    if not path.exists():
        made = Credentials.create(path)
        made.add_account("hanako", Role.OPERATOR, "a password that is long")
        made.add_vehicle(BUS)
        made.save()
    return [path.read_bytes()]


def _audit(data: bytes) -> None:
    found = audit.verify(_file("audit.sqlite", data))
    if not found.ok:
        raise audit.AuditError("broken", found.reason)


def _audit_seeds() -> list[bytes]:
    path = _place() / "made.sqlite"
    if not path.exists():
        store = audit.AuditStore.open(path)
        records = [
            Record(f"r{number}", "stop", str(BUS), "hanako", {"why": "test"}) for number in range(3)
        ]
        store.append([audit.Entry(1_000 + n, record) for n, record in enumerate(records)])
        store.close()
    return [path.read_bytes()]


def _journal(data: bytes) -> None:
    """A block's contents; what is around them is a checksum."""
    payload = zlib.compress(data, 1)
    frame = segments.FRAME.pack(len(payload), zlib.crc32(payload)) + payload
    reader = segments.SegmentReader(_file("00000001.enkj", segments.MAGIC + frame))
    if not any(True for _ in reader) or reader.problem:
        raise segments.JournalError("broken", reader.problem)


def _journal_seeds() -> list[bytes]:
    header = segments.Header("0.1.0", "core", "hub-1", "run", 1, 2, 3, 4, 5, "{}")
    event = events.TelemetryReceived(BUS, _SAID[3])
    entries = [header, segments.step_entry(5, event, []), segments.step_entry(6, events.Tick(), [])]
    return [zlib.decompress(segments.block(entries)[segments.FRAME.size :])]


def _backup(data: bytes) -> None:
    archive.Reader(io.BytesIO(data)).check()


def _backup_seeds() -> list[bytes]:
    return [backup_of({name: name.encode() * 9 for name in archive.REQUIRED})]


TARGETS: dict[str, Target] = {
    "backup": Target(_backup, _backup_seeds, BackupError),
    "rtp": Target(_rtp, _files("rtp-*.bin")),
    "rtcp": Target(rtcp.parse, _files("rtcp-*.bin")),
    "stun": Target(ice.parse_request, _files("stun-*.bin")),
    "datagram": Target(_datagram, _datagrams),
    "sdp": Target(_offer, _files("offer-*.sdp")),
    "fragment": Target(fragment.parse_fragment, _files("fragment-*.txt")),
    "sctp": Target(sctp_guard.check_sctp, _files("sctp-*.bin")),
    "layers": Target(http.parse_wishes, _files("layers-*.json")),
    "ipc": Target(_ipc, _ipc_seeds, ipc.IpcError),
    "link": Target(_link, _link_seeds),
    "mqtt": Target(_mqtt, _mqtt_seeds),
    "topic": Target(_topic, lambda: [topic_for(BUS, stream).encode() for stream in KINDS]),
    "websocket": Target(_websocket, _websocket_seeds),
    "http_body": Target(
        _http_body,
        lambda: [b'{"name":"hanako","password":"a password"}', b'{"command_id":"c-1"}'],
    ),
    "command": Target(_command, _command_seeds),
    "drive_frame": Target(_drive_frame, _drive_frame_seeds),
    "hub_config": Target(_hub_configuration, _sample("enkan.sample.toml"), hub_config.ConfigError),
    "vehicle_config": Target(
        _vehicle_configuration, _sample("vehicle.sample.toml"), vehicle_config.ConfigError
    ),
    "credentials": Target(_credentials, _credentials_seeds, CredentialsError),
    "journal": Target(_journal, _journal_seeds, segments.JournalError),
    "audit": Target(_audit, _audit_seeds, audit.AuditError),
}

logging.getLogger("enkan.telemetry").setLevel(logging.ERROR)
