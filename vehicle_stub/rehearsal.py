"""What breaks a vehicle for a rehearsal, and its own word while nobody else hears it.

    standard input   {"camera": "front", "filming": "freeze"}      one line an order
    standard output  {"at_ns": 1, "speed_mps": 5.5, "mode": "AUTONOMOUS", …}   five a second

Only with `--rehearse`, only from the process that started the vehicle. The word says what
the vehicle really does, also while its link is cut; it is no part of the contract.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final

import msgspec

from protocols.codec import ProtocolError, decode, encode
from vehicle_stub import clock
from vehicle_stub.camera_worker import CameraWorker, Filming
from vehicle_stub.vehicle import Vehicle

log = logging.getLogger("enkan.vehicle.rehearsal")

MAX_ORDER: Final = 1_024
"""Bytes of one line; a longer one ends the reading."""

WORD_EVERY_S: Final = 0.2


class FilmOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a camera does from now on; `camera` empty: all of them."""

    filming: Filming
    camera: str = ""


class Word(msgspec.Struct, frozen=True):
    """What the vehicle does.

    Attributes:
        at_ns: Vehicle monotonic clock.
        limit_mps: The most it lets itself drive.
        link_up: It hears the hub.
    """

    at_ns: int
    speed_mps: float
    limit_mps: float
    mode: str
    mrm: str
    link_up: bool


def obey(line: bytes, cameras: Sequence[CameraWorker]) -> int:
    """Carry out one order; return how many cameras it changed.

    Raises:
        ProtocolError: It is no order, or names no camera of this vehicle.
    """
    order: FilmOrder = decode(line, FilmOrder, limit=MAX_ORDER)
    meant = [one for one in cameras if order.camera in ("", one.camera.name)]
    if not meant:
        raise ProtocolError("unknown_camera", f"no camera {order.camera!r} here")
    changed = 0
    for camera in meant:
        changed += camera.filming is not order.filming
        camera.filming = order.filming
    return changed


async def hear(cameras: Sequence[CameraWorker]) -> None:
    """Obey standard input until it ends."""
    reader = asyncio.StreamReader(limit=MAX_ORDER)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            try:
                changed = obey(line, cameras)
            except ProtocolError as error:
                log.warning("rehearsal: order refused: %s", error.reason)
            else:
                log.info("rehearsal: an order for %d cameras", changed)
    except ValueError:  # a line longer than the limit: what follows cannot be told apart
        log.warning("rehearsal: an order of more than %d bytes; no more are heard", MAX_ORDER)
    finally:
        transport.close()


async def speak(vehicle: Vehicle, output: BinaryIO, now_ns: Callable[[], int]) -> None:
    """Write the vehicle's word five times a second."""
    while True:
        output.write(encode(word(vehicle, now_ns())) + b"\n")
        output.flush()
        await asyncio.sleep(WORD_EVERY_S)


def word(vehicle: Vehicle, now_ns: int) -> Word:
    """Return what the vehicle does now."""
    mode, mrm, _ = vehicle.conduct.words
    limit_mps = min(vehicle.drive.course.cruise_mps, vehicle.limit.mps(now_ns))
    return Word(
        now_ns,
        round(vehicle.drive.speed, 3),
        round(limit_mps, 3),
        mode.value,
        mrm.value,
        vehicle.link_up,
    )


async def rehearse(vehicle: Vehicle, cameras: Sequence[CameraWorker]) -> None:
    """Hear and speak until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hear(cameras), name="rehearsal-orders")
        tasks.create_task(
            speak(vehicle, sys.stdout.buffer, clock.monotonic_ns), name="rehearsal-word"
        )
