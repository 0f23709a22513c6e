"""A hub that works: its totals rise with every answer."""

from __future__ import annotations

from protocols.equipment import Equipment, HubEquipment, VehicleEquipment, WorkerEquipment
from supervisor import clock
from ui.fake_hub import FakeHub


class Works:
    """What `/api/fleet` tells; a test changes `parts`."""

    def __init__(self, hub: FakeHub) -> None:
        self._hub = hub
        self._started_ns = clock.monotonic_ns() - 7_500 * 10**9
        self.parts = dict.fromkeys(("broker", "media", "audit", "journal"), True)
        self.asked = 0

    def __call__(self) -> Equipment:
        self.asked += 1
        now_ns = clock.monotonic_ns()
        worked = (now_ns - self._started_ns) // 10**6
        return Equipment(
            at_ns=now_ns,
            hub=HubEquipment(
                version="0.1.0",
                started_ns=self._started_ns,
                parts=self.parts,
                broker="embedded",
                loop_lag=[(0.005, worked), (0.02, worked + worked // 50), (None, worked * 2)],
                totals={"enkan_hub_events_total": worked * 2},
                gauges={
                    "enkan_consoles": 1.0,
                    "enkan_storage_free_bytes": 212e9,
                    "enkan_journal_stored_bytes": 3.2e9,
                    "enkan_journal_last_write_age_seconds": 0.4,
                },
            ),
            workers=[
                WorkerEquipment(
                    worker=0, ready=True, peers=6, cpu_s=worked / 4_000, dropped=0,
                    packets_in=worked * 3, packets_out=worked * 5, bytes_in=0, bytes_out=0,
                ),
                WorkerEquipment(worker=1, ready=False),
            ],
            vehicles=[
                VehicleEquipment(
                    vehicle=str(name), maker="Yamada", software="drive 4.2", protocol_version=1,
                    session="3f9ac01e", link_since_ns=now_ns - 3_700 * 10**9,
                )
                for name in self._hub.fleet.vehicle_views
            ],
        )  # fmt: skip
