"""Batches over real loopback sockets, and their fall-back."""

from __future__ import annotations

import errno
import socket

import pytest

from supervisor.counters import Counters
from supervisor.media.udp import BACKLOG, UdpPort, open_socket


@pytest.fixture
def pair():
    sockets = [open_socket("127.0.0.1", 0) for _ in range(2)]
    yield [UdpPort(sock, Counters()) for sock in sockets]
    for sock in sockets:
        sock.close()


def drain(port):
    datagrams = []
    while (run := port.receive()) is not None:
        length, segment, _ = run
        data = bytes(port.buffer.view[:length])
        datagrams += [data[start : start + segment] for start in range(0, length, segment)]
    return datagrams


def datagrams(count=20, size=1_000, last=300):
    whole = [bytes([index]) * size for index in range(count - 1)]
    return [*whole, bytes([255]) * last]


@pytest.mark.parametrize("gso", [True, False])
@pytest.mark.parametrize("gro", [True, False])
def test_a_run_arrives_as_the_datagrams_it_was_made_of(pair, gso, gro):
    sender, receiver = pair
    sender.gso = sender.gso and gso
    if not gro:
        receiver.sock.setsockopt(17, 104, 0)
    sent = datagrams()
    sender.send(b"".join(sent), 1_000, receiver.sock.getsockname())
    assert drain(receiver) == sent
    assert sender.packets_out == receiver.packets_in == 20
    assert sender.bytes_out == receiver.bytes_in == 19_300


def test_a_socket_says_when_its_buffer_fills_up(pair):
    sender, receiver = pair
    receiver.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    assert not receiver.crowded
    for _ in range(200):
        sender.send(bytes(1_000), 1_000, receiver.sock.getsockname())
    assert receiver.crowded
    drain(receiver)
    assert not receiver.crowded


def test_a_kernel_that_does_not_tell_is_never_crowded(pair, monkeypatch):
    _, receiver = pair
    monkeypatch.setattr("supervisor.media.udp._SO_MEMINFO", 4_711)
    assert not receiver.crowded


class Refusing:
    """A socket whose kernel says no, `times` times."""

    def __init__(self, sock, error, times=10**9):
        self._sock = sock
        self._error = error
        self._times = times

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def sendmsg(self, *arguments):
        self._refuse()
        return self._sock.sendmsg(*arguments)

    def _refuse(self):
        if self._times > 0:
            self._times -= 1
            raise OSError(self._error, "refused")


class Full(Refusing):
    """A socket that is full for a while."""

    def sendmsg(self, *arguments):
        self._full()
        return self._sock.sendmsg(*arguments)

    def sendto(self, *arguments):
        self._full()
        return self._sock.sendto(*arguments)

    def _full(self):
        if self._times > 0:
            raise BlockingIOError(errno.EAGAIN, "full")


@pytest.mark.parametrize(
    ("error", "keeps"),
    [(errno.EIO, False), (errno.EOPNOTSUPP, False), (errno.EINVAL, True), (errno.EMSGSIZE, True)],
)
def test_where_the_kernel_refuses_runs_datagrams_go_one_by_one(pair, error, keeps):
    sender, receiver = pair
    sender.gso = True
    sender.sock = Refusing(sender.sock, error)
    sent = datagrams()
    sender.send(b"".join(sent), 1_000, receiver.sock.getsockname())
    assert drain(receiver) == sent
    assert sender.gso is keeps


def test_an_unreachable_address_costs_only_its_own_packets(pair):
    sender, receiver = pair
    sender.gso = True
    sender.sock = Refusing(sender.sock, errno.EHOSTUNREACH)
    sender.send(bytes(3_000), 1_000, receiver.sock.getsockname())
    assert sender.counters.get("media_dropped", "send_ehostunreach") == 3
    assert not sender.waiting


def test_a_full_socket_keeps_a_bounded_backlog_in_order_and_counts_the_rest(pair):
    sender, receiver = pair
    sender.sock = full = Full(sender.sock, 0)
    address = receiver.sock.getsockname()
    for index in range(BACKLOG + 3):
        sender.send(index.to_bytes(2, "big"), 2, address)
    assert sender.waiting
    assert sender.counters.get("media_dropped", "socket_full") == 3
    sender.flush()
    assert sender.waiting
    full._times = 0
    sender.flush()
    assert not sender.waiting
    assert drain(receiver) == [index.to_bytes(2, "big") for index in range(BACKLOG)]


def test_nothing_to_read_is_none_and_an_empty_datagram_is_a_run_of_nothing(pair):
    sender, receiver = pair
    assert receiver.receive() is None
    sender.send(b"", 0, receiver.sock.getsockname())
    run = receiver.receive()
    assert run is not None
    assert run[0] == 0


def test_a_taken_port_leaves_no_socket_behind():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            open_socket("127.0.0.1", taken.getsockname()[1])
