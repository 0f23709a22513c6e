"""Media goes on over the death of a hub: rights that expire, and a hub that takes over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import sys
import tempfile
from pathlib import Path

import httpx
import pytest

from supervisor import processes
from supervisor.media import adoption, ipc
from supervisor.media.adoption import Door, Doors, adopt
from supervisor.media.pool import MediaConfig

pytestmark = [pytest.mark.integration]

HUB = Path(__file__).with_name("hub_process.py")
RIGHT = "the secret's name"


def alive(pid):
    """Whether a process runs: a zombie, which nobody has reaped yet, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Away:
    """A hub in another process, so that it can be killed."""

    def __init__(self, state, media):
        self.state = state
        self.media = media
        self.plane = None
        self.process = None

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(HUB), str(self.state), stdout=asyncio.subprocess.PIPE
        )
        line = await asyncio.wait_for(self.process.stdout.readline(), 40)
        told = json.loads(line)
        self.worker = told["worker"]
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{told['port']}")
        return self

    async def post(self, path, sdp, token=None, **params):
        return await self.client.post(
            path,
            params=params,
            content=sdp,
            headers={
                "Authorization": f"Bearer {token or self.media.TOKEN}",
                "Content-Type": "application/sdp",
            },
        )

    def kill(self):
        self.process.kill()

    async def __aexit__(self, *_):
        await self.client.aclose()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        self.process._transport.close()


@pytest.fixture
def state():
    """A short path: a Unix socket's name has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="enkan-") as folder:
        yield Path(folder)


async def watching(operator, media):
    """Dial until the vehicle publishes."""
    for _ in range(100):
        answer = await operator.dial(f"/whep/{media.BUS}")
        if answer.status_code == 201:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(answer.text)


@contextlib.asynccontextmanager
async def two_peers(hub, media):
    """A vehicle that publishes and an operator who watches."""
    vehicle, operator = media.Peer(hub), media.Peer(hub)
    try:
        answer = await vehicle.publish(media.Camera())
        assert answer.status_code == 201, answer.text
        operator.pc.addTransceiver("video", direction="recvonly")
        await watching(operator, media)
        operator.count_frames()
        await media.until(lambda: operator.frames.get("video0", 0) > 5, "pictures")
        yield vehicle, operator
    finally:
        await asyncio.gather(vehicle.close(), operator.close())


async def test_pictures_go_on_over_a_killed_hub_and_the_next_one_knows_the_sessions(state, media):
    async with Away(state, media) as away, two_peers(away, media) as (vehicle, operator):
        away.kill()
        await away.process.wait()
        seen = operator.frames["video0"]
        await media.until(lambda: operator.frames["video0"] > seen + 10, "no hub, and pictures")
        async with media.running_hub(
            MediaConfig(workers=1),
            state_dir=state,
            publisher_right=lambda vehicle: RIGHT,
            sign_in_valid=lambda sign_in: sign_in == "operator",
        ) as hub:
            await media.until(lambda: hub.plane.publishing(media.BUS), "it goes on publishing")
            assert hub.plane.worker_stats()[0].pid == away.worker
            await media.until(lambda: len(hub.plane.sessions) == 2, "both sessions")
            seen = operator.frames["video0"]
            await media.until(lambda: operator.frames["video0"] > seen + 10, "pictures")
            await media.until(hub.samples, "samples come to the new hub")
            answer = await hub.client.delete(
                vehicle.location, headers={"Authorization": f"Bearer {media.TOKEN}"}
            )
            assert answer.status_code == 200, "the session has kept its address"
        await media.until(lambda: not alive(away.worker), "an orderly end ends it too")


@pytest.mark.parametrize(
    ("rights", "left"),
    [
        ({"publisher_right": lambda vehicle: RIGHT}, 1),
        ({"sign_in_valid": lambda sign_in: True}, 0),
        ({"publisher_right": lambda vehicle: "another secret's"}, 0),
        ({}, 0),
    ],
)
async def test_the_next_hub_closes_whom_it_does_not_allow(state, media, rights, left):
    async with Away(state, media) as away, two_peers(away, media):
        away.kill()
        await away.process.wait()
        async with media.running_hub(MediaConfig(workers=1), state_dir=state, **rights) as hub:
            ended = 2 - left
            await media.until(
                lambda: hub.plane.counters.get("media_sessions_ended", "not_adopted") == ended,
                "judged",
            )
            assert len(hub.plane.sessions) == left
            assert hub.plane.publishing(media.BUS) == bool(left)
            await media.until(
                lambda: (
                    hub.plane.worker_stats()[0].stats is not None
                    and hub.plane.worker_stats()[0].stats.peers == left
                ),
                "closed in the worker",
            )


async def test_no_grant_survives_its_hub_nor_a_frozen_one_and_pictures_go_on(state, media):
    async with Away(state, media) as away, commanding(away, media) as (commands, operator):
        os.kill(away.process.pid, signal.SIGSTOP)
        try:
            await media.until(lambda: commands.silent, "a frozen hub's grants end")
            seen = operator.frames["video0"]
            await media.until(lambda: operator.frames["video0"] > seen + 5, "pictures go on")
        finally:
            os.kill(away.process.pid, signal.SIGCONT)
        seen = operator.frames["video0"]
        await media.until(lambda: operator.frames["video0"] > seen + 90, "the hub is back")
        assert commands.silent, "nothing is armed again by itself"
    async with Away(state, media) as away, commanding(away, media) as (commands, operator):
        away.kill()
        await away.process.wait()
        async with media.running_hub(
            MediaConfig(workers=1),
            state_dir=state,
            publisher_right=lambda vehicle: RIGHT,
            sign_in_valid=lambda sign_in: True,
        ) as hub:
            await media.until(lambda: len(hub.plane.sessions) == 2, "both sessions taken over")
            await media.until(lambda: commands.silent, "no grant was taken over")
            hub.plane.set_grant(media.BUS, "operator", 2)
            await media.until(lambda: not commands.silent, "a new one counts")


@contextlib.asynccontextmanager
async def commanding(hub, media):
    """A vehicle and the holder of its grant, with the channel between them open."""
    commands = Commanding()
    sending = None
    vehicle, operator = media.Peer(hub), media.Peer(hub)
    options = {"ordered": False, "maxRetransmits": 0}
    try:
        vehicle.pc.createDataChannel("command", **options).on("message", commands.on_frame)
        line = operator.pc.createDataChannel("command", **options)
        answer = await vehicle.publish(media.Camera())
        assert answer.status_code == 201, answer.text
        operator.pc.addTransceiver("video", direction="recvonly")
        await watching(operator, media)
        operator.count_frames()
        await media.until(lambda: line.readyState == "open", "the channel")
        sending = asyncio.create_task(commands.send(line), name="commands")
        await media.until(lambda: not commands.silent, "commands pass")
        yield commands, operator
    finally:
        if sending is not None:
            sending.cancel()
        await asyncio.gather(vehicle.close(), operator.close())


class Commanding:
    """Sends a frame every 50 ms and notes when the vehicle last got one."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.came_at = -1.0

    def on_frame(self, _):
        self.came_at = self.loop.time()

    async def send(self, line):
        while True:
            line.send(b"drive")
            await asyncio.sleep(0.05)

    @property
    def silent(self):
        return self.loop.time() - self.came_at > 1.5


async def test_a_worker_whose_rights_have_expired_is_gone(state, media):
    async with Away(state, media) as away, two_peers(away, media) as (_, operator):
        away.kill()
        await away.process.wait()
        assert alive(away.worker)
        seen = operator.frames["video0"]
        await media.until(lambda: not alive(away.worker), "the end of all rights", timeout=30)
        assert operator.frames["video0"] > seen
        assert not (state / "media" / "worker-0.sock").exists()


async def test_a_worker_without_sessions_ends_with_its_hub(state, media):
    async with Away(state, media) as away:
        away.kill()
        await media.until(lambda: not alive(away.worker), "nothing left to do")


async def test_a_frozen_worker_of_an_earlier_hub_gives_up_its_port(state, media):
    async with Away(state, media) as away, two_peers(away, media):
        os.kill(away.worker, signal.SIGSTOP)
        away.kill()
        await away.process.wait()
        async with media.running_hub(MediaConfig(workers=1), state_dir=state) as hub:
            assert hub.plane.worker_stats()[0].pid != away.worker
            await media.until(lambda: not alive(away.worker), "it was ended")


# ------------------------------------------------------------------- the handshake


async def greeted(state, token, schema=adoption.SCHEMA, raw=None):
    """Knock at a door; return what came back, and whether the door let anybody in."""
    doors = Doors(state)
    door = Door(doors.path(0), doors.token)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        waiting = asyncio.create_task(door.wait_for_hub(udp), name="door")
        knocking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        knocking.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            with adoption.address(doors.path(0)) as short:
                await loop.sock_connect(knocking, short)
            hello = raw if raw is not None else ipc.frame(ipc.Hello(token, schema))
            await loop.sock_sendall(knocking, hello)
            said = await loop.sock_recv(knocking, 1)
            return said, waiting.done()
        finally:
            knocking.close()
            if not waiting.done():
                waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await waiting).close()
            door.close()


async def test_only_the_right_word_opens_the_door(state):
    token = Doors(state).token
    assert (await greeted(state, token))[0] == adoption.TAKE
    assert (await greeted(state, "0" * 64))[0] == b""
    assert (await greeted(state, token, schema="another"))[0] == b""
    assert (await greeted(state, token, raw=b"\xff" * 64))[0] == b""
    assert (await greeted(state, token, raw=b"\x00\x00\x00\x01\xc1"))[0] == b""


def test_socket_and_token_are_for_this_user_alone(state):
    doors = Doors(state)
    door = Door(doors.path(0), doors.token)
    try:
        for name in ("token", "worker-0.sock"):
            assert stat.S_IMODE((state / "media" / name).stat().st_mode) & 0o077 == 0
        assert stat.S_IMODE((state / "media").stat().st_mode) == 0o700
        assert Doors(state).token == doors.token
    finally:
        door.close()


def test_a_token_that_others_could_read_is_made_anew(state):
    first = Doors(state).token
    (state / "media" / "token").chmod(0o644)
    assert Doors(state).token != first


def test_where_nobody_listens_nobody_is_taken_over(state):
    assert adopt(Doors(state).path(0), "token") is None


async def test_a_state_folder_deeper_than_a_sockets_address_is_no_hindrance(state):
    deep = state / ("long" * 30)
    deep.mkdir()
    assert (await greeted(deep, Doors(deep).token))[0] == adoption.TAKE


async def test_a_stray_process_is_waited_for_and_ended_by_its_descriptor():
    started = await processes.spawn([sys.executable, "-c", "input()"], stdout=None)
    stray = processes.Stray(started.pid, os.pidfd_open(started.pid))
    waiting = asyncio.create_task(stray.wait())
    assert stray.returncode is None
    stray.kill()
    assert await waiting == -1
    stray.terminate()
    assert await stray.wait() == stray.returncode == -1
    await started.wait()
