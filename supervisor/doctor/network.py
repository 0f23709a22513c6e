"""Ports, UDP as the media workers use it, and the addresses they offer."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import ifaddr
import msgspec

from supervisor.app import AUDIT_FILE
from supervisor.config import HubConfig
from supervisor.counters import Counters
from supervisor.doctor import holders
from supervisor.doctor.finding import Finding, Subject
from supervisor.media.pool import spare_cores
from supervisor.media.udp import SOCKET_BUFFER, UdpPort, open_socket

ANSWER_S: Final = 0.5
"""How long a datagram to this machine itself may take; it takes microseconds."""
TRIES: Final = 3
DATAGRAM: Final = 1_200
"""Bytes; what fits every path (RFC 8085 §3.2, RFC 9000 §14.1)."""
SEGMENTS: Final = 3
WILDCARDS: Final = ("0.0.0.0", "::")


class Port(msgspec.Struct, frozen=True):
    """A port that the hub is to listen on.

    Attributes:
        key: The setting that says it.
        protocol: "tcp" or "udp".
        fallback: Another is taken if it is not free.
    """

    key: str
    protocol: str
    address: str
    number: int
    fallback: bool = False


def configured_ports(config: HubConfig) -> list[Port]:
    """Return every port of a configuration; number 0 stands for any free one."""
    console, metrics, media, telemetry = (
        config.console,
        config.metrics,
        config.media,
        config.telemetry,
    )
    ports = [
        Port("console.port", "tcp", console.listen, console.port, console.fallback_ports),
        Port("metrics.port", "tcp", metrics.listen, metrics.port, metrics.fallback_ports),
    ]
    if telemetry.broker == "embedded":
        ports.append(Port("telemetry.mqtt_port", "tcp", telemetry.listen, telemetry.mqtt_port))
    workers = (media.workers or spare_cores()) if media.udp_port else 1
    ports += [
        Port("media.udp_port", "udp", media.listen, media.udp_port and media.udp_port + index)
        for index in range(workers)
    ]
    return ports


def hub_processes(subject: Subject, known: dict[int, holders.Process]) -> set[int]:
    """Return the processes of the hub that runs with this configuration's state folder."""
    if subject.config is None:
        return set()
    state = subject.config.state_dir(Path(subject.config_file).absolute())
    lock = state / f"{AUDIT_FILE}.lock"
    return holders.with_children(holders.having_open(lock, known), known)


def check_ports(subject: Subject) -> list[Finding]:
    """Try each configured port by binding it; name who has it if it is taken."""
    assert subject.config is not None
    known = holders.processes()
    ours = hub_processes(subject, known)
    return [_port(port, known, ours) for port in configured_ports(subject.config)]


def _port(port: Port, known: dict[int, holders.Process], ours: set[int]) -> Finding:
    refused = try_port(port)
    having = []
    if refused is not None and refused.errno == errno.EADDRINUSE:
        inodes = holders.socket_inodes(port.protocol, port.number)
        having = [one for one in known.values() if one.sockets & inodes]
    return judge_port(port, refused, having, ours)


def try_port(port: Port) -> OSError | None:
    """Bind a port as the hub does, and give it back; return why that was refused."""
    host = "127.0.0.1" if port.address == "localhost" else port.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    try:
        with socket.socket(family, kind) as probe:
            if port.protocol == "tcp":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port.number))
            if port.protocol == "tcp":
                probe.listen(1)
    except OSError as error:
        return error
    except OverflowError:
        return OSError(errno.EINVAL, "there is no such port")
    return None


def judge_port(
    port: Port, refused: OSError | None, having: Iterable[holders.Process], ours: set[int]
) -> Finding:
    """Say what it means that a port could, or could not, be bound.

    Args:
        port: Which.
        refused: None: it is free.
        having: Processes that hold it, as far as they can be seen.
        ours: Processes of the hub of this configuration.
    """
    where = f"{port.key} {port.address}:{port.number}/{port.protocol}"
    if refused is None:
        return Finding("ports.free" if port.number else "ports.any", where)
    fill = {"reason": refused.strerror or str(refused)}
    if refused.errno != errno.EADDRINUSE:
        return Finding("ports.refused", where, fill=fill)
    seen = list(having)
    if any(one.pid in ours for one in seen):
        return Finding("ports.ours", where)
    if port.fallback:
        return Finding("ports.fallback", where)
    if seen:
        who = ", ".join(f"{one.name} ({one.pid})" for one in seen)
        return Finding("ports.taken", where, fill={"who": who})
    if ours:
        return Finding("ports.unseen", where)
    return Finding("ports.taken_unseen", where)


def own_addresses() -> list[str]:
    """Return this machine's addresses but loopback and link-local ones."""
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text)
            if not address.is_loopback and not address.is_link_local:
                found.append(str(address))
    return found


def check_udp(subject: Subject) -> list[Finding]:
    """Send datagrams to the media port over loopback and over each own address."""
    assert subject.config is not None
    media = subject.config.media
    wildcard = media.listen in WILDCARDS
    wanted = own_addresses()
    loopback = "::1" if ":" in media.listen else "127.0.0.1"
    findings = []
    for address in dict.fromkeys([loopback, *([] if wildcard else [media.listen]), *wanted]):
        used = wildcard or address == media.listen
        findings.append(
            judge_echo(address, echo(address, media.udp_port if used else 0), used=used)
        )
    return findings


def echo(address: str, port: int) -> tuple[int, OSError | None]:
    """Send a datagram to `address` from itself, up to `TRIES` times.

    Args:
        address: Of this machine.
        port: To bind; any other if it is taken.

    Returns:
        The port it arrived at, 0 if it did not, and why it could not even be sent.
    """
    try:
        try:
            receiver = open_socket(address, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            receiver = open_socket(address, 0)
        with receiver, open_socket(address, 0) as sender:
            receiver.settimeout(ANSWER_S)
            bound: int = receiver.getsockname()[1]
            for _ in range(TRIES):
                sent = secrets.token_bytes(16).ljust(DATAGRAM, b"\0")
                sender.sendto(sent, (address, bound))
                try:
                    if receiver.recv(2 * DATAGRAM) == sent:
                        return bound, None
                except TimeoutError:
                    continue
    except (OSError, OverflowError) as error:
        return 0, error if isinstance(error, OSError) else OSError(str(error))
    return 0, None


def judge_echo(address: str, came: tuple[int, OSError | None], *, used: bool) -> Finding:
    """Say what it means that a datagram arrived, or did not.

    Args:
        address: It was sent to.
        came: As `echo` returns it.
        used: The hub's media uses this address.
    """
    port, error = came
    if port:
        return Finding("udp.arrived", address, port, "")
    reason = (error.strerror or str(error)) if error else f"{TRIES} × {ANSWER_S} s"
    return Finding("udp.lost" if used else "udp.lost_elsewhere", address, fill={"reason": reason})


def check_batches(subject: Subject) -> list[Finding]:
    """Move a run of datagrams in one call each way, as the media workers do."""
    with open_socket("127.0.0.1", 0) as one, open_socket("127.0.0.1", 0) as other:
        return _batches(UdpPort(one, Counters()), UdpPort(other, Counters()))


def _batches(sending: UdpPort, receiving: UdpPort) -> list[Finding]:
    taken_by_kernel = sending.gso, receiving.gro
    run = secrets.token_bytes(SEGMENTS * DATAGRAM)
    receiving.sock.settimeout(ANSWER_S)
    sending.send(run, DATAGRAM, receiving.sock.getsockname())
    got, batched = 0, False
    while got < len(run):
        came = receiving.receive()
        if came is None:  # nothing within ANSWER_S
            break
        got += came[0]
        batched = batched or came[0] > came[1]
    # The kernel may take the option and refuse the first run: then `gso` is off by now.
    return judge_batches(
        gso=taken_by_kernel[0] and sending.gso,
        gro=taken_by_kernel[1],
        batched=batched,
        arrived=got == len(run),
    )


def judge_batches(*, gso: bool, gro: bool, batched: bool, arrived: bool) -> list[Finding]:
    """Say what the kernel does in batches.

    Args:
        gso, gro: It took the option, and the run that was sent with it.
        batched: Several datagrams came by one call.
        arrived: All bytes came.
    """
    findings = [Finding("batches.sent" if gso else "batches.no_send", value="GSO" if gso else None)]
    if not arrived:
        findings.append(Finding("batches.not_arrived"))
    elif gro and batched:
        findings.append(Finding("batches.received", value="GRO"))
    elif gro:
        findings.append(Finding("batches.unseen"))
    else:
        findings.append(Finding("batches.no_receive"))
    return findings


def check_buffers(subject: Subject) -> list[Finding]:
    """Ask the kernel for a media worker's buffers and look at what it grants."""
    with open_socket("127.0.0.1", 0) as sock:
        UdpPort(sock, Counters())
        # The kernel tells twice what it granted (socket(7)).
        granted = {
            "rmem_max": sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2,
            "wmem_max": sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2,
        }
    return [judge_buffer(name, size) for name, size in granted.items()]


def judge_buffer(name: str, granted: int) -> Finding:
    """Compare what was granted with what a worker asks for, bytes."""
    code = "buffers.granted" if granted >= SOCKET_BUFFER else "buffers.small"
    fill = {"asked": str(SOCKET_BUFFER >> 10), "bytes": str(SOCKET_BUFFER)}
    return Finding(code, f"net.core.{name}", granted >> 10, "KiB", fill)


def check_candidates(subject: Subject) -> list[Finding]:
    """Say which addresses vehicles and browsers would be told."""
    assert subject.config is not None
    media = subject.config.media
    return judge_candidates(
        media.listen, media.announce, own_addresses(), demo=subject.config.hub.demo
    )


def judge_candidates(
    listen: str, announce: list[str], own: list[str], *, demo: bool
) -> list[Finding]:
    """Say whether anyone can reach the addresses that are offered.

    Args:
        listen: Of the media ports.
        announce: Addresses to tell instead.
        own: This machine's addresses.
        demo: Everything is on loopback on purpose.
    """
    offered = announce or [listen]
    if not announce and listen in WILDCARDS:
        return [Finding("candidates.none", listen)]
    findings = []
    reachable = False
    for text in offered:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            findings.append(Finding("candidates.no_address", text))
            continue
        if address.is_loopback:
            continue
        reachable = True
        mine = str(address) in own
        findings.append(Finding("candidates.offered" if mine else "candidates.foreign", text))
    if not reachable and not findings:
        code = "candidates.demo" if demo else "candidates.loopback"
        findings.append(Finding(code, ", ".join(offered)))
    return findings
