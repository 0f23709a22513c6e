"""`/metrics` on its own port, apart from the console, behind a token of its own."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from supervisor.console.credentials import read_private, write_private
from supervisor.console.listening import ListenError, bind, is_loopback, serve
from supervisor.observability.exporter import Exporter

_NO_TOKEN: Final = "present the metrics token: Authorization: Bearer <token>\n"
MIN_TOKEN: Final = 16


class MetricsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where metrics are scraped.

    Attributes:
        listen: IP address; loopback, unless `insecure_http`.
        port: TCP port; 0 lets the system choose.
        fallback_ports: Take another port if this one is in use.
        token_file: Relative to the state directory; made at the first start.
        insecure_http: Allow an address that is not loopback. The token and the
            figures are then readable on that network.
    """

    listen: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 9464
    fallback_ports: bool = False
    token_file: str = "metrics.token"
    insecure_http: bool = False


class MetricsServer:
    """Serves one exporter until cancelled.

    Args:
        config: Where.
        exporter: What.
        state_dir: Where the token file is.

    Attributes:
        started: Set once scrapes are answered.
        url: Of the metrics; valid after `started`.

    Raises:
        ListenError: The address is not safe.
        CredentialsError: The token file is open to others or cannot be written.
    """

    def __init__(self, config: MetricsConfig, *, exporter: Exporter, state_dir: Path) -> None:
        if not is_loopback(config.listen) and not config.insecure_http:
            raise ListenError(
                f"[metrics] listen = {config.listen!r} is reachable from the network without TLS. "
                "Listen on 127.0.0.1 and let a proxy or an agent on this machine pass it on, or, "
                "on a closed network only, set insecure_http = true."
            )
        self._config = config
        self._exporter = exporter
        self._token = _token(state_dir / config.token_file)
        self.started = asyncio.Event()
        self.url = ""

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            ListenError: The port is taken or the address is not ours.
        """
        config = self._config
        bound = bind("metrics", config.listen, config.port, fallback=config.fallback_ports)
        host, port = bound.getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"
        await serve(
            Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET"])]),
            bound,
            name="metrics",
            started=self.started,
            counters=self._exporter.counters,
        )

    async def _answer(self, request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            self._exporter.counters.add("metrics_refused")
            return PlainTextResponse(_NO_TOKEN, 401, {"WWW-Authenticate": "Bearer"})
        if request.path_params["path"] != "metrics":
            return PlainTextResponse("only /metrics is here\n", 404)
        body, content_type = await self._exporter.scrape(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def _token(path: Path) -> str:
    """Return the token in `path`; make the file if there is none."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode() + b"\n")
    token = read_private(path, "delete it: a new one is made at the next start").decode(
        "ascii", "replace"
    )
    if len(token.strip()) < MIN_TOKEN:
        raise ListenError(
            f"{path}: holds no token of at least {MIN_TOKEN} characters. "
            "Delete it: a new one is made at the next start."
        )
    return token.strip()
