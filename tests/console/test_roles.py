"""Every wish, by message and by route, is open to exactly those who are named here."""

from __future__ import annotations

import typing
from typing import Any, Final

import msgspec
import pytest

from protocols import alarms, authority, duties, handover, operator, vehicle
from protocols.operator import FromConsole, Refusal, Role
from supervisor.console.access import ROUTES, Operation, Rule, allowed
from supervisor.console.incoming import to_event
from supervisor.core.events import Operator

BUS: Final = "maebashi/bus-01"
ALL: Final = frozenset(Role)
NOBODY: Final[frozenset[Role]] = frozenset()
SEATED: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
AT_THE_MACHINES: Final = SEATED | {Role.MAINTAINER, Role.ADMIN}
SERVE: Final = frozenset({Role.SUPERVISOR, Role.MAINTAINER})
SEAT: Final = authority.SeatReport(visible=True, focused=True, sound=True, ready=True)

WISHES: Final[dict[str, tuple[msgspec.Struct, frozenset[Role]]]] = {
    "clock": (operator.ClockPing(1.0), ALL),
    "what is shown": (operator.PresentationReport(True, []), ALL),
    "seat": (SEAT, ALL),
    "acknowledge": (alarms.AcknowledgeAlarm("a"), AT_THE_MACHINES),
    "shelve": (alarms.ShelveAlarm("a", "noise", 60.0), SEATED),
    "unshelve": (alarms.UnshelveAlarm("a"), SEATED),
    "alarm service": (alarms.SetAlarmService("a", False, "repair"), SERVE),
    "stop": (operator.AskStop("c", BUS), AT_THE_MACHINES),
    "emergency stop": (operator.AskStop("c", BUS, True), AT_THE_MACHINES),
    "limit": (operator.AskLimit(BUS, 5.0), SEATED),
    "resume": (operator.AskResume("c", BUS), SEATED),
    "order": (operator.AskCommand("c", BUS, vehicle.PullOver("r")), SEATED),
    "control": (authority.AskControl(BUS), SEATED),
    "preempt": (authority.AskControl(BUS, preempt="ill"), frozenset({Role.SUPERVISOR})),
    "accept": (authority.AcceptControl(BUS), SEATED),
    "give back": (authority.GiveBackControl(BUS), SEATED),
    "drive": (authority.DriveRelay(BUS, ""), SEATED),
    "start duty": (duties.StartDuty("accident", BUS), SEATED),
    "mark duty": (duties.MarkDutyStep("d", "fire", duties.StepState.DONE), SEATED),
    "abandon duty": (duties.AbandonDuty("d", "false alarm"), SEATED),
    "write note": (handover.WriteNote("x"), SEATED),
    "remove note": (handover.RemoveNote("n"), SEATED),
    "offer shift": (handover.OfferHandover("jiro"), SEATED),
    "withdraw shift": (handover.WithdrawHandover("h"), SEATED),
    "decline shift": (handover.DeclineHandover("h", "ill"), SEATED),
    "see item": (handover.SeeHandoverItem("h", "k", 1), SEATED),
    "accept shift": (handover.AcceptHandover("h"), SEATED),
}

OPEN: Final = {
    *(("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/api/info"), ("POST", "/api/session")),
    *(("GET", "/help/https"), ("GET", "/help/https/{language}"), ("GET", "/help/enkan-ca.crt")),
    ("GET", "/{path:path}"),
}
STOPS: Final = {
    ("POST", "/api/vehicles/{site}/{vehicle}/stop"),
    ("POST", "/api/vehicles/{site}/{vehicle}/emergency-stop"),
}
EQUIPMENT: Final = {("GET", "/api/fleet")}
SIGNED_IN: Final = {
    *(("GET", "/api/session"), ("POST", "/api/session/proof"), ("DELETE", "/api/session")),
    *(("GET", "/version"), ("GET", "/ws"), ("GET", "/runbooks/{language}/{key}")),
    *(("GET", "/basemaps/index.json"), ("GET", "/basemaps/{name}.geojson")),
}


def test_every_kind_of_wish_is_in_the_table() -> None:
    assert {type(wish) for wish, _ in WISHES.values()} == set(typing.get_args(FromConsole))
    assert set(ROUTES) == OPEN | STOPS | EQUIPMENT | SIGNED_IN


@pytest.mark.parametrize("name", WISHES)
def test_a_wish_is_open_to_exactly_those_who_may(name: str) -> None:
    wish, roles = WISHES[name]
    for role in Role:
        found = to_event(wish, Operator("s", "somebody", role, "seat"))
        is_refused = isinstance(found, Refusal) and found.reason == "not_allowed"
        assert is_refused is (role not in roles), role


def test_every_route_is_open_to_exactly_those_who_may() -> None:
    for route, rule in ROUTES.items():
        assert isinstance(rule, Rule) is (route in OPEN), route
        if isinstance(rule, Operation):
            roles = AT_THE_MACHINES if route in STOPS else ALL
            if route in EQUIPMENT:
                roles = ALL - {Role.VIEWER}
            assert {role for role in Role if allowed(role, rule)} == roles, route


async def test_the_server_holds_to_the_table(hub: Any) -> None:
    async with hub.client() as stranger:
        for method, route in sorted((STOPS | EQUIPMENT | SIGNED_IN) - {("GET", "/ws")}):
            path = route.format(site="maebashi", vehicle="bus-01", language="ja", key="k", name="n")
            answer = await stranger.request(method, path, json={})
            assert answer.status_code == 401, route
    for role in Role:
        name = "aoki" if role is Role.OPERATOR else role.value
        async with hub.sign_in(name) as client:
            for _, route in sorted(STOPS):
                path = route.format(site="maebashi", vehicle="bus-01")
                answer = await client.post(path, json={"command_id": "c"})
                expected = 202 if role in AT_THE_MACHINES else 403
                assert answer.status_code == expected, (role, route)
