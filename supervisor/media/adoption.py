"""How the next hub takes over a media worker whose hub is gone: both ends.

    worker, when it begins      listens at media/worker-N.sock (0600) in the state folder
    its hub is gone             every grant is dropped at once; pictures and sound go on
                                until each session's right has expired, 10 s at most; then
                                the worker ends by itself
    a new hub                   connects, says the token of media/token (0600) and the
                                schema it speaks; is given the UDP socket; is told the
                                sessions; closes what it does not know or allow

A worker that does not answer, or speaks another schema, is ended: it holds the port.
Nothing is armed again by being adopted: grants are given anew or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import select
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from supervisor import processes
from supervisor.media import ipc
from supervisor.media.worker_process import TAKE

log = logging.getLogger("enkan.media")

ANSWER_S: Final = 2.0
"""How long either end waits for the other's word."""

SCHEMA: Final = hashlib.sha256(Path(ipc.__file__).read_bytes()).hexdigest()
"""What two ends must share; the text of the schema itself is the simplest exact name."""


class Doors:
    """The hub's folder of sockets and the token beside them.

    Raises:
        OSError: It cannot be made or read.
    """

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "media"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self.token = self._read_token()

    def _read_token(self) -> str:
        path = self._folder / "token"
        with contextlib.suppress(FileNotFoundError):
            known = path.read_text(encoding="ascii").strip()
            if len(known) == 64 and path.stat().st_mode & 0o077 == 0:
                return known
        token = secrets.token_hex(32)
        partial = path.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.chmod(0o600)
        partial.write_text(token, encoding="ascii")
        partial.replace(path)
        return token

    def path(self, index: int) -> str:
        """Return where worker `index` listens."""
        return str(self._folder / f"worker-{index}.sock")


@contextlib.contextmanager
def address(path: str) -> Iterator[str]:
    """Give an address of the socket at `path`, valid while the context lasts.

    The address of a Unix socket has 107 bytes (unix(7)), and folders lie deeper than that:
    it goes by a descriptor of the folder (proc(5), `/proc/self/fd`).

    Raises:
        OSError: The folder is not there.
    """
    folder, _, name = path.rpartition("/")
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


# ------------------------------------------------------------------ the hub's end


class Adopted(NamedTuple):
    """A running worker: its process, the hub's end of its link, its UDP socket."""

    process: processes.Stray
    control: socket.socket
    udp: socket.socket


def adopt(path: str, token: str) -> Adopted | None:
    """Take over the worker that listens at `path`; None if there is none to be had.

    Blocks for up to `ANSWER_S`; a worker that is there and cannot be had is ended.
    """
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.settimeout(ANSWER_S)
    try:
        with address(path) as short:
            control.connect(short)
        pid = _peer(control)
        pidfd = os.pidfd_open(pid)
    except OSError:  # nobody listens: the usual case
        control.close()
        return None
    try:
        control.sendall(ipc.frame(ipc.Hello(token, SCHEMA)))
        said, given, _, _ = socket.recv_fds(control, 1, 1)
    except OSError:
        said, given = b"", []
    if said == TAKE and given:
        control.setblocking(False)
        udp = socket.socket(fileno=given[0])
        udp.setblocking(False)
        return Adopted(processes.Stray(pid, pidfd), control, udp)
    log.warning("a media worker of an earlier hub cannot be taken over; it is ended")
    control.close()
    _end(pidfd)
    return None


def _peer(control: socket.socket) -> int:
    """Return the process that listens at the other end (SO_PEERCRED, unix(7))."""
    found = control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", found)[0])


def _end(pidfd: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    select.select([pidfd], [], [], ANSWER_S)
    os.close(pidfd)


# --------------------------------------------------------------- the worker's end


class Door:
    """Where the worker can be reached when its hub is gone."""

    def __init__(self, path: str, token: str) -> None:
        self._path = Path(path)
        self._token = token
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        before = os.umask(0o177)
        try:
            with address(path) as short:
                self._socket.bind(short)
        finally:
            os.umask(before)
        self._socket.listen(1)

    async def wait_for_hub(self, udp: socket.socket) -> socket.socket:
        """Return the connection of a hub that said the right word and has the UDP socket."""
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._socket)
            if await self._let_in(connection):
                socket.send_fds(connection, [TAKE], [udp.fileno()])
                return connection
            connection.close()

    async def _let_in(self, connection: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        data = b""
        try:
            async with asyncio.timeout(ANSWER_S):
                while (hello := ipc.parse_hello(data)) is None:
                    more = await loop.sock_recv(connection, ipc.MAX_HELLO)
                    if not more:
                        return False
                    data += more
        except (TimeoutError, OSError, ipc.IpcError):
            log.warning("somebody knocked at the media worker and did not say hello")
            return False
        if not hmac.compare_digest(hello.token.encode(), self._token.encode()):
            log.warning("somebody knocked at the media worker with another token")
            return False
        if hello.schema != SCHEMA:
            log.warning("another version of the hub cannot take this media worker over")
            return False
        return True

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self._path.unlink(missing_ok=True)
