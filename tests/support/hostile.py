"""A live session under hostile datagrams: strangers, and a peer that was let in."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.mutation import mutate
from support.parsers import TARGETS

BURST = 200
"""Datagrams between two turns of the loop."""

STRANGERS = 8
"""Source addresses of the hostile datagrams."""

STILL_S = 20.0
"""How long the picture may take to go on, on a machine that also makes the datagrams."""


@dataclass
class Report:
    """What was sent, and what was left of the session."""

    sent: int
    inside: int
    refused: dict[str, int]
    frames: int
    same_sessions: bool
    same_worker: bool

    @property
    def survived(self) -> bool:
        return self.frames > 0 and self.same_sessions and self.same_worker

    def __str__(self) -> str:
        reasons = ", ".join(
            f"{reason} {n:,}" for reason, n in sorted(self.refused.items(), key=lambda x: -x[1])
        )
        state = "the picture went on" if self.survived else "the session did not survive"
        return (
            f"live session: {self.sent:,} hostile datagrams, {self.inside:,} of them from a peer "
            f"that was let in; {state} ({self.frames} frames shown meanwhile). Dropped: {reasons}"
        )


def _media_tests() -> Any:
    """The media tests' hub and peers."""
    path = Path(__file__).parents[1] / "media" / "conftest.py"
    spec = importlib.util.spec_from_file_location("media_conftest", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def attack(count: int, seed: int, say: Callable[[str], object]) -> Report:
    """Send `count` hostile datagrams at a media worker that carries a picture."""
    media = _media_tests()
    async with media.running_hub() as hub:
        peers = [media.Peer(hub) for _ in range(3)]
        vehicle, operator, traitor = peers
        strangers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(STRANGERS)]
        try:
            await vehicle.publish(media.Camera())
            await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
            await operator.watch("video")
            await media.until(lambda: operator.frames.get("video0", 0) > 5, "a picture")
            traitor.pc.addTransceiver("video", direction="recvonly")
            await traitor.dial(f"/whep/{media.BUS}", media.OTHER)
            await media.until(lambda: traitor.pc.connectionState == "connected", "traitor in")
            return await _attack(hub, media, operator, traitor, strangers, count, seed, say)
        finally:
            for stranger in strangers:
                stranger.close()
            await asyncio.gather(*(peer.close() for peer in peers))


async def _attack(
    hub: Any,
    media: Any,
    operator: Any,
    traitor: Any,
    strangers: list[socket.socket],
    count: int,
    seed: int,
    say: Callable[[str], object],
) -> Report:
    def sessions() -> set[str]:
        mine = traitor.location.rpartition("/")[2]
        return {name for name, entry in hub.plane.sessions.items() if name != mine}

    def worker() -> Any:
        return hub.plane.worker_stats()[0]

    def refused() -> dict[str, int]:
        return {
            reason: n for name, reason, n in hub.plane.counters.items() if name == "media_dropped"
        }

    choose = random.Random(seed)
    inputs = [data[1:] for data in TARGETS["datagram"].seeds()]
    before, pid, port = sessions(), worker().pid, worker().udp_port
    first, seen = refused(), operator.frames["video0"]
    pair = traitor.pc.getTransceivers()[0].receiver.transport.transport._connection
    inside = 0
    for sent in range(0, count, BURST):
        for _ in range(min(BURST, count - sent)):
            data = mutate(choose.choice(inputs), choose)
            if choose.randrange(10) == 0 and traitor.pc.connectionState == "connected":
                inside += 1
                await pair.sendto(data, 1)
            else:
                choose.choice(strangers).sendto(data, ("127.0.0.1", port))
        await asyncio.sleep(0.002)
        if sent and sent % 200_000 == 0:
            say(f"live: {sent:,} of {count:,} datagrams, {operator.frames['video0'] - seen} frames")
    shown = operator.frames["video0"]
    await media.until(
        lambda: operator.frames["video0"] > shown + 10, "the picture goes on", timeout=STILL_S
    )
    await media.until(lambda: refused() != first, "the worker has counted")
    return Report(
        sent=count,
        inside=inside,
        refused={
            reason: n - first.get(reason, 0)
            for reason, n in refused().items()
            if n > first.get(reason, 0)
        },
        frames=operator.frames["video0"] - seen,
        same_sessions=before <= sessions(),
        same_worker=worker().pid == pid,
    )
