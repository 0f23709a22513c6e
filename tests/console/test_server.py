"""HTTP: who gets what, from where, and what each refusal says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

from protocols.equipment import Equipment
from protocols.operator import Role
from protocols.topics import VehicleId
from protocols.vehicle import EmergencyStop, Stop
from supervisor.console.access import ROUTES, Operation, Rule, allowed
from supervisor.core import effects, events
from supervisor.vitals import Part, State

pytestmark = pytest.mark.integration

BUS = VehicleId("maebashi", "bus-01")
PASSWORD = "correct horse battery"
STOP_PATH = "/api/vehicles/maebashi/bus-01/stop"
EMERGENCY_PATH = "/api/vehicles/maebashi/bus-01/emergency-stop"

EXAMPLES = {
    ("GET", "/api/session"): "/api/session",
    ("DELETE", "/api/session"): "/api/session",
    ("GET", "/version"): "/version",
    ("POST", "/api/vehicles/{site}/{vehicle}/stop"): STOP_PATH,
    ("POST", "/api/vehicles/{site}/{vehicle}/emergency-stop"): EMERGENCY_PATH,
    ("GET", "/api/fleet"): "/api/fleet",
    ("POST", "/api/session/proof"): "/api/session/proof",
    ("GET", "/ws"): "",  # tested in test_operator_socket.py
    ("GET", "/runbooks/{language}/{key}"): "/runbooks/ja/takeover.requested",
    ("GET", "/basemaps/index.json"): "/basemaps/index.json",
    ("GET", "/basemaps/{name}.geojson"): "/basemaps/maebashi.geojson",
}


def reason(answer: httpx.Response) -> str:
    value = answer.json()["reason"]
    assert isinstance(value, str) and answer.json()["detail"]
    return value


# ---------------------------------------------------------------- access to routes


async def test_every_route_has_an_entry_in_the_access_table(hub: Any) -> None:
    starlette = hub.console.app._app
    routed = set()
    for route in starlette.routes:
        if isinstance(route, WebSocketRoute):
            routed.add(("GET", route.path))
        else:
            assert isinstance(route, Route) and route.methods is not None
            routed |= {(method, route.path) for method in route.methods - {"HEAD"}}
    assert routed == set(ROUTES)


def test_every_protected_route_has_an_example() -> None:
    assert set(EXAMPLES) == {key for key, rule in ROUTES.items() if isinstance(rule, Operation)}


@pytest.mark.parametrize(("method", "path"), [(m, p) for (m, _), p in EXAMPLES.items() if p])
async def test_without_a_session_the_answer_is_401(hub: Any, method: str, path: str) -> None:
    async with hub.client() as client:
        answer = await client.request(method, path)
    assert answer.status_code == 401
    assert reason(answer) == "not_signed_in"


@pytest.mark.parametrize("role", Role)
async def test_every_role_gets_what_the_table_says(hub: Any, role: Role) -> None:
    name = "aoki" if role is Role.OPERATOR else role.value
    async with hub.sign_in(name) as client:
        for key, path in EXAMPLES.items():
            if not path or key[0] == "DELETE":
                continue
            rule = ROUTES[key]
            assert isinstance(rule, Operation)
            answer = await client.request(key[0], path, json={"command_id": "c1"})
            assert (answer.status_code == 403) == (not allowed(role, rule)), (role, key)
            assert answer.status_code != 401


async def test_a_runbook_is_a_page_without_scripts_in_the_readers_language(hub: Any) -> None:
    async with hub.sign_in() as client:
        for language, word in (("ja", "手順"), ("en", "What to do")):
            answer = await client.get(f"/runbooks/{language}/link.lost")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/html")
            assert "content-security-policy" in answer.headers
            assert f"<h2>{word}</h2>" in answer.text
            assert "<script" not in answer.text and "style=" not in answer.text
        for wrong in ("fr/link.lost", "en/no.such", "en/..%2f..%2fREADME", "en/gate"):
            assert (await client.get(f"/runbooks/{wrong}")).status_code == 404, wrong


async def test_health_answers_anyone_under_any_name(hub: Any) -> None:
    async with hub.client() as client:
        anywhere = {"Host": "probe.internal"}
        assert (await client.get("/healthz", headers=anywhere)).text == "ok\n"
        ready = await client.get("/readyz", headers=anywhere)
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        hub.parts["clock"] = Part(State.NOT_OK, "nobody keeps it", 1.5, required=False)
        assert (await client.get("/readyz")).status_code == 200, "told, not judged"
        for state in (State.NOT_OK, State.UNKNOWN):
            hub.parts["media"] = Part(state, "no worker")
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["ready"]) == (503, False)
        parts = ready.json()["parts"]
        assert parts["media"] == {
            "state": "unknown",
            "reason": "no worker",
            "age_s": None,
            "required": True,
        }
        assert parts["clock"]["age_s"] == 1.5


async def test_a_hub_about_to_end_takes_nobody_new_and_goes_on_with_who_is_there(hub: Any) -> None:
    async with hub.sign_in() as client, hub.client() as late:
        hub.console.begin_drain()
        assert (await client.get("/api/session")).status_code == 200
        refused = await late.post("/api/session", json={"name": "aoki", "password": "x"})
        assert (refused.status_code, refused.json()["reason"]) == (503, "draining")
        assert refused.headers["Retry-After"] == "5"
        assert hub.counters.get("http_refused", "draining") == 1
        stop = await client.post("/api/vehicles/maebashi/bus-01/stop", json={"command_id": "c-1"})
        assert stop.status_code == 202, "a stop is taken until the very end"


async def test_info_tells_strangers_no_version(hub: Any) -> None:
    async with hub.client() as stranger, hub.sign_in() as client:
        assert (await stranger.get("/api/info")).json() == {"name": "Test site", "demo": False}
        assert (await client.get("/api/info")).json()["version"] == "9.9.9"
        assert (await client.get("/version")).json() == {"hub": "9.9.9", "protocol": 1}


async def test_the_demo_account_is_named_in_demo_mode_only(make_hub: Any) -> None:
    async with make_hub(demo=True) as hub, hub.client() as client:
        info = (await client.get("/api/info")).json()
    assert info["demo"] is True and set(info["demo_account"]) == {"name", "password"}


async def test_unknown_paths_are_404_and_wrong_methods_405(hub: Any) -> None:
    async with hub.sign_in() as client:
        for path in ("/nothing", "/api/nothing", "/api", "/basemaps/none.geojson"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/version")).status_code == 405
        assert (await client.put("/api/session")).status_code == 405


# ------------------------------------------------------------------------ sessions


async def test_signing_in_and_out(hub: Any) -> None:
    async with hub.client() as client:
        answer = await client.post("/api/session", json={"name": "aoki", "password": PASSWORD})
        assert answer.json() == {"account": "aoki", "role": "operator"}
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("enkan=")
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
        assert "Secure" not in cookie and "Domain" not in cookie and "Max-Age" not in cookie
        who = await client.get("/api/session")
        assert who.json() == {"account": "aoki", "role": "operator"}
        assert who.headers["cache-control"] == "no-store"
        assert (await client.delete("/api/session")).status_code == 204
        assert (await client.get("/api/session")).status_code == 401


async def test_a_second_sign_in_ends_the_first_session(hub: Any) -> None:
    async with hub.sign_in() as client:
        old = dict(client.cookies)
        form = {"name": "viewer", "password": PASSWORD}
        assert (await client.post("/api/session", json=form)).status_code == 200
        async with hub.client(cookies=old) as other:
            assert (await other.get("/api/session")).status_code == 401


async def test_a_wrong_password_and_an_unknown_name_look_alike(hub: Any) -> None:
    async with hub.client() as client:
        answers = [
            await client.post("/api/session", json={"name": name, "password": "wrong password"})
            for name in ("aoki", "nobody")
        ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].text == answers[1].text


async def test_too_many_tries_say_when_to_come_back(hub: Any) -> None:
    async with hub.client() as client:
        for _ in range(5):
            await client.post("/api/session", json={"name": "aoki", "password": "wrong"})
        answer = await client.post("/api/session", json={"name": "aoki", "password": PASSWORD})
    assert (answer.status_code, reason(answer)) == (429, "too_many_tries")
    assert 0 < int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"name":"aoki"}', b'{"name":"a","password":"b","c":1}', b"\xff"],
)
async def test_a_malformed_sign_in_is_400(hub: Any, body: bytes) -> None:
    async with hub.client() as client:
        answer = await client.post("/api/session", content=body)
    assert (answer.status_code, reason(answer)) == (400, "malformed")


async def test_an_expired_session_is_401(hub: Any) -> None:
    async with hub.sign_in() as client:
        hub.clock.ns += 31 * 60 * 1_000_000_000
        assert (await client.get("/version")).status_code == 401


async def test_account_of_serves_other_rooms(make_hub: Any) -> None:
    async def who(request: Request) -> PlainTextResponse:
        operator = await hub.access.account_of(request)
        return PlainTextResponse(operator.account if operator else "nobody")

    routes = [Route("/whep/{site}/{vehicle}", who, methods=["GET", "POST"])]
    async with make_hub(routes=routes) as hub, hub.sign_in() as client:
        assert (await client.get("/whep/a/b")).text == "aoki"
        async with hub.client() as stranger:
            assert (await stranger.get("/whep/a/b")).text == "nobody"


def test_a_foreign_route_outside_the_table_is_refused_at_start(make_hub: Any) -> None:
    async def anything(request: Request) -> PlainTextResponse:
        return PlainTextResponse("x")

    with pytest.raises(ValueError, match="no entry"):
        make_hub(routes=[Route("/backdoor", anything)])


# -------------------------------------------------------------------- host, origin


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "a@127.0.0.1", "[::1"])
async def test_a_foreign_host_name_is_refused(hub: Any, host: str) -> None:
    async with hub.client() as client:
        answer = await client.get("/api/info", headers={"Host": host})
    assert (answer.status_code, reason(answer)) == (421, "bad_host")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "https://{host}", "", "http://{host}/"],
)
async def test_state_changes_from_another_origin_are_refused(
    hub: Any, method: str, origin: str
) -> None:
    async with hub.sign_in() as client:
        host = hub.url.removeprefix("http://")
        headers = {"Origin": origin.format(host=host)}
        answer = await client.request(method, "/api/session", headers=headers)
        assert (answer.status_code, reason(answer)) == (403, "bad_origin")
        assert (await client.get("/api/session")).status_code == 200


async def test_state_changes_without_an_origin_are_refused(hub: Any) -> None:
    async with hub.sign_in() as client:
        del client.headers["Origin"]
        assert (await client.post(STOP_PATH, json={"command_id": "c"})).status_code == 403
        assert hub.events == []


async def test_a_vehicle_publishes_without_an_origin_but_a_console_does_not(
    make_hub: Any,
) -> None:
    async def publish(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    routes = [Route("/whip/{site}/{vehicle}", publish, methods=["POST"])]
    async with make_hub(routes=routes) as hub, hub.sign_in() as console:
        async with httpx.AsyncClient(base_url=hub.url, trust_env=False) as vehicle:
            answer = await vehicle.post("/whip/maebashi/bus-01", content=b"v=0" * 10_000)
            assert answer.text == "30000"
            answer = await vehicle.post("/whip/maebashi/bus-01", content=b"x" * 65_537)
            assert answer.status_code == 413
        del console.headers["Origin"]
        assert (await console.post("/whip/maebashi/bus-01")).status_code == 403


async def test_a_proxy_with_https_is_known_by_its_origin(make_hub: Any) -> None:
    async with make_hub(public_origins=["https://enkan.example"]) as hub:
        assert hub.url == "https://enkan.example"
        port = hub.console.port
        through = {"Host": "enkan.example", "Origin": "https://enkan.example"}
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            form = {"name": "aoki", "password": PASSWORD}
            answer = await client.post("/api/session", json=form, headers=through)
            assert answer.status_code == 200
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-enkan=") and "Secure" in cookie
            assert "strict-transport-security" in answer.headers
            value = cookie.partition(";")[0]
            answer = await client.get("/version", headers={"Cookie": value})
            assert answer.status_code == 200
            elsewhere = {"Host": "enkan.example", "Origin": "http://enkan.example"}
            answer = await client.delete("/api/session", headers=elsewhere | {"Cookie": value})
            assert answer.status_code in (204, 403)


# ------------------------------------------------------------------ size and pace


async def test_a_body_over_the_limit_is_refused_with_and_without_a_length(hub: Any) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    async with hub.client() as client:
        announced = await client.post("/api/session", content=b"x" * 5_000)
        chunked = await client.post("/api/session", content=pieces())
    assert [a.status_code for a in (announced, chunked)] == [413, 413]
    assert [reason(a) for a in (announced, chunked)] == ["oversize", "oversize"]


async def test_a_body_that_dawdles_is_refused(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.console.guard.BODY_WITHIN_S", 0.05)
    host = hub.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(
        f"POST /api/session HTTP/1.1\r\nHost: {host}\r\nOrigin: {hub.url}\r\n"
        "Content-Length: 100\r\n\r\n{".encode()
    )
    async with asyncio.timeout(20):
        assert b"408" in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_peer_that_leaves_within_its_body_leaves_no_error(
    hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    host = hub.url.removeprefix("http://")
    _, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(
        f"POST /api/session HTTP/1.1\r\nHost: {host}\r\nOrigin: {hub.url}\r\n"
        "Content-Length: 100\r\n\r\n{".encode()
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await hub.until(lambda: hub.counters.get("http_refused", "cut_body"))
    async with hub.client() as client:
        assert (await client.get("/healthz")).status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# ------------------------------------------------------------------------ the stop


async def test_a_stop_by_rest_is_the_same_event(hub: Any) -> None:
    async with hub.sign_in() as client:
        answer = await client.post(STOP_PATH, json={"command_id": "c1"})
    assert (answer.status_code, answer.json()) == (202, {"command_id": "c1"})
    (event,) = hub.events
    assert isinstance(event, events.CommandAsked)
    assert (event.vehicle_id, event.command_id, event.body) == (BUS, "c1", Stop())
    assert event.operator.account == "aoki"


async def test_an_emergency_stop_by_rest_is_one_of_its_ways(hub: Any) -> None:
    async with hub.sign_in() as client:
        answer = await client.post(EMERGENCY_PATH, json={"command_id": "c1"})
    assert (answer.status_code, answer.json()) == (202, {"command_id": "c1"})
    (event,) = hub.events
    assert isinstance(event, events.CommandAsked)
    assert (event.vehicle_id, event.command_id, event.body) == (BUS, "c1", EmergencyStop())


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/vehicles/maebashi/bus-99/stop", b'{"command_id":"c"}', 404),
        ("/api/vehicles/maebashi/%2B/stop", b'{"command_id":"c"}', 404),
        (STOP_PATH, b'{"command_id":""}', 400),
        (STOP_PATH, b"{}", 400),
        (STOP_PATH, b"\x00", 400),
    ],
)
async def test_a_stop_for_nobody_is_refused(hub: Any, path: str, body: bytes, status: int) -> None:
    async with hub.sign_in() as client:
        assert (await client.post(path, content=body)).status_code == status
    assert hub.events == []


# --------------------------------------------------------------------------- pages


class Listening:
    """Stands for an open console; remembers what it was offered."""

    sign_in = ""

    def __init__(self) -> None:
        self.vehicles = 0
        self.shown = asyncio.Event()

    def offer(self, tick: Any) -> None:
        if tick.changes.vehicles:
            self.vehicles += 1
            self.shown.set()


async def test_one_that_opens_while_vehicles_are_read_is_not_sent_older_views(
    hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    console, early, late = hub.console, Listening(), Listening()
    read = hub.fleet.vehicle

    def read_while_another_opens(vehicle_id: VehicleId, now_ns: int) -> Any:
        console._sockets.setdefault("late", late)  # its snapshot is newer than this view
        return read(vehicle_id, now_ns)

    monkeypatch.setattr(hub.fleet, "vehicle", read_while_another_opens)
    console._sockets["early"] = early
    try:
        for expected in (0, 1):
            early.shown.clear()
            console.show(effects.ShowVehicle(BUS))
            async with asyncio.timeout(10):
                await early.shown.wait()
            assert late.vehicles == expected
    finally:
        console._sockets.clear()


async def test_the_console_loads_before_anyone_signed_in(hub: Any) -> None:
    async with hub.client() as client:
        page = await client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.text == (await client.get("/index.html")).text
        script = await client.get("/core/app.js")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        assert (await client.head("/core/app.js")).status_code == 200


async def test_pages_are_asked_for_again_but_not_sent_again(hub: Any) -> None:
    async with hub.client() as client:
        first = await client.get("/core/app.js")
        assert first.headers["cache-control"] == "no-cache"
        again = await client.get("/core/app.js", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/.secret.js",
        "/notes.md",
        "/core",
        "/core/",
        "/%2e%2e/credentials.json",
        "/..%2fcredentials.json",
        "/core/..%2f..%2fcredentials.json",
        "//etc/passwd",
        "/%00.js",
        "/core/app.js/x.js",
        "/" + "x" * 300 + ".js",
        "/" + "x/" * 3000 + "x.js",
        "/%ff%fe.js",
        "/basemaps/..%2f..%2fui/index.html",
        "/basemaps/..%2fmaebashi.geojson",
        "/basemaps/maebashi/route.geojson",
        "/basemaps/%2e%2e.geojson",
    ],
)
async def test_nothing_outside_the_pages_is_served(hub: Any, path: str) -> None:
    async with hub.sign_in() as client:
        assert (await client.get(path)).status_code == 404


async def test_base_maps_are_served_in_ranges_to_who_signed_in(hub: Any) -> None:
    async with hub.sign_in() as client:
        answer = await client.get("/basemaps/maebashi.geojson", headers={"Range": "bytes=0-0"})
    assert (answer.status_code, answer.content) == (206, b"{")


async def test_base_maps_are_listed_by_case(hub: Any) -> None:
    async with hub.sign_in() as client:
        answer = await client.get("/basemaps/index.json")
        site = await client.get("/basemaps/maebashi.site.geojson")
        assert (site.json(), site.headers["content-type"]) == ({"site": 1}, "application/geo+json")
        assert (await client.get("/basemaps/.site.geojson")).status_code == 404
    assert answer.json() == {
        "bases": [{"name": "maebashi", "url": "maebashi.geojson", "site": "maebashi.site.geojson"}],
        "tiles": None,
    }


async def test_every_answer_carries_the_security_headers(hub: Any) -> None:
    async with hub.client() as client:
        for answer in (
            await client.get("/"),
            await client.get("/nothing"),
            await client.get("/version"),
            await client.get("/api/info", headers={"Host": "evil.example"}),
            await client.post("/api/session", content=b"x" * 5_000),
        ):
            headers = answer.headers
            policy = headers["content-security-policy"]
            assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["referrer-policy"] == "no-referrer"
            assert "server" not in headers


async def test_the_policy_admits_exactly_the_pages_import_map(hub: Any) -> None:
    async with hub.client() as client:
        page = await client.get("/")
    start = page.text.index('<script type="importmap">') + len('<script type="importmap">')
    text = page.text[start : page.text.index("</script>", start)]
    assert json.loads(text)["imports"]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    host = hub.url.removeprefix("http://")
    assert f"connect-src 'self' ws://{host} wss://{host};" in policy
    assert "worker-src 'self' blob:;" in policy


def test_public_routes_are_few_and_known() -> None:
    public = {key for key, rule in ROUTES.items() if rule is Rule.PUBLIC}
    assert public == {
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/api/info"),
        ("POST", "/api/session"),
        ("GET", "/help/https"),
        ("GET", "/help/https/{language}"),
        ("GET", "/help/enkan-ca.crt"),
        ("GET", "/{path:path}"),
    }


async def test_the_fleet_answers_with_its_equipment_to_who_looks_after_it(hub: Any) -> None:
    async with hub.sign_in() as client:
        answer = await client.get("/api/fleet?vehicle=../../etc")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert msgspec.json.decode(answer.content, type=Equipment) == hub.equipment
        for method in ("POST", "PUT", "DELETE"):
            assert (await client.request(method, "/api/fleet")).status_code in (403, 404, 405)
    async with hub.sign_in("viewer") as client:
        assert reason(await client.get("/api/fleet")) == "not_allowed"
