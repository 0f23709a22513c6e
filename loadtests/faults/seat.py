"""An operator's place: `python -m loadtests.faults.seat`, in its own namespace.

The first line of standard input says where the hub is (`Place`). Then the seat signs
in, opens the console's socket, reads the vehicle's telemetry at the broker, watches
its first camera and says on standard output what it sees (`said`). Ends with its
standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
import time
from typing import Any, Final
from urllib.parse import urlsplit

import aiomqtt
import httpx
import msgspec
import uvloop
from aiortc.rtcdtlstransport import RTCCertificate
from pylibsrtp import Error as SrtpError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from loadtests import sdp, wire
from loadtests.dtls import new_certificate
from loadtests.faults import said
from loadtests.faults.receiver import Packet, Receiver
from loadtests.faults.screen import Screen
from loadtests.peer import Peer, PeerError
from protocols import operator, vehicle
from protocols.topics import Stream, VehicleId, topic_for

TURN_S: Final = 0.005
COUNTS_EVERY_S: Final = 0.1
REPORT_EVERY_S: Final = 1.0
RETRY_S: Final = 0.3
CONSENT_LOST_NS: Final = 6_000_000_000
"""Three checks of the path unanswered: dial again."""

_snapshots = msgspec.json.Decoder(operator.ToConsole)
_telemetry = msgspec.json.Decoder(vehicle.Telemetry)
_result = msgspec.json.Decoder(vehicle.CommandResult)


class Place(msgspec.Struct, frozen=True):
    """Where the hub is and who sits here."""

    console: str
    mqtt: str
    vehicle: str
    token: str
    account: str
    password: str


def say(message: said.Said) -> None:
    """Write one line."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def trouble(text: str) -> None:
    """Say that something did not work."""
    say(said.Trouble(time.monotonic_ns(), text))


class Monitor(Peer):
    """Receives one camera, repairs what it can, shows it."""

    def __init__(self, certificate: RTCCertificate) -> None:
        super().__init__(certificate)
        self.octets = self.again = self.again_octets = self.asked = self.keyframes_asked = 0
        self.receiver = Receiver()
        self._screen = Screen()
        self._payload_type = sdp.PAYLOAD_TYPE
        self._ssrc = secrets.randbelow(0xFFFF_FFFE) + 1
        self._media_ssrc = 0
        self._highest = 0
        self._sr_middle = 0
        self._sr_ns = 0

    def on_connected(self, answer: sdp.Answer) -> None:
        """Learn what the answer accepted."""
        self._payload_type = answer.payload_type

    def on_rtp(self, packet: bytes, arrived_utc_ns: int) -> None:
        """Take one packet."""
        try:
            plain = self._unprotect(packet)
        except SrtpError:
            return  # a copy, or damaged: SRTP's own replay window refuses it
        found = _payload(plain)
        kind = plain[1] & 0x7F
        sequence = plain[2] << 8 | plain[3]
        if kind == sdp.RTX_PAYLOAD_TYPE:
            if len(found) < 2:
                return
            sequence, found = found[0] << 8 | found[1], found[2:]
            self.again += 1
            self.again_octets += len(found)
        elif kind != self._payload_type:
            return
        else:
            self._media_ssrc = int.from_bytes(plain[8:12], "big")
            self._highest += max(0, ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000)
        self.octets += len(found)
        rtp_ts = int.from_bytes(plain[4:8], "big")
        self.receiver.insert(
            sequence, Packet(rtp_ts, bool(plain[1] & 0x80), found), time.monotonic_ns()
        )

    def on_rtcp(self, packet: wire.Rtcp) -> None:
        """Remember the newest sender report."""
        if packet.packet_type == wire.SR and len(packet.body) >= 12:
            self._sr_middle = int.from_bytes(packet.body[6:10], "big")
            self._sr_ns = time.monotonic_ns()

    def turn(self) -> None:
        """Show what is whole, ask for what is missing."""
        now_ns = time.monotonic_ns()
        receiver = self.receiver
        for picture in receiver.take(now_ns):
            for reading in self._screen.show(picture.data):
                self._say_shown(reading, picture)
        if not self._media_ssrc:
            return
        missing = receiver.missing(now_ns)
        if missing:
            self.asked += len(missing)
            self.send_rtcp(wire.negative_acknowledgements(self._ssrc, self._media_ssrc, missing))
        if receiver.wants_keyframe(now_ns):
            self.keyframes_asked += 1
            self.send_rtcp(wire.picture_loss_indication(self._ssrc, self._media_ssrc))

    def report(self) -> None:
        """Send a receiver report."""
        if not self._media_ssrc:
            return
        delay = 0
        if self._sr_middle:
            delay = min((time.monotonic_ns() - self._sr_ns) * 65_536 // 10**9, 0xFFFF_FFFF)
        self.send_rtcp(
            wire.receiver_report(
                *(self._ssrc, self._media_ssrc, self.receiver.lost),
                *(self._highest, self._sr_middle, delay),
            )
        )

    def _say_shown(self, reading: Any, picture: Any) -> None:
        utc_ms = time.time_ns() / 1e6
        captured_ms = reading.captured_ms if reading is not None else 0
        say(
            said.Shown(
                at_ns=time.monotonic_ns(),
                frame=reading.frame_number if reading is not None else None,
                captured_ms=captured_ms,
                age_ms=round((utc_ms - captured_ms) % 2**40, 1) if reading is not None else 0.0,
                rtp_ts=picture.rtp_ts,
                keyframe=picture.keyframe,
                lost=picture.lost,
                skipped=picture.skipped,
            )
        )


def _payload(plain: bytes) -> bytes:
    """Return an RTP packet's payload (RFC 3550 §5.1, RFC 8285), b"" if it is malformed."""
    start = 12 + 4 * (plain[0] & 15)
    if plain[0] & wire.EXTENSION_BIT:
        start += 4 + 4 * int.from_bytes(plain[start + 2 : start + 4], "big")
    end = len(plain)
    if plain[0] & wire.PADDING_BIT and end:
        end -= plain[-1]
    return plain[start:end]


class Seat:
    """Everything one operator has in front of him."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._http = httpx.AsyncClient(
            base_url=place.console, headers={"Origin": place.console}, timeout=10.0, trust_env=False
        )
        self._certificate = new_certificate()
        self._socket: ClientConnection | None = None

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Sit here until standard input ends."""
        reply = await self._http.post(
            "/api/session", json={"name": self._place.account, "password": self._place.password}
        )
        reply.raise_for_status()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._watch(), name="watch"),
                group.create_task(self._console(), name="console"),
                group.create_task(self._broker(), name="broker"),
            ]
            while line := await reader.readline():
                await self._stop(said.asked.decode(line).command_id)
            for task in tasks:
                task.cancel()
        await self._http.aclose()

    # ------------------------------------------------------------------------- media

    async def _watch(self) -> None:
        while True:
            monitor = Monitor(self._certificate)
            try:
                await self._dial(monitor)
                say(said.Connected(time.monotonic_ns()))
                await self._look(monitor)
                trouble("the hub does not answer our checks; dialling again")
            except (PeerError, httpx.HTTPError, _RefusedError) as error:
                trouble(f"watching: {type(error).__name__}: {error}")
            finally:
                await monitor.close()
            await asyncio.sleep(RETRY_S)

    async def _dial(self, monitor: Monitor) -> None:
        reply = await self._http.post(
            f"/whep/{self._place.vehicle}",
            content=sdp.watch_offer(monitor.local),
            headers={"Content-Type": "application/sdp"},
        )
        if reply.status_code != 201:
            raise _RefusedError(f"{reply.status_code} {reply.text[:100]}")
        await monitor.connect(reply.text)

    async def _look(self, monitor: Monitor) -> None:
        """Return when the hub is gone."""
        async with asyncio.TaskGroup() as group:
            consent = group.create_task(monitor.keep_consent(), name="consent")
            loop = asyncio.get_running_loop()
            counts_due = report_due = loop.time()
            while time.monotonic_ns() - monitor.answered_ns < CONSENT_LOST_NS:
                monitor.turn()
                if loop.time() >= counts_due:
                    counts_due = loop.time() + COUNTS_EVERY_S
                    _say_counts(monitor)
                if loop.time() >= report_due:
                    report_due = loop.time() + REPORT_EVERY_S
                    monitor.report()
                await asyncio.sleep(TURN_S)
            consent.cancel()

    # ----------------------------------------------------------------------- console

    async def _console(self) -> None:
        cookie = "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())
        url = "ws" + self._place.console.removeprefix("http") + "/ws"
        while True:
            try:
                async with connect(
                    url,
                    origin=Origin(self._place.console),
                    additional_headers={"Cookie": cookie},
                    proxy=None,
                ) as self._socket:
                    async for message in self._socket:
                        self._on_console(_snapshots.decode(message))
            except (OSError, ConnectionClosed, InvalidStatus) as error:
                trouble(f"console: {type(error).__name__}: {error}")
            finally:
                self._socket = None
            await asyncio.sleep(RETRY_S)

    def _on_console(self, message: operator.ToConsole) -> None:
        if not isinstance(message, operator.Snapshot | operator.Delta):
            return
        at_ns = time.monotonic_ns()
        for view in message.vehicles:
            if view.id == self._place.vehicle:
                camera = next((s for s in view.streams if s.kind == "video"), None)
                say(
                    said.Vehicle(
                        at_ns=at_ns,
                        link=view.link.value,
                        media=view.media,
                        live=camera is not None and camera.live,
                        gaps=view.telemetry_gaps,
                        speed_mps=view.pose.speed_mps if view.pose is not None else None,
                        clock_uncertainty_ms=(
                            view.clock_uncertainty_ns / 1e6
                            if view.clock_uncertainty_ns is not None
                            else None
                        ),
                        loss=camera.loss if camera is not None else None,
                        kbps=camera.kbps if camera is not None else None,
                    )
                )
        for alarm in message.alarms:
            say(said.Alarm(at_ns, alarm.id, alarm.key, alarm.state.value, alarm.raised_ns))
        for command in message.commands:
            say(said.Command(at_ns, command.id, command.type, command.state.value))

    async def _stop(self, command_id: str) -> None:
        if self._socket is None:
            trouble("no console socket to stop by")
            return
        await self._socket.send(
            msgspec.json.encode(operator.AskStop(command_id, self._place.vehicle)).decode()
        )

    # --------------------------------------------------------------------- telemetry

    async def _broker(self) -> None:
        """Read telemetry and results at the broker, with the vehicle's own credentials."""
        where = urlsplit(self._place.mqtt)
        vehicle_id = VehicleId.parse(self._place.vehicle)
        telemetry = topic_for(vehicle_id, Stream.TELEMETRY)
        results = topic_for(vehicle_id, Stream.CMD_RESULT)
        while True:
            try:
                async with aiomqtt.Client(
                    where.hostname or "",
                    where.port or 1883,
                    username=self._place.vehicle,
                    password=self._place.token,
                    identifier=f"seat-{secrets.token_hex(4)}",
                ) as client:
                    await client.subscribe([(telemetry, 0), (results, 1)])
                    async for message in client.messages:
                        self._on_broker(str(message.topic) == telemetry, bytes(message.payload))
            except aiomqtt.MqttError as error:
                trouble(f"broker: {error}")
            await asyncio.sleep(RETRY_S)

    def _on_broker(self, telemetry: bool, payload: bytes) -> None:
        at_ns = time.monotonic_ns()
        if telemetry:
            told = _telemetry.decode(payload)
            say(said.Telemetry(at_ns, told.session_id, told.seq))
        else:
            result = _result.decode(payload)
            say(said.Result(at_ns, result.command_id, result.state.value, result.at_ns))


class _RefusedError(Exception):
    """The hub did not take the offer."""


def _say_counts(monitor: Monitor) -> None:
    receiver = monitor.receiver
    say(
        said.Counts(
            at_ns=time.monotonic_ns(),
            packets=receiver.packets,
            octets=monitor.octets,
            again=monitor.again,
            again_octets=monitor.again_octets,
            duplicates=receiver.duplicates,
            repaired=receiver.repaired,
            lost=receiver.lost,
            asked=monitor.asked,
            keyframes_asked=monitor.keyframes_asked,
        )
    )


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb"))
    line = await reader.readline()
    if line:
        await Seat(msgspec.json.decode(line, type=Place)).run(reader)


def main() -> None:
    """Run until standard input ends."""
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_main())


if __name__ == "__main__":
    main()
