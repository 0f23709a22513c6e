"""One WebRTC peer that dials: ICE, DTLS, then SRTP packets in and out.

The peer is the controlling ICE agent (RFC 8445): it sends checks with USE-CANDIDATE to
the candidates of the answer until one is answered, and answers checks itself, so it
works against an ICE-lite server and against a full agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import Any, Final

from aioice import stun
from aiortc.rtcdtlstransport import RTCCertificate
from pylibsrtp import Error as SrtpError

from loadtests import sdp, wire
from loadtests.dtls import Dtls, DtlsError, Keys, Memory, fingerprint
from loadtests.udp import Batch, UdpSocket

CHECK_EVERY_S: Final = 0.1
CONNECT_WITHIN_S: Final = 15.0
CONSENT_EVERY_S: Final = 2.0
"""We check the path this often while connected (RFC 7675 asks for 4-6 s)."""

BATCHES_PER_TURN: Final = 32
"""Receive calls before other sockets get their turn."""

_PRIORITY: Final = 1845501695
_memory: Final = Memory()
"""What the sockets of this process receive into, one after the other."""


class PeerError(Exception):
    """A peer could not connect; the text says at which step."""


class Peer:
    """Base of publishers and watchers.

    Args:
        certificate: May be shared by the peers of a process.

    Attributes:
        profile: Name of the SRTP profile, once connected.
        broken: Datagrams that were neither STUN, DTLS nor valid SRTP.
        answered_ns: When the other side last answered a check (monotonic); 0 before.
    """

    def __init__(self, certificate: RTCCertificate) -> None:
        self.udp = UdpSocket(_memory.view)
        self.broken = 0
        self.answered_ns = 0
        self.profile = ""
        self._ufrag = secrets.token_hex(4)
        self._password = secrets.token_hex(12)
        self._fingerprint = fingerprint(certificate)
        self._dtls = Dtls(certificate, self._send_quietly)
        self._keys: Keys | None = None
        self._protect: Any = None
        self._unprotect: Any = None
        self._batch = Batch()
        self._answer: sdp.Answer | None = None
        self._target: tuple[str, int] | None = None
        self._validated = asyncio.Event()
        self._transactions: dict[bytes, None] = {}
        self._tie_breaker = secrets.randbits(64)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.udp.socket.fileno(), self._readable)

    @property
    def local(self) -> sdp.LocalPeer:
        """What the offer says about this peer."""
        return sdp.LocalPeer(self.udp.port, self._ufrag, self._password, self._fingerprint)

    async def connect(self, answer_text: str) -> None:
        """Reach the other side and agree on keys.

        Raises:
            PeerError: The answer is unusable, no check was answered, or no keys.
        """
        try:
            self._answer = answer = sdp.parse_answer(answer_text)
        except sdp.AnswerError as error:
            raise PeerError(str(error)) from error
        await self._check_until_answered(answer)
        try:
            keys = await self._dtls.handshake(
                client=answer.passive, fingerprints=answer.fingerprints
            )
        except DtlsError as error:
            raise PeerError(str(error)) from error
        self._keys = keys
        self._protect = keys.protector()
        self._unprotect = keys.unprotector()
        self.profile = keys.profile
        self.on_connected(answer)

    async def keep_consent(self) -> None:
        """Check the path regularly, until cancelled."""
        while True:
            self._send_check()
            await asyncio.sleep(CONSENT_EVERY_S)

    async def close(self) -> None:
        """Say goodbye and release the socket."""
        await self._dtls.close()
        self._loop.remove_reader(self.udp.socket.fileno())
        self.udp.close()

    # -------------------------------------------------------------- for subclasses

    def on_connected(self, answer: sdp.Answer) -> None:
        """Keys are there."""

    def on_rtp(self, packet: bytes, arrived_utc_ns: int) -> None:
        """An SRTP packet came, still protected."""

    def on_run(self, memory: Memory, total: int, size: int, arrived_utc_ns: int) -> int:
        """Take datagrams of `size` bytes that came together; return how many bytes of them.

        What is not taken goes through `on_rtp` and its like, one by one.
        """
        return 0

    def on_rtcp(self, packet: wire.Rtcp) -> None:
        """An RTCP packet came."""

    def send_rtcp(self, compound: bytes) -> None:
        """Protect and send an RTCP compound, if connected."""
        if self._keys is not None:
            self._send_quietly(self._keys.outbound.protect_rtcp(compound))

    # ------------------------------------------------------------------------- ICE

    async def _check_until_answered(self, answer: sdp.Answer) -> None:
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                while True:
                    for candidate in answer.candidates:
                        self._target = candidate
                        # Connected at once: the kernel then filters strangers.
                        self.udp.connect(candidate)
                        self._send_check()
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._validated.wait(), CHECK_EVERY_S)
                            return
        except TimeoutError as error:
            raise PeerError(f"no ICE answer within {CONNECT_WITHIN_S:.0f} s") from error

    def _send_check(self) -> None:
        answer = self._answer
        if answer is None:
            return
        check = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        check.attributes["USERNAME"] = f"{answer.ufrag}:{self._ufrag}"
        check.attributes["PRIORITY"] = _PRIORITY
        check.attributes["ICE-CONTROLLING"] = self._tie_breaker
        check.attributes["USE-CANDIDATE"] = None
        check.add_message_integrity(answer.password.encode())
        while len(self._transactions) >= 16:
            self._transactions.pop(next(iter(self._transactions)))
        self._transactions[check.transaction_id] = None
        self._send_quietly(bytes(check))

    def _on_stun(self, data: bytes) -> None:
        answer = self._answer
        try:
            message = stun.parse_message(data)
        except (ValueError, KeyError, IndexError):
            self.broken += 1
            return
        if message.message_class == stun.Class.REQUEST:
            if message.check_message_integrity(self._password.encode()) and self._target:
                reply = stun.Message(
                    stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id
                )
                reply.attributes["XOR-MAPPED-ADDRESS"] = self._target
                reply.add_message_integrity(self._password.encode())
                self._send_quietly(bytes(reply))
        elif message.message_class == stun.Class.RESPONSE and answer is not None:
            known = message.transaction_id in self._transactions
            if known and message.check_message_integrity(answer.password.encode()):
                del self._transactions[message.transaction_id]
                self.answered_ns = time.monotonic_ns()
                self._validated.set()

    # --------------------------------------------------------------------- socket

    def _send_quietly(self, datagram: bytes) -> None:
        """Send what is sent again when it is lost: STUN, DTLS, RTCP."""
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            self.udp.send(datagram)

    def _readable(self) -> None:
        batch = self._batch
        for _ in range(BATCHES_PER_TURN):
            try:
                view = self.udp.receive(batch)
            except ConnectionRefusedError:
                continue
            if view is None:
                return
            arrived_utc_ns = batch.arrived_utc_ns or time.time_ns()
            size = batch.size
            taken = 0
            if batch.total > size and self._keys is not None:
                taken = self.on_run(_memory, batch.total, size, arrived_utc_ns)
            for start in range(taken, batch.total, size):
                self._on_datagram(bytes(view[start : start + size]), arrived_utc_ns)

    def _on_datagram(self, data: bytes, arrived_utc_ns: int) -> None:
        first = data[0]
        if 128 <= first < 192:
            if self._keys is None:
                return  # media before our side has its keys is lost, as on any network
            if 192 <= data[1] <= 223:
                self._on_srtcp(data)
            else:
                self.on_rtp(data, arrived_utc_ns)
        elif first < 4:
            self._on_stun(data)
        elif 20 <= first < 64:
            self._dtls.feed(data)
        else:
            self.broken += 1

    def _on_srtcp(self, data: bytes) -> None:
        assert self._keys is not None
        try:
            compound = self._keys.inbound.unprotect_rtcp(data)
            for packet in wire.parse_rtcp(compound):
                self.on_rtcp(packet)
        except (SrtpError, wire.WireError):
            self.broken += 1
