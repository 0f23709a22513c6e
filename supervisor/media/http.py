"""WHIP (RFC 9725) and WHEP over Starlette: who may open and end a media session.

Every refusal is a problem document (RFC 9457) that says what was refused, why, and
what to do, with a short `reason` for programs.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from protocols.codec import ProtocolError
from protocols.ids import check_name
from protocols.topics import VehicleId
from supervisor import clock
from supervisor.media.errors import NotPublishingError, UnavailableError
from supervisor.media.fragment import MAX_FRAGMENT, parse_fragment
from supervisor.media.pace import Pace
from supervisor.media.sdp import MAX_SDP
from supervisor.rtp.layers import Choice

if TYPE_CHECKING:
    from supervisor.media.plane import MediaPlane
    from supervisor.media.session import Session

MAX_CAMERAS_ASKED: Final = 16
MAX_WISHES: Final = 2_048
"""Bytes of one request for layers."""

_SDP: Final = "application/sdp"
_FRAGMENT: Final = "application/trickle-ice-sdpfrag"
_JSON: Final = "application/json"
_wishes = msgspec.json.Decoder(dict[str, Choice])
_STATUS: Final = {"oversize": 413, "unknown_camera": 404}


class _RefusalError(Exception):
    """An answer other than success."""

    def __init__(
        self,
        status: int,
        reason: str,
        title: str,
        detail: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.response = JSONResponse(
            {"title": title, "status": status, "detail": detail, "reason": reason},
            status,
            headers=headers,
            media_type="application/problem+json",
        )
        self.reason = reason


def _refused(error: ProtocolError) -> _RefusalError:
    return _RefusalError(
        _STATUS.get(error.reason, 400),
        error.reason,
        "The offer cannot be served",
        f"{error.detail}. Correct the offer and send it again.",
    )


def _vehicle(request: Request) -> VehicleId:
    return VehicleId(
        check_name(request.path_params["site"], "site"),
        check_name(request.path_params["vehicle"], "vehicle"),
    )


def _cameras(request: Request) -> list[str]:
    text = request.query_params.get("cameras", "")
    names = [check_name(name, "camera") for name in text.split(",")] if text else []
    if len(names) > MAX_CAMERAS_ASKED:
        raise ProtocolError("bad_name", f"more than {MAX_CAMERAS_ASKED} cameras")
    return names


def parse_wishes(data: bytes) -> dict[str, Choice]:
    """Return a watcher's wishes, `{"front": "low"}`.

    Raises:
        ProtocolError: `bad_layer`, `bad_name`.
    """
    try:
        wishes = _wishes.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProtocolError("bad_layer", f"layers: {error}") from error
    for camera in wishes:
        check_name(camera, "camera")
    return wishes


def _choice(text: str) -> Choice:
    choice: Choice = msgspec.convert(text, Choice)
    return choice


def _layer(request: Request) -> Choice:
    text = request.query_params.get("layer", "high")
    try:
        return _choice(text)
    except msgspec.ValidationError as error:
        raise ProtocolError("bad_layer", "layer must be low, high or auto") from error


async def _body(request: Request, kind: str, limit: int) -> bytes:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != kind:
        raise _RefusalError(
            415,
            "media_type",
            "This content type is not taken",
            f"Content-Type is {content_type[:64]!r}. Send {kind}.",
            {"Accept-Post": _SDP},
        )
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise ProtocolError("oversize", f"more than {limit} bytes")
    return bytes(data)


class _Door(abc.ABC):
    """What WHIP and WHEP have in common."""

    def __init__(self, plane: MediaPlane, path: str) -> None:
        self.plane = plane
        self.path = path

    def routes(self) -> list[BaseRoute]:
        """Return the routes of this door."""
        base = f"/{self.path}/{{site}}/{{vehicle}}"
        return [
            Route(base, self.collection, methods=["POST", "OPTIONS"], name=self.path),
            Route(
                base + "/{session}",
                self.resource,
                methods=["PATCH", "DELETE", "OPTIONS"],
                name=f"{self.path}_session",
            ),
        ]

    async def collection(self, request: Request) -> Response:
        """POST an offer, or ask what is possible."""
        if request.method == "OPTIONS":
            return Response(
                status_code=204, headers={"Allow": "OPTIONS, POST", "Accept-Post": _SDP}
            )
        return await self._answered(request, self._post)

    async def resource(self, request: Request) -> Response:
        """PATCH or DELETE a session, or ask what is possible."""
        if request.method == "OPTIONS":
            return Response(
                status_code=204,
                headers={"Allow": "OPTIONS, PATCH, DELETE", "Accept-Patch": _FRAGMENT},
            )
        return await self._answered(
            request, self._delete if request.method == "DELETE" else self._patch
        )

    async def _answered(
        self, request: Request, act: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        try:
            if request.method != "DELETE":
                host = request.client.host if request.client is not None else ""
                self._pace(self.plane.pace_of_address, host, "This address")
            return await act(request)
        except _RefusalError as error:
            refused = error
        except ProtocolError as error:
            refused = _refused(error)
        except NotPublishingError:
            refused = _RefusalError(
                404,
                "not_publishing",
                "The vehicle sends no video now",
                "No publisher of this vehicle is connected. Ask again in a second.",
                {"Retry-After": "1"},
            )
        except UnavailableError as error:
            refused = _RefusalError(
                503,
                "unavailable",
                "No media session can be opened now",
                f"Because {error}. Ask again in a second.",
                {"Retry-After": "1"},
            )
        self.plane.counters.add("media_signalling_refused", refused.reason)
        return refused.response

    def _created(self, request: Request, session: Session, answer: str) -> Response:
        return Response(
            answer,
            201,
            headers={
                "Location": f"{request.url.path.rstrip('/')}/{session.id}",
                "ETag": f'"{session.etag}"',
                "Cache-Control": "no-store",
            },
            media_type=_SDP,
        )

    @abc.abstractmethod
    async def _post(self, request: Request) -> Response:
        """Open a session for who may have one."""

    @abc.abstractmethod
    async def _mine(self, request: Request) -> Session:
        """Return the session a request is about, if it is the asker's."""

    def _unknown(self) -> _RefusalError:
        return _RefusalError(
            404, "unknown_session", "No such session", "It has ended. Open a new one by POST."
        )

    async def _delete(self, request: Request) -> Response:
        self.plane.close(await self._mine(request))
        return Response(status_code=200)

    async def _patch(self, request: Request) -> Response:
        """Trickle, or an ICE restart (RFC 9725 §4.3.1 to §4.3.3)."""
        session = await self._mine(request)
        wanted = request.headers.get("if-match")
        if wanted is None:
            raise _RefusalError(
                428,
                "no_if_match",
                "If-Match is missing",
                "Send the session's ETag, or * to restart ICE.",
            )
        tags = [tag.strip() for tag in wanted.split(",")]
        if tags != ["*"] and f'"{session.etag}"' not in tags:
            raise _RefusalError(
                412,
                "other_etag",
                "This is not the present ICE session",
                "ICE was restarted since. Send the newest ETag, or * to restart ICE again.",
            )
        fragment = parse_fragment(await _body(request, _FRAGMENT, MAX_FRAGMENT))
        if not fragment.ufrag or fragment.ufrag == session.remote_ufrag:
            return Response(status_code=204)
        if tags != ["*"] or len(fragment.password) < 22:
            raise ProtocolError(
                "bad_fragment",
                "an ICE restart needs If-Match: * and a password of 22 characters or more",
            )
        answer = self.plane.restart_ice(session, fragment.ufrag)
        return Response(
            answer,
            200,
            headers={"ETag": f'"{session.etag}"', "Cache-Control": "no-store"},
            media_type=_FRAGMENT,
        )

    def _pace(self, pace: Pace, asker: Hashable, who: str) -> None:
        wait_s = pace.wait_s(asker, clock.monotonic_ns())
        if wait_s:
            raise _RefusalError(
                429,
                "too_often",
                "Asked too often",
                f"{who} asks for media sessions too often. Wait as Retry-After says.",
                {"Retry-After": str(wait_s)},
            )


class _Whip(_Door):
    """Vehicles publish."""

    def _authorise(self, request: Request, vehicle_id: VehicleId) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and token:
            if self.plane.authorise_publisher(vehicle_id, token):
                return
            challenge = 'Bearer realm="enkan", error="invalid_token"'
            why = "The token is not this vehicle's."
        else:
            challenge = 'Bearer realm="enkan"'
            why = "There is no bearer token."
        raise _RefusalError(
            401,
            "unauthorised",
            "Not allowed to publish this vehicle",
            f"{why} Send `Authorization: Bearer` with the token of this vehicle.",
            {"WWW-Authenticate": challenge},
        )

    async def _post(self, request: Request) -> Response:
        vehicle_id = _vehicle(request)
        self._authorise(request, vehicle_id)
        self._pace(self.plane.pace_of_vehicle, vehicle_id, "This vehicle")
        offer = await _body(request, _SDP, MAX_SDP)
        session, answer = await self.plane.open_publisher(vehicle_id, offer, _cameras(request))
        return self._created(request, session, answer)

    async def _mine(self, request: Request) -> Session:
        vehicle_id = _vehicle(request)
        self._authorise(request, vehicle_id)
        session = self.plane.sessions.get(request.path_params["session"])
        if session is None or not session.publisher or session.vehicle_id != vehicle_id:
            raise self._unknown()
        return session


class _Whep(_Door):
    """Operators watch."""

    async def _account(self, request: Request) -> str:
        account = await self.plane.authorise_watcher(request)
        if account is None:
            raise _RefusalError(
                401,
                "unauthorised",
                "Not allowed to watch",
                "Nobody is signed in. Sign in and try again.",
                {"WWW-Authenticate": 'Bearer realm="enkan"'},
            )
        return account

    async def _post(self, request: Request) -> Response:
        account = await self._account(request)
        vehicle_id = _vehicle(request)
        self._pace(self.plane.pace_of_seat, (account, vehicle_id), "This sign-in")
        offer = await _body(request, _SDP, MAX_SDP)
        session, answer = await self.plane.open_watcher(
            vehicle_id, account, offer, _cameras(request), _layer(request)
        )
        return self._created(request, session, answer)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of this door."""
        path = f"/{self.path}/{{site}}/{{vehicle}}/{{session}}/layers"
        layers = Route(path, self.layers, methods=["POST"], name=f"{self.path}_layers")
        return [*super().routes(), layers]

    async def layers(self, request: Request) -> Response:
        """POST which size of each camera is wanted: `{"front": "low"}`."""
        return await self._answered(request, self._set_layers)

    async def _set_layers(self, request: Request) -> Response:
        session = await self._mine(request)
        self.plane.set_layers(session, parse_wishes(await _body(request, _JSON, MAX_WISHES)))
        return Response(status_code=204)

    async def _mine(self, request: Request) -> Session:
        account = await self._account(request)
        session = self.plane.sessions.get(request.path_params["session"])
        if (
            session is None
            or session.publisher
            or session.vehicle_id != _vehicle(request)
            or session.account != account
        ):
            raise self._unknown()
        return session


def build_routes(plane: MediaPlane) -> list[BaseRoute]:
    """Return the routes of WHIP and WHEP."""
    return [*_Whip(plane, "whip").routes(), *_Whep(plane, "whep").routes()]
