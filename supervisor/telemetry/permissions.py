"""Who may say what at the broker: one table, from which each broker's file is made.

A vehicle may read everything under its own name, so that any client with its
credentials can look at it, and may write only what the contract lets a vehicle say:
not even its own `cmd`, so that nobody with a vehicle's credentials can leave a
retained command behind. The hub may read all and write only what a hub says.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from protocols.topics import PREFIX, RULES, VehicleId, topic_for

HUB_USER: Final = "hub"
_SECRET: Final = re.compile(r"[A-Za-z0-9._~+/=-]{8,256}")


class Permissions(NamedTuple):
    """Topics one user may publish to and subscribe to; `+` and `#` as in MQTT."""

    publish: list[str]
    subscribe: list[str]


def for_vehicle(vehicle_id: VehicleId) -> Permissions:
    """Return what one vehicle may do."""
    return Permissions(
        [topic_for(vehicle_id, stream) for stream, rule in RULES.items() if rule.from_vehicle],
        [f"{PREFIX}/{vehicle_id.site}/{vehicle_id.vehicle}/#"],
    )


def for_hub() -> Permissions:
    """Return what the hub may do."""
    return Permissions(
        [f"{PREFIX}/+/+/{stream}" for stream, rule in RULES.items() if not rule.from_vehicle],
        [f"{PREFIX}/#"],
    )


def check_secret(user: str, secret: str) -> str:
    """Return `secret` if it can stand in any broker's file without quoting.

    Raises:
        ValueError: It cannot; the text does not contain it.
    """
    if _SECRET.fullmatch(secret) is None:
        raise ValueError(
            f"the secret of {user} must have 8 to 256 characters of A-Z a-z 0-9 . _ ~ + / = -"
        )
    return secret
