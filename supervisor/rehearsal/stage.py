"""Breaks and mends, on the demo's own processes and paths, and keeps what is broken."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from supervisor import clock
from supervisor.console.rehearsal import Broken, Do, Fault, Order, Standing
from supervisor.rehearsal.actor import FILMING, LINE_FAULTS, Actor
from supervisor.rehearsal.second import SecondError, SecondOperator

log = logging.getLogger("enkan.rehearsal")

BROKER_NAME: Final = "nats-server"


class NotPossibleError(Exception):
    """A wish that cannot be carried out.

    Attributes:
        reason: A short constant.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Stage:
    """What can be broken of one demo.

    Args:
        actors: By `site/vehicle`.
        hub_pid: The hub's process; the broker is a child of it.
        second: Who grabs control.
    """

    def __init__(self, actors: Mapping[str, Actor], hub_pid: int, second: SecondOperator) -> None:
        self._actors = actors
        self._hub_pid = hub_pid
        self._second = second
        self._broken: dict[tuple[Fault, str], int] = {}
        self._turn = asyncio.Lock()
        self._grabbing: _Grabbing | None = None

    async def carry_out(self, order: Order) -> Standing:
        """Do what is wished; one after another."""
        if order.do is Do.LOOK:
            return self._standing(clock.monotonic_ns())
        async with self._turn:
            try:
                if order.fault is None:
                    raise NotPossibleError("malformed", "no fault is named")
                if order.do is Do.BREAK:
                    at_ns = await self._break(order.fault, order.vehicle)
                else:
                    at_ns = await self._mend(order.fault, order.vehicle)
            except (NotPossibleError, SecondError) as error:
                return Standing(clock.monotonic_ns(), error.reason, str(error))
        log.warning("rehearsal: %s %s %s", order.do.value, order.fault.value, order.vehicle)
        return self._standing(at_ns)

    async def close(self) -> None:
        """Let the second operator go."""
        if self._grabbing is not None:
            await self._grabbing.end()
            self._grabbing = None

    # ------------------------------------------------------------------------ inside

    def _standing(self, at_ns: int) -> Standing:
        broken = [Broken(fault, name, since) for (fault, name), since in self._broken.items()]
        words = {name: actor.word for name, actor in self._actors.items() if actor.word}
        brokers = self._brokers()
        return Standing(at_ns, "", "", broken, words, brokers[0] if brokers else 0)

    def _actor(self, vehicle: str) -> Actor:
        actor = self._actors.get(vehicle)
        if actor is None:
            raise NotPossibleError("unknown_vehicle", f"this demo has no vehicle {vehicle!r}")
        return actor

    async def _break(self, fault: Fault, vehicle: str) -> int:
        if fault is Fault.BROKER:
            return self._kill_broker()
        actor = self._actor(vehicle)
        if (fault, vehicle) in self._broken:
            raise NotPossibleError("broken_already", f"{fault.value} is there already")
        at_ns = clock.monotonic_ns()
        if fault is Fault.GRAB:
            at_ns = await self._grab(vehicle)
        elif fault in LINE_FAULTS:
            actor.break_line(fault, broken=True)
        else:
            if not actor.film(FILMING[fault]):
                raise NotPossibleError("no_process", "the vehicle's process does not run now")
            for other in FILMING:
                self._broken.pop((other, vehicle), None)
        self._broken[fault, vehicle] = at_ns
        return at_ns

    async def _mend(self, fault: Fault, vehicle: str) -> int:
        if fault is Fault.BROKER:
            raise NotPossibleError("mends_itself", "the hub starts its broker again by itself")
        actor = self._actor(vehicle)
        if self._broken.pop((fault, vehicle), None) is None:
            raise NotPossibleError("not_broken", f"{fault.value} is not there")
        at_ns = clock.monotonic_ns()
        if fault in LINE_FAULTS:
            actor.break_line(fault, broken=False)
        elif fault in FILMING:
            actor.film("film")
        elif self._grabbing is not None:
            grabbing, self._grabbing = self._grabbing, None
            await grabbing.end()
        return at_ns

    def _brokers(self) -> list[int]:
        return [pid for pid in children(self._hub_pid) if process_name(pid) == BROKER_NAME]

    def _kill_broker(self) -> int:
        pids = self._brokers()
        if not pids:
            raise NotPossibleError("no_broker", "the broker does not run at this moment")
        at_ns = clock.monotonic_ns()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, signal.SIGKILL)
        return at_ns

    async def _grab(self, vehicle: str) -> int:
        if self._grabbing is not None:
            raise NotPossibleError("busy", "the second operator has another vehicle already")
        grabbing = _Grabbing(self._second, vehicle)
        at_ns = await grabbing.begin()
        self._grabbing = grabbing
        return at_ns


class _Grabbing:
    """The second operator while he has, or is about to take, control of one vehicle."""

    def __init__(self, second: SecondOperator, vehicle: str) -> None:
        self._second = second
        self._vehicle = vehicle
        self._end = asyncio.Event()
        self._settled = asyncio.Event()
        self._asked_ns = 0
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> int:
        """Return, once he has control, when he asked for it.

        Raises:
            SecondError: He did not get it.
        """
        self._task = asyncio.create_task(self._sit(), name="second-operator")
        try:
            await self._settled.wait()
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if not self._asked_ns:
            await self._task
            raise SecondError("not_taken", "he left before he had control")
        return self._asked_ns

    async def end(self) -> None:
        """He gives back, and leaves."""
        self._end.set()
        if self._task is not None:
            try:
                await self._task
            except SecondError as error:
                log.warning("rehearsal: the second operator left: %s", error.reason)

    async def _sit(self) -> None:
        try:
            async with self._second.sitting():
                self._asked_ns = await self._second.take(self._vehicle)
                self._settled.set()
                await self._end.wait()
                await self._second.give_back(self._vehicle)
        finally:
            self._settled.set()


def children(pid: int) -> list[int]:
    """Return the children of a process, of all its threads (proc(5))."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has just ended
            found += [int(word) for word in task.read_text().split()]
    return found


def process_name(pid: int) -> str:
    """Return the name of a process as ps shows it; empty: it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
