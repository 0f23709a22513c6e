"""What holds for every request before any route sees it.

- Host: an IP address, `localhost` or a configured name. A foreign name that resolves
  to this machine (DNS rebinding) would otherwise be "the same origin".
- Origin: whatever changes state, and the WebSocket, must come from this very origin.
- Size and pace of the body.
- Headers that keep a browser from doing more than the console needs.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html.parser
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.console.access import MEDIA_PREFIXES, cookie_of
from supervisor.counters import Counters

BODY_LIMIT: Final = 4_096
"""Bytes; the largest is a sign-in."""

MEDIA_BODY_LIMIT: Final = 65_536
"""Bytes of one SDP."""

BODY_WITHIN_S: Final = 10.0
"""A body that is not complete by then is refused."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_UNCHECKED_HOST: Final = frozenset({"/healthz", "/readyz"})
"""Probes of an orchestrator name the hub as they like, and learn nothing."""


def problem(status: int, reason: str, detail: str, retry_after_s: int = 0) -> JSONResponse:
    """Return the one shape of every refusal: `reason` for programs, `detail` for people."""
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else None
    return JSONResponse({"reason": reason, "detail": detail}, status, headers)


class Origins:
    """Which hosts and origins are this console.

    Args:
        public: Origins under which proxies or names show it, as `https://name[:port]`.

    Raises:
        ValueError: One of them is no origin.
    """

    def __init__(self, public: Sequence[str]) -> None:
        self._public = frozenset(public)
        hosts = set()
        for origin in public:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.hostname
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(
                    f"{origin!r} is no origin: write scheme, name and port only, "
                    "for example https://enkan.example.jp"
                )
            hosts.add(parts.hostname)
        self._hosts = frozenset(hosts)

    def host_ok(self, host: str) -> bool:
        """Return whether a Host header names this console."""
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if not name or "@" in host or "/" in host:
            return False
        if name == "localhost" or name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def origin_ok(self, origin: str, scheme: str, host: str) -> bool:
        """Return whether `origin` is the one the request was sent to."""
        return origin == f"{_http(scheme)}://{host}" or (
            origin in self._public and urlsplit(origin).netloc == host
        )

    def secure(self, scheme: str, host: str) -> bool:
        """Return whether the browser speaks https, to us or to a known proxy."""
        return _http(scheme) == "https" or f"https://{host}" in self._public


class Guard:
    """The outermost ASGI layer.

    Args:
        app: The application behind it.
        origins: Which hosts and origins are allowed.
        script_hashes: CSP sources of the inline import maps.
        tile_origin: The one outside host whose map tiles pages may show; empty: none.
        counters: `http_refused` by reason.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: Origins,
        script_hashes: Sequence[str],
        counters: Counters,
        tile_origin: str = "",
    ) -> None:
        self._app = app
        self._origins = origins
        self._scripts = " ".join(["'self'", *script_hashes])
        self._outside = f" {tile_origin}" if tile_origin else ""
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request and pass it on, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._check(scope)
        if refusal is not None:
            reason, status, detail = refusal
            self._counters.add("http_refused", reason)
            await problem(status, reason, detail)(scope, receive, self._with_headers(scope, send))
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            limited = _Limited(receive, _limit(scope["path"]), self._counters)
            await self._app(scope, limited.receive, self._with_headers(scope, send))

    def _check(self, scope: Scope) -> tuple[str, int, str] | None:
        headers = Headers(scope=scope)
        path, host = scope["path"], headers.get("host", "")
        if path not in _UNCHECKED_HOST and not self._origins.host_ok(host):
            return (
                "bad_host",
                421,
                "this name is not known to be the console; "
                "list it in [console] public_origins, or use the address",
            )
        if not self._origin_ok(scope, headers, host):
            return "bad_origin", 403, "the request does not come from the console's own pages"
        length = headers.get("content-length", "0")
        if scope["type"] == "http" and (not length.isdigit() or int(length) > _limit(path)):
            return "oversize", 413, f"at most {_limit(path)} bytes"
        return None

    def _origin_ok(self, scope: Scope, headers: Headers, host: str) -> bool:
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return True
        origin = headers.get("origin")
        if origin is not None:
            return self._origins.origin_ok(origin, scope["scheme"], host)
        # Vehicles publish with a token and without an Origin; whoever brings our
        # cookie or wants one has to say where he comes from.
        return scope["path"].startswith(MEDIA_PREFIXES) and not cookie_of(HTTPConnection(scope))

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        host = Headers(scope=scope).get("host", "")
        known = self._origins.host_ok(host)
        sockets = f" ws://{host} wss://{host}" if known else ""
        secure = known and self._origins.secure(scope["scheme"], host)

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(raw=message["headers"])
                headers["Content-Security-Policy"] = (
                    f"default-src 'self'; script-src {self._scripts}; "
                    f"img-src 'self' data: blob:{self._outside}; media-src 'self' blob:; "
                    "worker-src 'self' blob:; "
                    f"connect-src 'self'{sockets}{self._outside}; object-src 'none'; "
                    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
                )
                headers["X-Content-Type-Options"] = "nosniff"
                headers["X-Frame-Options"] = "DENY"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Permissions-Policy"] = (
                    "camera=(self), microphone=(self), gamepad=(self), "
                    "screen-wake-lock=(self), geolocation=(), payment=(), usb=()"
                )
                if secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return send_with_headers


class _Limited:
    """A request body that may not grow over its limit nor dawdle."""

    def __init__(self, receive: Receive, limit: int, counters: Counters) -> None:
        self._receive = receive
        self._left = limit
        self._limit = limit
        self._counters = counters
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()  # waits for the end of the connection
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                message = await self._receive()
        except TimeoutError as error:
            self._counters.add("http_refused", "slow_body")
            raise HTTPException(408, "the request's body did not arrive in time") from error
        if message["type"] == "http.disconnect":
            self._counters.add("http_refused", "cut_body")
            raise HTTPException(400, "the connection ended before the request's body")
        self._left -= len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._left < 0:
            self._counters.add("http_refused", "oversize")
            raise HTTPException(413, f"at most {self._limit} bytes")
        return message


def import_map_hashes(page: Path) -> list[str]:
    """Return the CSP sources of a page's inline import maps (CSP3 §2.3.1).

    Browsers have no import maps from files, so that the map is the one inline script
    of the console; its hash lets exactly this text in.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    finder = _ImportMaps()
    finder.feed(text.replace("\r\n", "\n"))
    finder.close()
    return [
        "'sha256-" + base64.b64encode(hashlib.sha256(found.encode()).digest()).decode() + "'"
        for found in finder.found
    ]


class _ImportMaps(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and dict(attrs).get("type") == "importmap"
        if self._inside:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def _limit(path: str) -> int:
    return MEDIA_BODY_LIMIT if path.startswith(MEDIA_PREFIXES) else BODY_LIMIT


def _http(scheme: str) -> str:
    return {"ws": "http", "wss": "https"}.get(scheme, scheme)
