"""Servers elsewhere: the message broker (MQTT 3.1.1) and STUN or TURN (RFC 8489)."""

from __future__ import annotations

import ipaddress
import json
import secrets
import socket
import ssl
import struct
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote

from supervisor import clock
from supervisor.console.credentials import Credentials, CredentialsError
from supervisor.doctor import holders
from supervisor.doctor.finding import Finding, Subject
from supervisor.doctor.network import hub_processes
from supervisor.doctor.storage import state_of
from supervisor.telemetry.broker import BrokerError, find_nats_server
from supervisor.telemetry.link import parse_address, port_of

ANSWER_S: Final = 3.0
ENDPOINTS_FILE: Final = "hub.json"
"""In the state folder: where a running hub can be reached."""

STUN_PORT: Final = 3478
STUN_WAITS_S: Final = (0.5, 1.0, 1.5)
"""A request is sent again after each of these (RFC 8489 §6.2.1: RTO 500 ms, then longer)."""

_COOKIE: Final = 0x2112A442
_BINDING_REQUEST: Final = 0x0001
_BINDING_SUCCESS: Final = 0x0101
_XOR_MAPPED_ADDRESS: Final = 0x0020
_CONNACK: Final = 0x20
_REFUSED_LOGIN: Final = (4, 5)


# ---------------------------------------------------------------------- broker


def check_broker(subject: Subject) -> list[Finding]:
    """Sign in at the broker; the embedded one only while the hub runs."""
    assert subject.config is not None
    telemetry = subject.config.telemetry
    if telemetry.broker != "embedded":
        try:
            address = parse_address(telemetry.broker)
        except BrokerError as error:
            return [Finding("broker.address", fill={"reason": str(error)})]
        where = f"{address.scheme}://{address.hostname}:{port_of(address)}"
        login = unquote(address.username or ""), unquote(address.password or "")
        return [_signed_in(where, address, login)]
    try:
        program = find_nats_server()
    except BrokerError as error:
        return [Finding("broker.no_program", fill={"reason": str(error)})]
    if not hub_processes(subject, holders.processes()):
        return [Finding("broker.program", str(program))]
    return [_embedded(subject)]


def _embedded(subject: Subject) -> Finding:
    """Sign in as a vehicle, under a client name of our own: the hub's password is its own."""
    assert subject.config is not None
    state = state_of(subject)
    if not subject.config.vehicle:
        return Finding("broker.no_login", fill={"reason": "[[vehicle]]"})
    name = subject.config.vehicle[0].vehicle_id
    try:
        where = str(json.loads((state / ENDPOINTS_FILE).read_bytes())["mqtt"])
        address = parse_address(where)
    except (OSError, ValueError, KeyError, TypeError, BrokerError) as error:
        # The hub writes it when all of it is ready.
        return Finding("broker.unsaid", fill={"reason": f"{ENDPOINTS_FILE}: {error}"})
    try:
        known = Credentials.load(state / subject.config.hub.credentials).vehicles()
    except CredentialsError as error:
        return Finding("broker.no_login", fill={"reason": str(error)})
    if name not in known:
        return Finding("broker.no_login", fill={"reason": str(name)})
    return _signed_in(where, address, (str(name), known[name].token))


def _signed_in(where: str, address: SplitResult, login: tuple[str, str]) -> Finding:
    before_ns = clock.monotonic_ns()
    try:
        code = sign_in(address, login)
    except (OSError, ValueError) as error:
        return judge_broker(where, None, str(error) or type(error).__name__, 0.0)
    return judge_broker(where, code, "", (clock.monotonic_ns() - before_ns) / 1e6)


def sign_in(address: SplitResult, login: tuple[str, str]) -> int:
    """Connect, sign in, leave; return the broker's code (MQTT 3.1.1 §3.2.2.3).

    Raises:
        OSError: It cannot be reached, its certificate is not trusted, or it is silent.
        ValueError: What it said is no MQTT.
    """
    host = address.hostname or ""
    with socket.create_connection((host, port_of(address)), ANSWER_S) as plain:
        if address.scheme == "mqtts":
            with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as sealed:
                return _exchange(sealed, login)
        return _exchange(plain, login)


def _exchange(wire: socket.socket, login: tuple[str, str]) -> int:
    wire.settimeout(ANSWER_S)
    wire.sendall(connect_packet(f"enkan-doctor-{secrets.token_hex(4)}", *login))
    said = b""
    while len(said) < 4:
        more = wire.recv(4 - len(said))
        if not more:
            raise ValueError("the connection was closed without an answer")
        said += more
    if said[0] != _CONNACK or said[1] != 2:
        raise ValueError(f"no MQTT answer: {said.hex()}")
    if said[3] == 0:
        wire.sendall(b"\xe0\x00")  # DISCONNECT
    return said[3]


def connect_packet(client: str, user: str, password: str) -> bytes:
    """Return a CONNECT with a clean session and without a will (MQTT 3.1.1 §3.1)."""
    flags = 0x02 | (0x80 if user else 0) | (0x40 if user and password else 0)
    body = _text("MQTT") + struct.pack("!BBH", 4, flags, 10) + _text(client)
    if user:
        body += _text(user)
        if password:
            body += _text(password)
    length, rest = b"", len(body)
    while True:
        rest, low = rest >> 7, rest & 0x7F
        length += bytes([low | (0x80 if rest else 0)])
        if not rest:
            return b"\x10" + length + body


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data


def judge_broker(where: str, code: int | None, reason: str, took_ms: float) -> Finding:
    """Say what a broker's answer means.

    Args:
        where: Its address, without a login.
        code: It answered with; None if it did not.
        reason: Why not.
        took_ms: Until the answer.
    """
    if code is None:
        return Finding("broker.silent", where, fill={"reason": reason})
    if code == 0:
        return Finding("broker.answers", where, round(took_ms, 1), "ms")
    if code in _REFUSED_LOGIN:
        return Finding("broker.login", where, code)
    return Finding("broker.refuses", where, code)


# ------------------------------------------------------------------------ STUN


class Seen(NamedTuple):
    """A STUN server's answer: where it saw us, and how long it took, milliseconds."""

    address: str
    port: int
    took_ms: float


def check_stun(subject: Subject) -> list[Finding]:
    """Ask each named server for a binding."""
    if not subject.stun:
        return [Finding("stun.none")]
    announced = subject.config.media.announce if subject.config is not None else []
    findings = []
    for server in subject.stun:
        try:
            findings.append(judge_stun(server, ask(*_server(server)), announced))
        except (OSError, ValueError) as error:
            findings.append(Finding("stun.silent", server, fill={"reason": str(error)}))
    return findings


def _server(text: str) -> tuple[str, int]:
    """Take `host`, `host:port`, `[v6]:port`, also with `stun:` or `turn:` before it."""
    for scheme in ("stun:", "turn:"):
        text = text.removeprefix(scheme)
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = text, str(STUN_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65_536 or not host:
        raise ValueError("write host:port")
    return host.strip("[]"), int(port)


def ask(host: str, port: int) -> Seen:
    """Send a binding request and return the answer.

    Raises:
        OSError: The name is unknown, or nothing answered in time (`TimeoutError`).
        ValueError: What answered is no STUN success response.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    transaction = secrets.token_bytes(12)
    request = struct.pack("!HHI", _BINDING_REQUEST, 0, _COOKIE) + transaction
    with socket.socket(family, kind) as sock:
        sock.connect(address)
        for wait_s in STUN_WAITS_S:
            sent_ns = clock.monotonic_ns()
            sock.send(request)
            sock.settimeout(wait_s)
            try:
                answer = sock.recv(2_048)
            except TimeoutError:
                continue
            seen = parse_answer(answer, transaction)
            return Seen(*seen, (clock.monotonic_ns() - sent_ns) / 1e6)
    raise TimeoutError(f"no answer in {sum(STUN_WAITS_S):g} s")


def parse_answer(data: bytes, transaction: bytes) -> tuple[str, int]:
    """Return the address in a binding success response (RFC 8489 §5, §14.2).

    Raises:
        ValueError: It is none.
    """
    if len(data) < 20:
        raise ValueError("shorter than a STUN header")
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if kind != _BINDING_SUCCESS or cookie != _COOKIE or data[8:20] != transaction:
        raise ValueError("no success response to this request")
    at, end = 20, min(len(data), 20 + length)
    while at + 4 <= end:
        attribute, size = struct.unpack_from("!HH", data, at)
        value = data[at + 4 : at + 4 + size]
        if attribute == _XOR_MAPPED_ADDRESS and len(value) == size and size in (8, 20):
            mask = data[4:20]
            packed = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
            port = struct.unpack_from("!H", value, 2)[0] ^ (_COOKIE >> 16)
            return str(ipaddress.ip_address(packed)), port
        at += 4 + size + (-size) % 4
    raise ValueError("the response has no XOR-MAPPED-ADDRESS")


def judge_stun(server: str, seen: Seen, announced: list[str]) -> Finding:
    """Say what a STUN server's answer means for the addresses that are announced."""
    took_ms = round(seen.took_ms, 1)
    code = "stun.elsewhere" if announced and seen.address not in announced else "stun.answers"
    return Finding(code, server, took_ms, "ms", {"seen": seen.address})
