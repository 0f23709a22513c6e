"""What a rule of the contract is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from vehicle_stub.contract.hub import CheckingHub


class NotApplicable(Exception):  # noqa: N818 - an outcome, not an error
    """This rule cannot be held against this vehicle, now; the text says why."""


class Rule(NamedTuple):
    """One rule.

    Attributes:
        key: Short, and stays.
        section: Of docs/vehicle-contract.md.
        check: Returns what is wrong; empty: kept.
    """

    key: str
    section: str
    check: Callable[[CheckingHub], Awaitable[str]]


def lists(hub: CheckingHub, command: str) -> None:
    """Go on only if its factsheet lists the command.

    Raises:
        NotApplicable: It does not.
    """
    factsheet = hub.heard.factsheet
    if factsheet is None or command not in factsheet.commands:
        raise NotApplicable(f"its factsheet does not list {command}")
