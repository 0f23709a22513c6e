"""The answer to `GET /api/fleet`, read from what `/metrics` exports: no second bookkeeping."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from protocols.equipment import Equipment, HubEquipment, WorkerEquipment
from supervisor.core import views
from supervisor.core.fleet import Fleet
from supervisor.media.pool import WorkerView
from supervisor.observability.catalogue import BY_SOURCE
from supervisor.observability.exporter import Exporter

TOTALS: Final = (
    *("core_event", "events_dropped", "telemetry_refused", "telemetry_dropped", "command"),
    *("media_packets", "media_dropped", "media_worker_restarts", "audit_failed"),
    *("journal_lost", "http_refused", "console_message"),
)
"""Counters that are told, by source."""

GAUGES: Final = ("consoles", "storage_free", "journal_stored", "journal_write_age")
"""Gauges that are told, by source; those this hub does not have, or not know yet, are left out."""

SAME_NS: Final = 1_000_000_000
"""Asked again within this time, the answer is the same: many consoles cost what one does."""


class EquipmentReader:
    """Reads the equipment of one hub.

    Args:
        fleet: Its vehicles.
        exporter: Its metrics.
        workers: Its media workers.
        readiness: Parts of the hub, as for `/readyz`.
        version: Of the hub.
        embedded: The hub runs the broker itself.
        now_ns: Hub monotonic clock.
    """

    def __init__(
        self,
        fleet: Fleet,
        exporter: Exporter,
        *,
        workers: Callable[[], list[WorkerView]],
        readiness: Callable[[], dict[str, bool]],
        version: str,
        embedded: bool,
        now_ns: Callable[[], int],
    ) -> None:
        self._fleet = fleet
        self._exporter = exporter
        self._workers = workers
        self._readiness = readiness
        self._version = version
        self._broker = "embedded" if embedded else "external"
        self._now_ns = now_ns
        self._started_ns = now_ns()
        self._newest: Equipment | None = None

    def read(self) -> Equipment:
        """Return what is so now, at most a second old."""
        now_ns = self._now_ns()
        if self._newest is None or now_ns - self._newest.at_ns >= SAME_NS:
            self._newest = Equipment(
                at_ns=now_ns,
                hub=self._hub(),
                workers=[_worker(view) for view in self._workers()],
                vehicles=views.equipment(self._fleet),
            )
        return self._newest

    def _hub(self) -> HubEquipment:
        exporter = self._exporter
        totals = dict.fromkeys(TOTALS, 0)
        for name, _, total in exporter.counters.items():
            if name in totals:
                totals[name] += total
        gauges = {name: exporter.gauge(name) for name in GAUGES}
        return HubEquipment(
            version=self._version,
            started_ns=self._started_ns,
            parts=self._readiness(),
            broker=self._broker,
            loop_lag=exporter.observed("loop_lag"),
            totals={BY_SOURCE[name].name: total for name, total in totals.items()},
            gauges={
                BY_SOURCE[name].name: value
                for name, value in gauges.items()
                if value is not None and math.isfinite(value)
            },
        )


def _worker(view: WorkerView) -> WorkerEquipment:
    stats = view.stats
    if stats is None:
        return WorkerEquipment(worker=view.index, ready=view.ready)
    return WorkerEquipment(
        worker=view.index,
        ready=view.ready,
        peers=stats.peers,
        cpu_s=round(stats.cpu_s, 3),
        packets_in=stats.packets_in,
        packets_out=stats.packets_out,
        bytes_in=stats.bytes_in,
        bytes_out=stats.bytes_out,
        dropped=sum(stats.drops.values()),
    )
