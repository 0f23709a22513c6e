"""The path below one media session: asks for signs of life, and moves to another address.

The other place that touches private parts, those of aioice (a contract test holds
them). Stock ICE consent (RFC 7675) needs half a minute to notice a dead path and never
takes another one. Here the session keeps its keys and the path changes below it: a
check from a new socket, answered by the other end, makes that socket the path (RFC
8445 §7.3.1.3 calls what the hub sees a peer-reflexive candidate). No handshake, no
HTTP; the old socket is closed only then.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

from aioice import Candidate, Connection, stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, StunProtocol

from vehicle_stub import clock

COMPONENT: Final = 1
ANSWER_WITHIN_NS: Final = 3_000_000_000
"""An answer later than this belongs to no check any more."""

SESSION_ENDED: Final = 400
"""What the hub answers to checks of a session it no longer has."""

MAX_TRIED: Final = 3
"""New sockets tried at a time."""

RECEIVE_BUFFER: Final = 1 << 20


class _Check:
    """One request on its way; aioice hands the answer to `response_received`."""

    def __init__(self, path: IcePath, pair: CandidatePair, sent_ns: int) -> None:
        self.pair = pair
        self.sent_ns = sent_ns
        self._path = path

    def response_received(self, message: stun.Message, addr: tuple[str, int]) -> None:
        """Called by aioice for the transaction's id; the sender is not checked yet."""
        if message.message_class == stun.Class.RESPONSE:
            self._path.on_response(self.pair, message, self.sent_ns)
        else:
            self._path.on_refusal(message)


class IcePath:
    """Of one connected session.

    Args:
        connection: aioice's, connected.
        answered: Called with the vehicle's monotonic time at each answer.
        refused: The same, when the other end says that the session has ended.

    Attributes:
        moves: How often another socket became the path.
        round_trip_ns: Of the checks, smoothed; None before the first answer on this path.
    """

    def __init__(
        self,
        connection: Connection,
        answered: Callable[[int], None],
        refused: Callable[[int], None],
    ) -> None:
        self.moves = 0
        self.round_trip_ns: int | None = None
        self._connection = connection
        self._answered = answered
        self._refused = refused
        self._tried: list[CandidatePair] = []
        self._checks: dict[bytes, _Check] = {}
        self._remote: tuple[str, int] | None = None
        self._source: str | None = None
        self.own_address_changed()

    def own_address_changed(self) -> bool:
        """Tell whether the system would send from another address than at the last call."""
        pair = self._pair
        if pair is None:
            return False
        now = source_address(pair.remote_addr)
        before, self._source = self._source, now or self._source
        if pair.remote_addr != self._remote:
            self._remote = pair.remote_addr
            return False
        return now is not None and now != before

    def check(self) -> None:
        """Ask for a sign of life on the path, and on every socket being tried."""
        now_ns = clock.monotonic_ns()
        self._forget_old_checks(now_ns)
        pair = self._pair
        if pair is None:
            return
        self._send(pair, nominate=False, now_ns=now_ns)
        for tried in self._tried:
            self._send(tried, nominate=True, now_ns=now_ns)

    async def try_others(self) -> None:
        """Open new sockets on the addresses the system would use now, and check from them."""
        self.give_up_others()
        pair = self._pair
        if pair is None:
            return
        hosts: set[str] = set()
        for remote in [pair.remote_candidate, *self._connection.remote_candidates]:
            target = CandidatePair(pair.protocol, remote).remote_addr
            host = source_address(target)
            if host is None or host in hosts or len(hosts) >= MAX_TRIED:
                continue
            hosts.add(host)
            protocol = await self._open(host)
            if protocol is not None:
                self._tried.append(CandidatePair(protocol, remote))

    def give_up_others(self) -> None:
        """Close the sockets that were tried."""
        for pair in self._tried:
            self._drop(pair.protocol)
        self._tried.clear()

    def on_response(self, pair: CandidatePair, message: stun.Message, sent_ns: int) -> None:
        """An answer to one of our checks; only a genuine one counts."""
        password = self._connection.remote_password
        current = self._pair
        if password is None or current is None:
            return
        if not message.check_message_integrity(password.encode()):
            return
        if pair is not current:
            if pair not in self._tried:
                return
            self._tried.remove(pair)
            pair.nominated = True
            pair.state = CandidatePair.State.SUCCEEDED
            self._connection._nominated[COMPONENT] = pair
            self._drop(current.protocol)
            self.moves += 1
            self.round_trip_ns = None
        self.give_up_others()
        now_ns = clock.monotonic_ns()
        known, took_ns = self.round_trip_ns, now_ns - sent_ns
        self.round_trip_ns = took_ns if known is None else (3 * known + took_ns) >> 2
        self._answered(now_ns)

    def on_refusal(self, message: stun.Message) -> None:
        """An error response to one of our checks; only a genuine one counts."""
        password = self._connection.remote_password
        if password is None or not message.check_message_integrity(password.encode()):
            return
        if message.error_code == SESSION_ENDED:
            self._refused(clock.monotonic_ns())

    # ---------------------------------------------------------------------- inside

    @property
    def _pair(self) -> CandidatePair | None:
        return self._connection._nominated.get(COMPONENT)

    def _send(self, pair: CandidatePair, *, nominate: bool, now_ns: int) -> None:
        connection = self._connection
        password = connection.remote_password
        if password is None or pair.protocol.transport.is_closing():
            return
        request = connection.build_request(pair, nominate=nominate)
        request.add_message_integrity(password.encode())
        check = _Check(self, pair, now_ns)
        self._checks[request.transaction_id] = check
        transactions: dict[bytes, Any] = pair.protocol.transactions
        transactions[request.transaction_id] = check
        pair.protocol.send_stun(request, pair.remote_addr)

    def _forget_old_checks(self, now_ns: int) -> None:
        for transaction, check in list(self._checks.items()):
            if now_ns - check.sent_ns < ANSWER_WITHIN_NS:
                break
            del self._checks[transaction]
            check.pair.protocol.transactions.pop(transaction, None)

    async def _open(self, host: str) -> StunProtocol | None:
        """Return a socket of this session on `host`; None if the address is gone again."""
        connection = self._connection
        loop = asyncio.get_running_loop()
        try:
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: StunProtocol(connection), local_addr=(host, 0)
            )
        except OSError:
            return None
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=COMPONENT,
            transport="udp",
            priority=candidate_priority(COMPONENT, "host"),
            host=host,
            port=transport.get_extra_info("sockname")[1],
            type="host",
        )
        if connection._closing:
            transport.close()
            return None
        connection._protocols.append(protocol)
        return protocol

    def _drop(self, protocol: StunProtocol) -> None:
        if protocol in self._connection._protocols:
            self._connection._protocols.remove(protocol)
        protocol.transport.close()


def source_address(remote: tuple[str, int]) -> str | None:
    """Return the local address the system would send from to `remote`; None: no route.

    Connecting a UDP socket sends nothing; it only asks the routing table.
    """
    family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(remote)
            return str(probe.getsockname()[0])
    except OSError:  # no route, or no such family on this machine
        return None
