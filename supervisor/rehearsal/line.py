"""What the path between a vehicle and its hub does to what passes. Pure.

Packets: lost when the line is cut or by chance, else late. They keep their order, as on a
radio link: what came while the delay was longer is not overtaken. A byte stream loses
nothing here; its relay asks for `delay_ns` and waits while `cut`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_WAITING: Final = 8_192
"""Packets on the way in one direction; beyond it new ones are lost: 300 ms of 25,000/s."""


class Line:
    """Both directions of one vehicle's path.

    Args:
        chance: Returns a number from 0 to 1, for each packet while `loss` is set.

    Attributes:
        delay_ns: One way, both ways.
        loss: Share of packets lost, 0 to 1.
        cut: Nothing passes.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self.delay_ns = 0
        self.loss = 0.0
        self.cut = False
        self._chance = chance

    @property
    def clear(self) -> bool:
        """Nothing is broken: what comes passes at once."""
        return not (self.cut or self.delay_ns or self.loss)

    def loses(self) -> bool:
        """Return whether the packet that comes now is lost."""
        return self.cut or (self.loss > 0.0 and self._chance() < self.loss)


class Lane(Generic[T]):
    """One direction for packets.

    Attributes:
        lost: Packets that did not pass.
    """

    def __init__(self, line: Line) -> None:
        self.lost = 0
        self._line = line
        self._waiting: deque[tuple[int, T]] = deque()

    def offer(self, packet: T, now_ns: int) -> bool:
        """Take one packet; return True if it passes at once, and is not kept."""
        line = self._line
        if line.clear and not self._waiting:
            return True
        if line.loses() or len(self._waiting) >= MAX_WAITING:
            self.lost += 1
            return False
        due_ns = now_ns + line.delay_ns
        if self._waiting:
            due_ns = max(due_ns, self._waiting[-1][0])
        if due_ns <= now_ns:
            return True
        self._waiting.append((due_ns, packet))
        return False

    def due(self, now_ns: int) -> list[T]:
        """Return what comes out by now, in order."""
        out: list[T] = []
        while self._waiting and self._waiting[0][0] <= now_ns:
            out.append(self._waiting.popleft()[1])
        return out

    def next_deadline_ns(self) -> int | None:
        """When `due` has something next; None while nothing is on the way."""
        return self._waiting[0][0] if self._waiting else None
