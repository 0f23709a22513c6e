"""A minimal MQTT 3.1.1 client for vehicles by the hundred in one process.

Only what a vehicle of the contract needs (OASIS MQTT 3.1.1): CONNECT with a login and a
last will, PUBLISH at QoS 0 and 1, SUBSCRIBE, PINGREQ, and answers to what comes. One
object and one socket for each client, no thread, no queue: what the kernel does not
take at once waits in the transport, at most `MAX_WAITING` bytes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final, NamedTuple, cast

MAX_WAITING: Final = 262_144
"""Bytes a client may have waiting; a broker that takes no more is called gone."""

MAX_PACKET: Final = 1_048_576
ANSWER_WITHIN_S: Final = 20.0

CONNECT: Final = 1
CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
SUBSCRIBE: Final = 8
SUBACK: Final = 9
PINGREQ: Final = 12
PINGRESP: Final = 13
DISCONNECT: Final = 14

_REFUSALS: Final = {
    1: "it does not speak MQTT 3.1.1",
    2: "it does not like the client's name",
    3: "it is not available",
    4: "the login is wrong",
    5: "not authorised",
}


class MqttError(Exception):
    """The broker refused, broke the protocol, or went away."""


class Will(NamedTuple):
    """What the broker says when this client goes without a goodbye."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Packet(NamedTuple):
    """One control packet: its type, its four flags, what follows its length."""

    type: int
    flags: int
    body: bytes


def packet(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    """Return a whole packet (§2.2); the length has seven bits in each byte.

    >>> packet(PINGREQ), packet(PUBLISH, bytes(321))[:3]
    (b'\\xc0\\x00', b'0\\xc1\\x02')
    """
    head = bytearray((kind << 4 | flags,))
    left = len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        head.append(digit | 0x80 if left else digit)
        if not left:
            return bytes(head) + body


def text(value: str | bytes) -> bytes:
    """Return a string or bytes with two bytes of length before them (§1.5.3)."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def connect_packet(name: str, user: str, password: str, keepalive_s: int, will: Will) -> bytes:
    """Return a CONNECT with a clean session (§3.1)."""
    flags = 0x80 | 0x40 | 0x04 | 0x02 | will.qos << 3 | will.retain << 5
    return packet(
        CONNECT,
        text("MQTT")
        + struct.pack("!BBH", 4, flags, keepalive_s)
        + text(name)
        + text(will.topic)
        + text(will.payload)
        + text(user)
        + text(password),
    )


class Packets:
    """Cuts what arrives into packets."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[Packet]:
        """Take some bytes; return the packets that are complete now.

        Raises:
            MqttError: A length that cannot be.
        """
        self._data += data
        found, at = [], 0
        while (whole := self._one(at)) is not None:
            one, at = whole
            found.append(one)
        del self._data[:at]
        return found

    def _one(self, start: int) -> tuple[Packet, int] | None:
        data, length, shift, at = self._data, 0, 0, start + 1
        while True:
            if at >= len(data):
                return None
            length |= (data[at] & 0x7F) << shift
            at += 1
            if not data[at - 1] & 0x80:
                break
            shift += 7
            if shift > 21:
                raise MqttError("a packet length of more than four bytes")
        if length > MAX_PACKET:
            raise MqttError(f"a packet of {length} bytes")
        if at + length > len(data):
            return None
        first = data[start]
        return Packet(first >> 4, first & 0x0F, bytes(data[at : at + length])), at + length


class MqttClient(asyncio.Protocol):
    """One connection.

    Args:
        on_message: Called with topic and payload of each message.

    Attributes:
        ended: Why the connection is gone; empty while it stands.
    """

    def __init__(self, on_message: Callable[[str, bytes], None]) -> None:
        self.ended = ""
        self._on_message = on_message
        self._transport: asyncio.Transport | None = None
        self._packets = Packets()
        self._answers: dict[tuple[int, int], asyncio.Future[bytes]] = {}
        self._number = 0

    async def connect(
        self,
        host: str,
        port: int,
        *,
        name: str,
        user: str,
        password: str,
        keepalive_s: int,
        will: Will,
    ) -> None:
        """Open the connection and sign in.

        Raises:
            MqttError: The broker is not there or refuses.
        """
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, host, port)
        except OSError as error:
            raise MqttError(f"the broker is not there: {error.strerror or error}") from error
        assert self._transport is not None
        said = self._transport.get_extra_info("socket")
        said.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = connect_packet(name, user, password, keepalive_s, will)
        answer = await self._ask(data, (CONNACK, 0))
        if answer[1]:
            raise MqttError(f"the broker refuses: {_REFUSALS.get(answer[1], answer[1])}")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send at QoS 0.

        Raises:
            MqttError: The connection is gone, or the broker takes nothing.
        """
        self._send(packet(PUBLISH, text(topic) + payload, int(retain)))

    async def publish_acknowledged(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Send at QoS 1 and wait for the broker's acknowledgement.

        Raises:
            MqttError: There was none.
        """
        number = self._next()
        body = text(topic) + struct.pack("!H", number) + payload
        await self._ask(packet(PUBLISH, body, 0x02 | retain), (PUBACK, number))

    async def subscribe(self, topic: str, qos: int) -> None:
        """Subscribe to one topic.

        Raises:
            MqttError: The broker refuses it.
        """
        number = self._next()
        body = struct.pack("!H", number) + text(topic) + bytes((qos,))
        answer = await self._ask(packet(SUBSCRIBE, body, 0x02), (SUBACK, number))
        if answer[2] >= 0x80:
            raise MqttError(f"the broker refuses the subscription to {topic}")

    def close(self) -> None:
        """Say goodbye and end."""
        if self._transport is not None and not self.ended:
            self._transport.write(packet(DISCONNECT))
            self.ended = "closed"
            self._transport.close()

    # ------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is its own class

    def data_received(self, data: bytes) -> None:
        """Take what arrives."""
        try:
            for one in self._packets.feed(data):
                self._take(one)
        except (MqttError, struct.error, IndexError, UnicodeDecodeError) as error:
            self._end(f"the broker broke the protocol: {error}")
            assert self._transport is not None
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self._end("the broker closed the connection" if exc is None else str(exc))

    # ------------------------------------------------------------------------ inside

    def _take(self, one: Packet) -> None:
        match one.type:
            case 3:  # PUBLISH
                (length,) = struct.unpack_from("!H", one.body)
                topic, at = one.body[2 : 2 + length].decode(), 2 + length
                if one.flags & 0x06:
                    self._send(packet(PUBACK, one.body[at : at + 2]))
                    at += 2
                self._on_message(topic, one.body[at:])
            case 2:  # CONNACK
                self._answered((CONNACK, 0), one.body)
            case 4 | 9:  # PUBACK, SUBACK
                self._answered((one.type, struct.unpack_from("!H", one.body)[0]), one.body)
            case 13:  # PINGRESP
                pass
            case other:
                raise MqttError(f"a packet of type {other}")

    def _answered(self, place: tuple[int, int], body: bytes) -> None:
        waiting = self._answers.pop(place, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(body)

    async def _ask(self, data: bytes, place: tuple[int, int]) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[place] = answer
        try:
            self._send(data)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await answer
        except TimeoutError as error:
            raise MqttError(f"no answer within {ANSWER_WITHIN_S:.0f} s") from error
        finally:
            self._answers.pop(place, None)

    def _send(self, data: bytes) -> None:
        if self.ended or self._transport is None:
            raise MqttError(self.ended or "not connected")
        if self._transport.get_write_buffer_size() > MAX_WAITING:
            self._end("the broker takes nothing any more")
            self._transport.abort()
            raise MqttError(self.ended)
        self._transport.write(data)

    def _next(self) -> int:
        self._number = self._number % 65_535 + 1
        return self._number

    def _end(self, why: str) -> None:
        self.ended = self.ended or why
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(MqttError(self.ended))
