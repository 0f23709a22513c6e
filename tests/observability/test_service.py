"""The service manager's variables and datagrams; what a failing end does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from supervisor import service
from supervisor.service import Notifier


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "15000000"}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "7"}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "١٥"}, None),
        ({}, None),
    ],
)
def test_the_watchdogs_variables_are_read_as_systemd_reads_them(
    environment: dict[str, str], watchdog_s: float | None
) -> None:
    found = Notifier.of({"NOTIFY_SOCKET": "/run/n", **environment}, 7)
    assert found.watchdog_s == watchdog_s


def test_without_a_usable_socket_nothing_is_said_and_nothing_asked() -> None:
    for path in ("", "relative", "vsock:1:2"):
        found = Notifier.of({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"}, 7)
        assert found.watchdog_s is None
        found.tell("READY=1")


def test_the_variables_are_kept_from_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/n")
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert Notifier.of_this_process().watchdog_s == 2.0
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


def test_lines_arrive_in_one_datagram_also_by_an_abstract_name(tmp_path: Path) -> None:
    abstract = f"enkan-test-{os.getpid()}"
    for path, bound in (
        (str(tmp_path / "n"), str(tmp_path / "n")),
        (f"@{abstract}", f"\0{abstract}"),
    ):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(bound)
            Notifier(path).tell("READY=1", "STATUS=all is served")
            assert manager.recv(4096) == b"READY=1\nSTATUS=all is served"


def test_a_manager_that_is_gone_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(str(tmp_path / "gone"))
    for _ in range(3):
        notifier.tell("WATCHDOG=1")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


class Fake:
    """A service whose parts end as told."""

    def __init__(self, *, run: Exception | None = None, drain: Exception | None = None) -> None:
        self.fails, self.drain_fails = run, drain
        self.drained = ""
        self.ended = False
        self.late = ""

    async def run(self) -> None:
        try:
            if self.fails is not None:
                raise self.fails
            await asyncio.Event().wait()
        finally:
            self.ended = True

    async def started(self) -> str:
        return "here"

    async def drain(self, why: str) -> None:
        self.drained = why
        if self.drain_fails is not None:
            raise self.drain_fails

    def overdue(self) -> str:
        return self.late


async def test_a_signal_drains_and_then_ends() -> None:
    fake = Fake()
    running = asyncio.create_task(service.run(fake, Notifier()))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    assert (fake.drained, fake.ended) == ("sigterm", True)


async def test_what_ends_the_service_by_itself_is_told() -> None:
    with pytest.raises(RuntimeError, match="room"):
        await service.run(Fake(run=RuntimeError("room")), Notifier())


async def test_a_drain_that_fails_ends_the_service_all_the_same_and_is_told() -> None:
    fake = Fake(drain=RuntimeError("drain"))
    running = asyncio.create_task(service.run(fake, Notifier()))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(RuntimeError, match="drain"):
        await running
    assert fake.ended


async def test_a_service_that_does_not_work_gives_no_sign_of_life(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        manager.setblocking(False)
        fake = Fake()
        running = asyncio.create_task(service.run(fake, Notifier(str(tmp_path / "n"), 0.02)))
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(manager, 99) == b"READY=1\nSTATUS=here"
        assert await loop.sock_recv(manager, 99) == b"WATCHDOG=1"
        fake.late = "core: nothing for 6 s"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                while True:  # one may have been under way
                    await loop.sock_recv(manager, 99)
        fake.late = ""
        assert await loop.sock_recv(manager, 99) == b"WATCHDOG=1"
        running.cancel()
        await asyncio.wait([running])
    assert fake.ended
