"""A media worker: peers, their handshakes, and the conversation with the hub.

It has one end of a Unix socketpair to the hub (see `supervisor.media.ipc`) and the UDP
socket, bound by the hub: it stays bound while a worker is replaced, so no other program
can take the port and vehicles dial the same address again. The worker ends when the hub
does. `worker_process` is how the process begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, Final

from protocols.link import LINK_LABEL
from supervisor import clock
from supervisor.counters import Counters
from supervisor.media import ipc
from supervisor.media.adoption import Door
from supervisor.media.commands import Commands
from supervisor.media.dtls import (
    CHANNEL_LABEL,
    STOP_LABEL,
    Channel,
    Dtls,
    DtlsError,
    Lane,
    generate_certificate,
    sha256_fingerprint,
)
from supervisor.media.link_lane import LinkLane
from supervisor.media.peer import Peer, Publisher, Watcher
from supervisor.media.router import Router
from supervisor.media.udp import UdpPort
from supervisor.media.worker_process import WORKER_NAME, name_process, outlive_parent

log = logging.getLogger("enkan.media")

SAMPLE_S: Final = 0.1
TOLD_AT_ONCE: Final = 8
"""Peers looked at for samples before media that came meanwhile may go first."""

REPAIR_S: Final = 0.02
LOSSY_TURNS: Final = 4
"""Parts of `REPAIR_S` after each of which a lossy link is looked at: a picture waits."""

GRANTS_NS: Final = 3_500_000_000
"""A hub not heard for so long is frozen: its grants end. It renews rights every 2 s."""

MAX_UNSENT: Final = 1 << 20
"""Bytes waiting for a busy hub; samples beyond it are dropped and counted."""


class Worker:
    """Peers, their handshakes, and the conversation with the hub."""

    def __init__(
        self, udp: socket.socket, writer: asyncio.StreamWriter, tasks: asyncio.TaskGroup
    ) -> None:
        self._counters = Counters()
        self._port = UdpPort(udp, self._counters)
        self._router = Router(self._port, self._counters)
        self._commands = Commands(self._counters)
        self._link_lane = LinkLane(self._counters, self._tell_unless_busy)
        self._router.granted = self._commands.holder
        self._certificate = generate_certificate()
        self._writer: asyncio.StreamWriter | None = writer
        self._door: Door | None = None
        self._renewed_ns = clock.monotonic_ns()
        self._tasks = tasks
        self._udp = udp
        self._writing = False
        self._handlers: dict[type, Callable[[Any], None]] = {
            ipc.OpenPublisher: self._open_publisher,
            ipc.OpenWatcher: self._open_watcher,
            ipc.SetLayers: self._set_layers,
            ipc.SetGrant: self._set_grant,
            ipc.ClosePeer: self._close_peer,
            ipc.RestartIce: self._restart_ice,
            ipc.Begin: self._begin,
            ipc.Renew: self._renew,
        }

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Serve until the hub is gone and no session has a right left."""
        loop = asyncio.get_running_loop()
        self._introduce()
        loop.add_reader(self._udp.fileno(), self._on_readable)
        timers = [
            self._tasks.create_task(self._every_sample(), name="samples"),
            self._tasks.create_task(self._every_repair(), name="repairs"),
        ]
        # What is loaded stays: a full collection of it takes 22 ms, and with it frozen
        # none came in a run of 15 s with 40 peers. The thresholds stay as they are: young
        # collections took 0.1 % of the time, 0.4 ms at most; fewer, larger ones 2 ms.
        gc.collect()
        gc.freeze()
        try:
            while True:
                await self._converse(reader)
                control = await self._another_hub()
                if control is None:
                    break
                reader, self._writer = await asyncio.open_unix_connection(sock=control)
                self._introduce()
                self._tell(ipc.Known(self._known()))
        finally:
            loop.remove_reader(self._udp.fileno())
            for timer in timers:
                timer.cancel()
            for peer in list(self._router.peers.values()):
                self._end(peer, "closed")
            if self._door is not None:
                self._door.close()
            if self._writer is not None:
                self._writer.close()

    def _introduce(self) -> None:
        self._renewed_ns = clock.monotonic_ns()
        self._tell(ipc.Ready(sha256_fingerprint(self._certificate), self._port.gro, self._port.gso))

    def _known(self) -> list[ipc.KnownSession]:
        return [
            ipc.KnownSession(peer.session, peer.connected, peer.memo)
            for peer in self._router.peers.values()
        ]

    async def _converse(self, reader: asyncio.StreamReader) -> None:
        """Do what the hub says until it is gone."""
        try:
            while (message := await ipc.read_hub_message(reader)) is not None:
                self._handlers[type(message)](message)
        except ipc.IpcError as error:
            log.error("the hub does not keep to the schema: %s", error)
        self._commands.drop_grants()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    async def _another_hub(self) -> socket.socket | None:
        """Wait for a hub that takes this worker over; None once no session is left."""
        if self._door is None or not self._router.peers:
            return None
        log.warning("the hub is gone; %d sessions until their rights end", len(self._router.peers))
        coming = asyncio.create_task(self._door.wait_for_hub(self._udp), name="another hub")
        try:
            while self._router.peers:
                done, _ = await asyncio.wait([coming], timeout=SAMPLE_S)
                if done:
                    log.info("another hub has taken over")
                    return coming.result()
        finally:
            if not coming.done():
                coming.cancel()
        return None

    def _on_readable(self) -> None:
        self._router.on_readable()
        if self._port.waiting and not self._writing:
            self._writing = True
            asyncio.get_running_loop().add_writer(self._udp.fileno(), self._on_writable)

    def _on_writable(self) -> None:
        self._port.flush()
        if not self._port.waiting:
            self._writing = False
            asyncio.get_running_loop().remove_writer(self._udp.fileno())

    def _tell(self, message: ipc.WorkerMessage) -> None:
        if self._writer is not None:
            self._writer.write(ipc.frame(message))

    def _tell_unless_busy(self, message: ipc.WorkerMessage) -> None:
        if not self._hub_is_busy():
            self._tell(message)

    def _hub_is_busy(self) -> bool:
        busy = (
            self._writer is not None and self._writer.transport.get_write_buffer_size() > MAX_UNSENT
        )
        if busy:
            self._counters.add("media_dropped", "hub_busy")
        return busy

    def _begin(self, message: ipc.Begin) -> None:
        name_process(f"{WORKER_NAME}{message.index}")
        self._router.ended.update(message.ended)
        if not message.door:
            return
        try:
            self._door = Door(message.door, message.token)
        except OSError as error:
            log.warning("this media worker ends with its hub: %s", error)
            return
        outlive_parent()

    def _renew(self, message: ipc.Renew) -> None:
        self._renewed_ns = clock.monotonic_ns()
        expires_ns = self._renewed_ns + message.valid_ms * 1_000_000
        for session in message.sessions:
            peer = self._router.peers.get(session)
            if peer is not None:
                peer.expires_ns = expires_ns

    # -------------------------------------------------------------- sessions

    def _open_publisher(self, message: ipc.OpenPublisher) -> None:
        vehicle = self._router.vehicle(message.vehicle)
        cameras = [vehicle.camera(stream.camera, stream.kind) for stream in message.streams]
        publisher = Publisher(message, cameras, self._port, clock.monotonic_ns())
        publisher.memo = message.memo
        self._open(publisher, message.sctp_port)

    def _open_watcher(self, message: ipc.OpenWatcher) -> None:
        vehicle = self._router.vehicle(message.vehicle)
        cameras = [vehicle.camera(stream.camera, stream.kind) for stream in message.streams]
        for layers in cameras:
            if not layers.feeds:
                layers.feed("")
        watcher = Watcher(message, cameras, self._port, clock.monotonic_ns())
        watcher.memo = message.memo
        self._open(watcher, message.sctp_port)

    def _open(self, peer: Peer, sctp_port: int) -> None:
        if sctp_port:
            peer.channel = self._channel(peer, sctp_port)
        peer.dtls = Dtls(
            self._certificate, peer.send, peer.channel, proved=lambda: peer.media_ns > 0
        )
        self._router.add(peer)
        peer.task = self._tasks.create_task(self._serve(peer, peer.dtls), name="peer")
        self._tell(ipc.Opened(peer.session))

    def _channel(self, peer: Peer, port: int) -> Channel:
        commands = self._commands

        def lane(label: str) -> Lane:
            return Lane(
                lambda frame: commands.on_frame(peer, label, frame, clock.monotonic_ns()),
                lambda is_open: commands.on_open(peer, label, is_open, clock.monotonic_ns()),
            )

        lanes = {label: lane(label) for label in (CHANNEL_LABEL, STOP_LABEL)}
        if isinstance(peer, Publisher):
            lanes[LINK_LABEL] = self._link_lane.of(peer)
        return Channel(
            port, lanes, lambda reason: self._counters.add("media_channel_dropped", reason)
        )

    def _set_grant(self, message: ipc.SetGrant) -> None:
        self._commands.set_grant(message.vehicle, message.holder, message.epoch)

    async def _serve(self, peer: Peer, dtls: Dtls) -> None:
        def connected() -> None:
            peer.rx, peer.tx = dtls.rx, dtls.tx
            self._router.connected(peer)
            self._tell(ipc.PeerConnected(peer.session))

        reason = "closed"
        try:
            await dtls.run(peer.transport.fingerprints, connected)
        except DtlsError as error:
            reason = "dtls_failed"
            log.info("a handshake failed: %s", error)
        self._end(peer, reason)

    def _set_layers(self, message: ipc.SetLayers) -> None:
        peer = self._router.peers.get(message.session)
        if isinstance(peer, Watcher):
            self._router.set_layers(peer, message.layers)

    def _restart_ice(self, message: ipc.RestartIce) -> None:
        peer = self._router.peers.get(message.session)
        if peer is not None:
            self._router.renew(peer, message.ufrag, message.password)
            peer.memo = message.memo or peer.memo

    def _close_peer(self, message: ipc.ClosePeer) -> None:
        peer = self._router.peers.get(message.session)
        if peer is not None:
            self._end(peer, "closed")

    def _end(self, peer: Peer, reason: str) -> None:
        if peer.session not in self._router.peers:
            return
        self._router.remove(peer)
        self._commands.forget(peer)
        if peer.task is not None and peer.task is not asyncio.current_task():
            peer.task.cancel()
        self._tell(ipc.PeerClosed(peer.session, reason))

    # ------------------------------------------------------------------ time

    async def _every_repair(self) -> None:
        while True:
            if self._router.lossy:
                for _ in range(LOSSY_TURNS - 1):
                    await asyncio.sleep(REPAIR_S / LOSSY_TURNS)
                    self._router.ask_again(clock.monotonic_ns())
                await asyncio.sleep(REPAIR_S / LOSSY_TURNS)
            else:
                await asyncio.sleep(REPAIR_S)
            for _ in self._router.repair_turns(clock.monotonic_ns()):
                await asyncio.sleep(0)

    async def _every_sample(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(SAMPLE_S)
            for peer, reason in self._router.on_time(clock.monotonic_ns()):
                self._end(peer, reason)
            self._fence(clock.monotonic_ns())
            if self._writer is None or self._hub_is_busy():
                continue
            self._tell(ipc.Alive())
            held_ms = self._router.take_held_ms()
            self._tell_unheard()
            for number, peer in enumerate(list(self._router.peers.values()), 1):
                if number % TOLD_AT_ONCE == 0:
                    await asyncio.sleep(0)
                here = self._router.peers.get(peer.session) is peer
                if here and isinstance(peer, Publisher) and peer.connected:
                    self._link_lane.ask(peer, clock.monotonic_ns())
                    self._tell(ipc.PublisherSampled(peer.session, peer.report(held_ms)))
            turn += 1
            if turn % 10 == 0:
                self._tell(self._stats())

    def _fence(self, now_ns: int) -> None:
        """End the grants of a hub that is there and says nothing: it may be frozen."""
        if now_ns - self._renewed_ns > GRANTS_NS and self._commands.drop_grants():
            log.warning("the hub is silent; nobody's commands pass until it grants anew")
            self._tell(ipc.GrantsDropped())

    def _tell_unheard(self) -> None:
        for vehicle in self._router.vehicles.values():
            if vehicle.floor is not None and vehicle.floor.notices:
                for session, reason in vehicle.floor.take_notices():
                    self._tell(ipc.TalkRefused(session, reason))

    def _stats(self) -> ipc.Stats:
        port = self._port
        return ipc.Stats(
            pid=os.getpid(),
            cpu_s=clock.cpu_ns() / 1e9,
            packets_in=port.packets_in,
            packets_out=port.packets_out,
            bytes_in=port.bytes_in,
            bytes_out=port.bytes_out,
            peers=len(self._router.peers),
            totals=self._counters.items(),
        )


async def _serve(control: socket.socket, udp: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    this = asyncio.current_task()
    if this is not None:
        loop.add_signal_handler(signal.SIGTERM, this.cancel)
    reader, writer = await asyncio.open_unix_connection(sock=control)
    async with asyncio.TaskGroup() as tasks:
        await Worker(udp, writer, tasks).run(reader)


def warm_up() -> None:
    """Do once what is slow the first time."""
    generate_certificate()
    _new_loop().close()


def run(control: socket.socket, udp: socket.socket) -> None:
    """Be a worker until no session is left without a hub, or until SIGTERM."""
    control.setblocking(False)
    udp.setblocking(False)
    with (
        contextlib.suppress(asyncio.CancelledError),
        asyncio.Runner(loop_factory=_new_loop) as runner,
    ):
        runner.run(_serve(control, udp))


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
