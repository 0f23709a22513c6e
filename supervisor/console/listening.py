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
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from supervisor.counters import Counters

log = logging.getLogger("enkan.console")

PORTS_TO_TRY: Final = 20
DRAIN_S: Final = 2
"""How long open connections may take to end before they are cut."""

SEND_BUFFER: Final = 131_072
"""Bytes of kernel send buffer for each connection. Small, so that a console which
does not read is noticed by its full buffer within seconds, not minutes."""

HEAD_WITHIN_S: Final = 10.0
"""A connection without a complete request head by then is cut."""

_PEER_FAULTS: Final = {
    "Invalid HTTP request received": "bad_http",
    "Unsupported upgrade request": "bad_upgrade",
    "Invalid UTF-8 sequence received from client": "bad_utf8",
}

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


class _Http(H11Protocol):
    """uvicorn's HTTP/1.1, which does not wait for ever for a request's head.

    Its own keep-alive timer runs between requests only: a peer that sends one byte of
    a head now and then would hold its connection without end.
    """

    _impatience: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._upgraded:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_expecting()
        elif self._impatience is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._upgraded = True
        self._stop_expecting()
        super().handle_websocket_upgrade(event)

    def _expect_head(self) -> None:
        self._impatience = self.loop.call_later(HEAD_WITHIN_S, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None


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


class _PeerFaults(logging.Filter):
    """Counts what uvicorn logs about malformed input, and drops the record: a stranger
    must not be able to fill the log, with tracebacks least of all."""

    def __init__(self, counters: Counters) -> None:
        super().__init__()
        self._counters = counters

    def filter(self, record: logging.LogRecord) -> bool:
        reason = _PEER_FAULTS.get(str(record.msg).partition(".")[0])
        if reason is not None:
            self._counters.add("http_refused", reason)
        return reason is None


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        answering: asyncio.Event,
        on_tls: Callable[[ssl.SSLContext], None],
    ) -> None:
        super().__init__(config)
        self._answering = answering
        self._on_tls = on_tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when connections are answered."""
        await super().startup(sockets=sockets)
        if self.config.ssl is not None:
            self._on_tls(self.config.ssl)
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
    counters: Counters,
    websocket_limit: int = 65_536,
    certificate: str = "",
    key: str = "",
    before_end: Callable[[], Awaitable[None]] | None = None,
    on_tls: Callable[[ssl.SSLContext], None] = lambda context: None,
) -> None:
    """Serve `app` on `bound` until cancelled, then drain for at most `DRAIN_S`.

    Args:
        app: The application.
        bound: From `bind`; closed on return.
        name: Of the task, for debugging.
        started: Set once connections are answered.
        counters: `http_refused` for what is no HTTP.
        websocket_limit: Greatest accepted WebSocket message, bytes.
        certificate: PEM file; empty for plain HTTP.
        key: PEM file of its private key.
        before_end: Called on cancellation while connections are still open.
        on_tls: Given the TLS context before connections are answered.

    Raises:
        ListenError: The server ended by itself.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=_Http,
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
        on_tls,
    )
    peer_faults = _PeerFaults(counters)
    logging.getLogger("uvicorn.error").addFilter(peer_faults)
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
            logging.getLogger("uvicorn.error").removeFilter(peer_faults)
    raise ListenError(f"{name}: the server ended by itself")
