"""A bound socket, and a uvicorn server that leaves signals to its owner.

The socket is bound here and not by uvicorn, because a taken port must be a clear
sentence (or another port), and not a logged traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

log = logging.getLogger("enkan.console")

PORTS_TO_TRY: Final = 20
DRAIN_S: Final = 2
"""How long open connections may take to end before they are cut."""

SEND_BUFFER: Final = 131_072
"""Bytes of kernel send buffer for each connection. Small, so that a console which
does not read is noticed by its full buffer within seconds, not minutes."""

PING_EVERY_S: Final = 2.5
PONG_WITHIN_S: Final = 5.0


class ListenError(Exception):
    """A server cannot listen; the text says what, why and what to do."""


class PortTakenError(ListenError):
    """Another program listens on that port."""


class Wire:
    """One WebSocket's transport, as `scope["state"]["wire"]`.

    Attributes:
        silent: The peer did not answer a ping within `PONG_WITHIN_S`.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.silent = False

    def abort(self) -> None:
        """Cut the connection; unsent bytes are dropped."""
        self._transport.abort()


class _WebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, whose application can cut it and learns of a dead peer."""

    _wire: Wire | None = None

    def handle_connect(self, event: Request) -> None:
        self._wire = Wire(self.transport)
        self.app_state = {**self.app_state, "wire": self._wire}
        super().handle_connect(event)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        if self._wire is not None:
            self._wire.silent = True
            self._wire.abort()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, answering: asyncio.Event) -> None:
        super().__init__(config)
        self._answering = answering

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when connections are answered."""
        await super().startup(sockets=sockets)
        self._answering.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the process has one owner, and it is not uvicorn."""
        yield


def is_loopback(address: str) -> bool:
    """Return whether `address` (an IP literal or `localhost`) is loopback only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def bind(what: str, address: str, port: int, *, fallback: bool = False) -> socket.socket:
    """Return a TCP socket bound to `address` and `port`, not yet listening.

    Args:
        what: Section of the configuration, for the error text.
        address: An IP literal or `localhost`.
        port: 0 lets the system choose.
        fallback: If the port is taken, take one of the next ports, or any.

    Raises:
        PortTakenError: The port is in use and `fallback` is off.
        ListenError: The address is no address of this machine, or not allowed.
    """
    host = "127.0.0.1" if address == "localhost" else address
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError as error:
        raise ListenError(
            f"[{what}] listen = {address!r} is no IP address. "
            "Use 127.0.0.1, or the address of the network card the console is reached by."
        ) from error
    candidates = [port]
    if fallback and port:
        candidates += [p for p in range(port + 1, port + PORTS_TO_TRY) if p < 65_536] + [0]
    for candidate in candidates:
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            bound.bind((host, candidate))
            bound.listen(128)  # finds a second listener that SO_REUSEADDR would let through
        except OSError as error:
            bound.close()
            if error.errno != errno.EADDRINUSE:
                raise ListenError(
                    f"[{what}] cannot listen on {address} port {candidate}: {error.strerror}. "
                    "Check `listen` against `ip address`; ports below 1024 need a privilege."
                ) from error
            continue
        bound.setblocking(False)
        return bound
    raise PortTakenError(
        f"[{what}] port {port} on {address} is taken by another program. "
        f"End that program (`ss -ltnp 'sport = :{port}'` names it), or set another `port`."
    )


async def serve(
    app: ASGIApp,
    bound: socket.socket,
    *,
    name: str,
    started: asyncio.Event,
    websocket_limit: int = 65_536,
    certificate: str = "",
    key: str = "",
    before_end: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve `app` on `bound` until cancelled, then drain for at most `DRAIN_S`.

    Args:
        app: The application.
        bound: From `bind`; closed on return.
        name: Of the task, for debugging.
        started: Set once connections are answered.
        websocket_limit: Greatest accepted WebSocket message, bytes.
        certificate: PEM file; empty for plain HTTP.
        key: PEM file of its private key.
        before_end: Called on cancellation while connections are still open.

    Raises:
        ListenError: The server ended by itself.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http="h11",
            ws=_WebSocket,
            ws_max_size=websocket_limit,
            ws_per_message_deflate=False,
            ws_ping_interval=PING_EVERY_S,
            ws_ping_timeout=PONG_WITHIN_S,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=32_768,
            limit_concurrency=1_000,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=DRAIN_S,
            ssl_certfile=certificate or None,
            ssl_keyfile=key or None,
        ),
        started,
    )
    task = asyncio.create_task(server.serve(sockets=[bound]), name=name)
    try:
        await asyncio.wait([task])
    finally:
        if before_end is not None:
            await before_end()
        server.should_exit = True
        try:
            await task
        finally:
            bound.close()
    raise ListenError(f"{name}: the server ended by itself")
