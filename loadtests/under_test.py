"""What a forwarder has to offer to be measured."""

from __future__ import annotations

from typing import Protocol


class ForwarderUnderTest(Protocol):
    """A selective forwarder as a black box: offers in, answers out, processes to watch.

    All methods raise `BenchError` with a text for a person when something fails.

    Attributes:
        name: Heading of its column, with its version where it has one.
    """

    name: str

    async def start(self, streams: int) -> None:
        """Start it, ready to take this many publishers."""

    async def publish(self, stream: int, offer: str) -> str:
        """Return the answer to a publisher's offer."""

    async def watch(self, stream: int, offer: str) -> str:
        """Return the answer to a watcher's offer; the stream is being published."""

    def pids(self) -> list[int]:
        """Return the processes that move packets: their CPU time and memory count."""

    async def stop(self) -> None:
        """End it and all its processes; also when `start` failed half-way."""
