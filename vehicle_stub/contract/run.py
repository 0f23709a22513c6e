"""Tries the rules, one after another, on a vehicle that stands."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from protocols.topics import Stream
from protocols.vehicle import Stop, Telemetry
from vehicle_stub.contract.hub import CheckingHub, applied
from vehicle_stub.contract.rule import NotApplicable, Rule
from vehicle_stub.contract.rules import RULES

FIRST_S: Final = 10.0
STANDS_MPS: Final = 0.05
STANDS_S: Final = 2.0


class Verdict(enum.StrEnum):
    """What became of one rule."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_APPLICABLE = "not_applicable"


class Finding(NamedTuple):
    """One rule's verdict, and why."""

    rule: Rule
    verdict: Verdict
    why: str


class CannotCheckError(Exception):
    """The vehicle must not be checked now; `reason` is a key of `report.CANNOT`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


async def run(
    hub: CheckingHub,
    rules: Sequence[Rule] = RULES,
    say: Callable[[Finding], object] = lambda finding: None,
) -> list[Finding]:
    """Return what became of each rule.

    Raises:
        CannotCheckError: It is not heard, moves, does not stop, or another hub talks to it.
    """
    await _stands(hub)
    # From here on it stays: only a person's resume would set it moving again.
    if applied(await hub.order(Stop(), operator="")):
        raise CannotCheckError("does_not_stop")
    hub.beating = True
    findings = []
    for rule in rules:
        try:
            why = await rule.check(hub)
            verdict = Verdict.BROKEN if why else Verdict.KEPT
        except NotApplicable as outcome:
            why, verdict = str(outcome), Verdict.NOT_APPLICABLE
        finding = Finding(rule, verdict, why)
        findings.append(finding)
        say(finding)
        if hub.heard.other_hub:
            raise CannotCheckError("other_hub", hub.heard.other_hub)
    return findings


async def _stands(hub: CheckingHub) -> None:
    """Make sure that it is there, alone with us, and does not move."""
    heard = hub.heard

    def there() -> bool:
        return bool(heard.heartbeats()) and heard.telemetry is not None

    if not await hub.way.until(there, FIRST_S):
        raise CannotCheckError("not_heard")

    def speeds() -> list[float]:
        return [
            abs(message.speed_mps)
            for _, message in heard.all(Stream.TELEMETRY)
            if isinstance(message, Telemetry)
        ]

    def moves() -> bool:
        return speeds()[-1] > STANDS_MPS or bool(heard.other_hub)

    await hub.way.until(moves, STANDS_S)
    if heard.other_hub:
        raise CannotCheckError("other_hub", heard.other_hub)
    if max(speeds()) > STANDS_MPS:
        raise CannotCheckError("moves", f"{max(speeds()):.1f} m/s")
