"""Janus as a forwarder under test: its video room, over its Unix socket interface.

Janus is not part of Enkan; it is measured only if the person who asks for it has
installed it. It runs with its own defaults, except that it is ICE-lite as our hub is,
loads the video room alone and keeps its log short.

A publisher sends an offer as everywhere. A watcher is *sent* an offer by Janus; both
sides of our watcher's exchange are then turned round here: his offer becomes the answer
for Janus, and Janus's offer the answer for him, in which he is the one to dial.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import secrets
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

from loadtests.children import POLL_S, spawn, stop, until
from loadtests.errors import BenchError

INSTALL: Final = "Janus is not on the PATH. On Debian or Ubuntu: apt-get install janus"
READY_WITHIN_S: Final = 20.0
START_TRIES: Final = 3
"""Janus 1.1.2 was once seen to end at start because none of its transports was ready."""

NO_SUCH_FEED: Final = 428
"""Its error code for a publisher that has no media yet."""

REPLY_WITHIN_S: Final = 20.0
MAX_MESSAGE: Final = 65_536

Json = dict[str, Any]

_OTHER_PLUGINS: Final = ",".join(
    f"libjanus_{name}.so"
    for name in (
        *("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "sip"),
        *("streaming", "textroom", "videocall", "voicemail"),
    )
)
_OTHER_TRANSPORTS: Final = ",".join(
    f"libjanus_{name}.so" for name in ("http", "mqtt", "nanomsg", "rabbitmq", "websockets")
)


class JanusProcess:
    """A Janus in `folder`; see `under_test.ForwarderUnderTest`."""

    def __init__(self, folder: Path) -> None:
        self.name = "janus"
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._api: _Api | None = None
        self._publishers: dict[int, int] = {}

    async def start(self, streams: int) -> None:
        """Start Janus and open a session.

        Raises:
            BenchError: It is not installed or did not start.
        """
        program = shutil.which("janus")
        if program is None:
            raise BenchError(INSTALL)
        self.name = f"janus {await asyncio.to_thread(_version, program)}"
        path = self._folder / "api"
        _configure(self._folder, path)
        connection = None
        for _ in range(START_TRIES):
            if connection is None:
                connection = await self._launch(program, path)
        if connection is None:
            log = (self._folder / "janus.log").read_text(encoding="utf-8", errors="replace")
            raise BenchError(f"Janus ended by itself: {log[-300:]}")
        self._api = _Api(connection)
        await self._api.open()
        room = await self._api.attach()
        for stream in range(streams):
            await self._api.message(
                room,
                {
                    "request": "create",
                    "room": stream + 1,
                    "publishers": 1,
                    "videocodec": "h264",
                    "notify_joining": False,
                    "bitrate": 0,
                },
            )

    async def publish(self, stream: int, offer: str) -> str:
        """Join a room as its publisher."""
        assert self._api is not None
        reply = await self._api.message(
            await self._api.attach(),
            {
                "request": "joinandconfigure",
                "ptype": "publisher",
                "room": stream + 1,
                "audio": False,
                "video": True,
            },
            {"type": "offer", "sdp": offer},
        )
        self._publishers[stream] = reply["plugindata"]["data"]["id"]
        return _sdp_of(reply)

    async def watch(self, stream: int, offer: str) -> str:
        """Join a room as a subscriber, with the exchange turned round."""
        assert self._api is not None
        handle = await self._api.attach()
        join: Json = {"request": "join", "ptype": "subscriber", "room": stream + 1}
        join["streams"] = [{"feed": self._publishers[stream]}]
        reply = await self._api.message(handle, join, not_yet=NO_SUCH_FEED)
        theirs = _sdp_of(reply)
        await self._api.message(
            handle, {"request": "start"}, {"type": "answer", "sdp": turned_round(offer, theirs)}
        )
        return theirs.replace("a=setup:actpass", "a=setup:passive")

    def pids(self) -> list[int]:
        """Return the Janus process; all its threads count."""
        assert self._process is not None
        return [self._process.pid]

    async def stop(self) -> None:
        """End Janus."""
        if self._api is not None:
            self._api.close()
        if self._process is not None:
            await stop(self._process, terminate=True)

    async def _launch(self, program: str, path: Path) -> socket.socket | None:
        """Start Janus; return a connection to it, or None if it ended by itself."""
        with (self._folder / "janus.log").open("wb") as log:
            process = await spawn(
                *(program, "-F", str(self._folder)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log.fileno(),
                stderr=log.fileno(),
            )
        self._process = process

        def dial() -> socket.socket | bool | None:
            return False if process.returncode is not None else _dial(path)

        found = await until(dial, "Janus's socket", READY_WITHIN_S)
        return found if isinstance(found, socket.socket) else None


def _dial(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    connection.setblocking(False)
    return connection


class _Api:
    """Janus's JSON messages: one transaction at a time, events in between are skipped."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._session: Json = {}

    async def open(self) -> None:
        """Create the session."""
        reply = await self._ask({"janus": "create"}, {"success"})
        self._session = {"session_id": reply["data"]["id"]}

    async def attach(self) -> int:
        """Return a new handle of the video room plugin."""
        reply = await self._ask(
            {"janus": "attach", "plugin": "janus.plugin.videoroom"}, {"success"}
        )
        return int(reply["data"]["id"])

    async def message(
        self, handle: int, body: Json, jsep: Json | None = None, not_yet: int = 0
    ) -> Json:
        """Send a message to the plugin and return its answer.

        Args:
            not_yet: An error code that means "ask again".
        """
        request: Json = {"janus": "message", "handle_id": handle, "body": body}
        if jsep is not None:
            request["jsep"] = jsep
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_WITHIN_S
        while True:
            reply = await self._ask(request, {"success", "event"})
            data = reply.get("plugindata", {}).get("data", {})
            if "error" not in data:
                return reply
            if data.get("error_code") != not_yet or loop.time() > deadline:
                raise BenchError(f"Janus refused {body['request']}: {data['error']}")
            await asyncio.sleep(POLL_S)

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()

    async def _ask(self, request: Json, wanted: set[str]) -> Json:
        transaction = f"{next(self._numbers)}-{secrets.token_hex(4)}"
        loop = asyncio.get_running_loop()
        text = json.dumps({**self._session, **request, "transaction": transaction})
        try:
            async with asyncio.timeout(REPLY_WITHIN_S):
                await loop.sock_sendall(self._connection, text.encode())
                while True:
                    data = await loop.sock_recv(self._connection, MAX_MESSAGE)
                    if not data:
                        raise BenchError("Janus has closed its socket")
                    reply: Json = json.loads(data)
                    if reply.get("transaction") != transaction or reply["janus"] == "ack":
                        continue
                    if reply["janus"] not in wanted:
                        raise BenchError(f"Janus refused {request['janus']}: {reply}")
                    return reply
        except (TimeoutError, OSError) as error:
            raise BenchError(f"Janus does not answer {request['janus']}") from error


def turned_round(watcher_offer: str, janus_offer: str) -> str:
    """Return the answer that Janus needs, made from our watcher's offer.

    Raises:
        BenchError: Janus offered something other than one video.
    """
    media = re.search(r"^m=video \d+ (\S+) (\d+)", janus_offer, re.MULTILINE)
    mid = re.search(r"^a=mid:(\S+)", janus_offer, re.MULTILINE)
    if media is None or mid is None:
        raise BenchError("Janus offered no video to a watcher")
    own = ("a=ice-", "a=fingerprint:", "a=candidate:", "a=end-of-candidates")
    rtp = (f"a=rtpmap:{media[2]} ", f"a=fmtp:{media[2]} ")
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {mid[1]}",
        f"m=video 9 {media[1]} {media[2]}",
        "c=IN IP4 127.0.0.1",
        f"a=mid:{mid[1]}",
        "a=recvonly",
        "a=rtcp-mux",
        "a=setup:active",
        *(line for line in janus_offer.splitlines() if line.startswith(rtp)),
        f"a=rtcp-fb:{media[2]} nack",
        f"a=rtcp-fb:{media[2]} nack pli",
        *(line for line in watcher_offer.splitlines() if line.startswith(own)),
    ]
    return "\r\n".join(lines) + "\r\n"


def _sdp_of(reply: Json) -> str:
    with contextlib.suppress(KeyError):
        return str(reply["jsep"]["sdp"])
    raise BenchError(f"Janus sent no session description: {reply}")


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\((\d+\.\d+\.\d+)\)", done.stdout + done.stderr)
    return found[1] if found else "of unknown version"


def _configure(folder: Path, path: Path) -> None:
    files = {
        "janus.jcfg": (
            f'general: {{ configs_folder = "{folder}"; debug_level = 3; session_timeout = 0 }}\n'
            "media: { }\nnat: { ice_lite = true }\n"
            f'plugins: {{ disable = "{_OTHER_PLUGINS}" }}\n'
            f'transports: {{ disable = "{_OTHER_TRANSPORTS}" }}\n'
        ),
        "janus.transport.pfunix.jcfg": (
            f'general: {{ enabled = true; json = "compact"; path = "{path}"; '
            'type = "SOCK_SEQPACKET" }\nadmin: { admin_enabled = false }\n'
        ),
        "janus.plugin.videoroom.jcfg": "general: { }\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
