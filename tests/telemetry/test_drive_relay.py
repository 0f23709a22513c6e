"""Control frames over the hub: from the holder's console alone, sealed, and not too many."""

from __future__ import annotations

import base64

import pytest

from protocols import drive
from protocols.authority import DriveKey, DriveRelay
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from supervisor.core.effects import SetGrant
from supervisor.counters import Counters
from supervisor.telemetry.drive_relay import REASONS, REFUSED, DriveRelays

BUS, OTHER = VehicleId("maebashi", "bus-01"), VehicleId("maebashi", "bus-02")
KEY = bytes(range(32))


class Relay:
    """One bus whose frames are kept in a list."""

    def __init__(self) -> None:
        self.sent: list[tuple[VehicleId, bytes]] = []
        self.keys: list[tuple[str, DriveKey]] = []
        self.up = True
        self.counters = Counters()
        self.relays = DriveRelays(
            {BUS: KEY, OTHER: KEY},
            counters=self.counters,
            publish=self.publish,
            give_key=lambda session, key: self.keys.append((session, key)),
        )

    def publish(self, vehicle_id: VehicleId, frame: bytes) -> bool:
        self.sent.append((vehicle_id, frame))
        return self.up

    def grant(self, session: str | None = "s1", epoch: int = 8, **changes: object) -> None:
        values = {"account": "hanako", "purpose": Purpose.DRIVE, "vehicle_session": "run-1"}
        self.relays.set_grant(
            SetGrant(vehicle_id=BUS, session=session, epoch=epoch, **values | changes)
        )

    def send(self, data: bytes, session: str = "s1", vehicle: VehicleId = BUS) -> str:
        frame = base64.b64encode(data).decode()
        return self.relays.relay(session, DriveRelay(str(vehicle), frame))


def frame(epoch: int = 8, session: str = "run-1", key: bytes | None = None) -> bytes:
    if key is None:
        key = drive.drive_key(KEY, BUS, epoch, "hanako")
    return drive.seal(drive.DriveFrame(session, epoch, 1, 5, True), key)


def test_the_holder_alone_gets_the_key_and_his_frames_go_out_as_they_came() -> None:
    relay = Relay()
    relay.grant()
    ((session, key),) = relay.keys
    assert (session, key.epoch, key.session_id) == ("s1", 8, "run-1")
    data = frame(key=bytes.fromhex(key.key))
    assert relay.send(data) == ""
    assert relay.sent == [(BUS, data)]
    assert relay.send(data, "s2") == "not_granted"
    assert relay.send(data, vehicle=OTHER) == "not_granted"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame(epoch=7), "epoch"),
        (frame(session="run-0"), "session"),
        (frame(key=bytes(32)), "tag"),
        (frame()[:20], "malformed"),
        (
            drive.seal(drive.StopFrame("c1", "hanako"), drive.stop_key(KEY, BUS, "hanako")),
            "not_drive",
        ),
    ],
)
def test_what_the_vehicle_would_refuse_is_not_passed_on(data: bytes, reason: str) -> None:
    relay = Relay()
    relay.grant()
    assert relay.send(data) == reason
    assert reason in REASONS
    assert not relay.sent


def test_after_control_nothing_passes_and_an_older_grant_changes_nothing() -> None:
    relay = Relay()
    relay.grant()
    relay.grant(None)
    assert relay.send(frame()) == "not_granted"
    relay.grant("s2", epoch=7)
    assert relay.send(frame(epoch=7), "s2") == "not_granted"
    relay.grant(epoch=9, purpose=Purpose.ASSIST)
    assert relay.send(frame(epoch=9)) == "not_granted"
    assert len(relay.keys) == 1, "who assists has no key to drive"


def test_a_flood_of_frames_is_cut_at_its_rate_and_counted() -> None:
    relay = Relay()
    relay.grant()
    reasons = [relay.send(frame()) for _ in range(400)]
    assert 300 <= reasons.count("") <= 330
    assert relay.counters.get(REFUSED, "rate") == reasons.count("rate")


def test_a_broker_that_is_gone_takes_no_frame() -> None:
    relay = Relay()
    relay.grant()
    relay.up = False
    assert relay.send(frame()) == "link"
    assert relay.relays.relay("s1", DriveRelay(str(BUS), "%%%")) == "encoding"
