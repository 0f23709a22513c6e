"""Signing in and out over HTTP, and giving the password once more.

A password that is given again begins another whole session time, and for `step_up_s`
control for driving may be asked for. Nothing that stops a vehicle ever asks for one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from supervisor.console.access import (
    PLAIN_COOKIE,
    SECURE_COOKIE,
    Access,
    SignInError,
    cookie_of,
)
from supervisor.console.bodies import body_of
from supervisor.console.guard import Origins, problem
from supervisor.core.events import AnyEvent, Operator, PasswordGiven

log = logging.getLogger("enkan.console")

PROBLEMS: Final = {
    "wrong": (401, "account or password is wrong"),
    "too_many_tries": (429, "too many failed sign-ins; wait and try again"),
    "busy": (503, "too many sign-ins at this moment; try again"),
    "full": (503, "too many sessions are open; sign out somewhere else"),
}


class _SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(max_length=256)]


class _Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    password: Annotated[str, Meta(max_length=256)]


async def signed_in(access: Access, request: Request) -> Operator:
    """Return who sent this request.

    Raises:
        HTTPException: 401: the session ended between the check and now.
    """
    operator = await access.account_of(request)
    if operator is None:
        raise HTTPException(401, "sign in first")
    return operator


class SignInRoutes:
    """The routes below `/api/session`.

    Args:
        access: Sessions and accounts.
        origins: Says whether a request came over https.
        on_event: Takes `PasswordGiven`: attempts are on record.
        on_proof: Called with the `Operator.session` whose password was given again.
    """

    def __init__(
        self,
        access: Access,
        origins: Origins,
        *,
        on_event: Callable[[AnyEvent], None],
        on_proof: Callable[[str], None],
    ) -> None:
        self._access = access
        self._origins = origins
        self._on_event = on_event
        self._on_proof = on_proof

    async def who(self, request: Request) -> Response:
        """Return the account of the session."""
        operator = await signed_in(self._access, request)
        return JSONResponse({"account": operator.account, "role": operator.role.value})

    async def sign_in(self, request: Request) -> Response:
        """Begin a session."""
        form = await body_of(request, _SignIn)
        try:
            found = await self._access.sign_in(form.name, form.password)
        except SignInError as refused:
            log.warning("sign-in refused: %s", refused.reason)
            return _refused(refused)
        self._access.sign_out(cookie_of(request))  # a new sign-in never inherits a session
        operator = found.operator
        log.info("%s signed in as %s", operator.account, operator.role.value)
        response = JSONResponse({"account": operator.account, "role": operator.role.value})
        secure = self._origins.secure(request.url.scheme, request.headers.get("host", ""))
        response.set_cookie(
            SECURE_COOKIE if secure else PLAIN_COOKIE,
            found.cookie,
            path="/",
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        return response

    async def prove(self, request: Request) -> Response:
        """Take the session's password once more."""
        operator = await signed_in(self._access, request)
        form = await body_of(request, _Proof)
        try:
            await self._access.prove(cookie_of(request), form.password)
        except SignInError as refused:
            log.warning("password of %s refused: %s", operator.account, refused.reason)
            if refused.on_record:
                self._on_event(PasswordGiven(operator, refused.reason))
            # 401 would say that the session is over.
            return _refused(refused, {"wrong": (403, "the password is wrong")})
        self._on_event(PasswordGiven(operator, ""))
        self._on_proof(operator.session)
        return Response(status_code=204)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        self._access.sign_out(cookie_of(request))
        response = Response(status_code=204)
        response.delete_cookie(SECURE_COOKIE, secure=True, httponly=True, samesite="strict")
        response.delete_cookie(PLAIN_COOKIE, httponly=True, samesite="strict")
        return response


def _refused(refused: SignInError, other: dict[str, tuple[int, str]] | None = None) -> Response:
    status, detail = (PROBLEMS | (other or {}))[refused.reason]
    return problem(status, refused.reason, detail, refused.retry_after_s)
