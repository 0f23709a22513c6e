"""WHIP (RFC 9725): hand an offer to the hub over HTTP and get its answer.

Nothing but two requests: POST creates the session and names its resource, DELETE
ends it.
"""

from __future__ import annotations

import ssl
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

MAX_ANSWER_BYTES: Final = 65_536
TIMEOUT_S: Final = 5.0
CONNECT_S: Final = 2.5
"""Two SYNs (after 0 and 1 s) and a round trip of a bad day."""


class WhipError(Exception):
    """The hub did not take the offer.

    Attributes:
        unauthorized: The token is wrong: asking again soon does not help.
    """

    def __init__(self, text: str, *, unauthorized: bool = False) -> None:
        super().__init__(text)
        self.unauthorized = unauthorized


class WhipClient:
    """Talks to one endpoint with one bearer token (never logged)."""

    def __init__(self, url: str, token: str, verify: ssl.SSLContext | bool) -> None:
        self._url = url
        self._http = httpx.AsyncClient(
            verify=verify,
            timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_S),
            # A connection kept from another network would hang until its time is over.
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
        )

    async def publish(self, offer: str) -> tuple[str, str]:
        """Return (answer, resource address).

        Raises:
            WhipError: Not reached, refused, or not a WHIP answer.
        """
        headers = {"Content-Type": "application/sdp", "Accept": "application/sdp"}
        try:
            async with self._http.stream(
                "POST", self._url, content=offer.encode(), headers=headers
            ) as response:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise WhipError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        except httpx.HTTPError as error:
            raise WhipError(f"hub not reached: {_reason(error)}") from error
        if response.status_code in (401, 403):
            raise WhipError(
                f"the hub refuses the token of hub.credentials ({response.status_code})",
                unauthorized=True,
            )
        if response.status_code != 201:
            said = body[:200].decode("utf-8", "replace").replace("\n", " ")
            raise WhipError(f"the hub answered {response.status_code} {said}".rstrip())
        location = response.headers.get("Location", "")
        if not location:
            raise WhipError("the hub answered without a Location")
        resource = urljoin(self._url, location)
        if urlsplit(resource).netloc != urlsplit(self._url).netloc:
            raise WhipError("the hub named a resource on another host")
        return body.decode("utf-8", "replace"), resource

    async def delete(self, resource: str) -> None:
        """End a session.

        Raises:
            WhipError: Not reached. The hub notices the silence by itself.
        """
        try:
            await self._http.delete(resource, timeout=CONNECT_S)
        except httpx.HTTPError as error:
            raise WhipError(f"hub not reached: {_reason(error)}") from error

    async def close(self) -> None:
        """Close idle connections."""
        await self._http.aclose()


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
