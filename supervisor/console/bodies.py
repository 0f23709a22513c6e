"""What a request carries, and what an error answers."""

from __future__ import annotations

from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from protocols.codec import ProtocolError, decode
from supervisor.console.guard import BODY_LIMIT, problem

T = TypeVar("T")


async def body_of(request: Request, kind: type[T]) -> T:
    """Return the JSON body of a request.

    Raises:
        HTTPException: 400, with the reason: it is none of this kind, or too large.
    """
    try:
        body: T = decode(await request.body(), kind, limit=BODY_LIMIT)
    except ProtocolError as error:
        raise HTTPException(400, f"{error.reason}: {error.detail}") from error
    return body


async def http_problem(request: Request, error: Exception) -> Response:
    """Answer an `HTTPException` as every other refusal is answered."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405 and "path" in request.path_params:
        error = HTTPException(404)  # only the route of all files matched: there is no such path
    reasons = {400: "malformed", 401: "not_signed_in", 404: "not_found", 405: "method_not_allowed"}
    reasons |= {408: "slow_body", 413: "oversize"}
    response = problem(error.status_code, reasons.get(error.status_code, "refused"), error.detail)
    response.headers.update(error.headers or {})
    return response
