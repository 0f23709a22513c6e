"""What a hub says of its vehicles and of itself to who looks after them: the answer to
`GET /api/fleet`. Totals only rise while the hub runs; who wants a rate asks twice. Every
`*_ns` is the *hub's monotonic clock*.
"""

from __future__ import annotations

import msgspec


class VehicleEquipment(msgspec.Struct, frozen=True, kw_only=True):
    """One vehicle, beyond what consoles are told of it all the time.

    Attributes:
        vehicle: `site/vehicle`.
        maker, software: As its factsheet says; empty: it does not say, or has not spoken.
        protocol_version: Of its factsheet; None before the first.
        session: The first characters of its present session with the broker; empty: none.
        link_since_ns: Since when its link is as it is; None: since the hub started.
    """

    vehicle: str
    maker: str = ""
    software: str = ""
    protocol_version: int | None = None
    session: str = ""
    link_since_ns: int | None = None


class WorkerEquipment(msgspec.Struct, frozen=True, kw_only=True):
    """One media worker; totals since its process started, None before it first said any.

    Attributes:
        ready: It serves.
        cpu_s: Processor time used.
        packets_in, packets_out, bytes_in, bytes_out: Datagrams and their bytes.
        dropped: Packets dropped, for all reasons together.
    """

    worker: int
    ready: bool
    peers: int | None = None
    cpu_s: float | None = None
    packets_in: int | None = None
    packets_out: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    dropped: int | None = None


class HubEquipment(msgspec.Struct, frozen=True, kw_only=True):
    """The hub itself.

    Attributes:
        parts: What has to be ready, as at `/readyz`.
        broker: `embedded`, or `external`: somebody else runs it.
        loop_lag: How late the event loop woke up: (upper bound in s, observations up to it),
            rising; the last bound is None: all of them.
        totals: Counters of `/metrics`, by the name they have there, over all their reasons.
        gauges: Gauges of `/metrics` without labels, likewise.
    """

    version: str
    started_ns: int
    parts: dict[str, bool]
    broker: str
    loop_lag: list[tuple[float | None, int]]
    totals: dict[str, int]
    gauges: dict[str, float]


class Equipment(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer; `at_ns`: when it was true."""

    at_ns: int
    hub: HubEquipment
    workers: list[WorkerEquipment]
    vehicles: list[VehicleEquipment]
