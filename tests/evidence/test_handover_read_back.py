"""Notes and open offers after the hub's end: from its audit, on the next hub's clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols import handover as p
from protocols.operator import Role
from protocols.topics import VehicleId
from protocols.vehicle import Kind
from supervisor.core import events as e
from supervisor.core.effects import Record
from supervisor.core.fleet import Fleet
from supervisor.core.step import step
from supervisor.evidence.audit import AuditError, AuditStore, Entry
from supervisor.evidence.handover import restored

SECOND = 1_000_000_000
BEGAN = 1_780_000_000 * SECOND
AOKI = e.Operator("s1", "aoki", Role.OPERATOR, "seat-1")
MORI = e.Operator("s2", "mori", Role.SUPERVISOR, "seat-2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.sqlite"


class Hub:
    """A core whose records go to an audit store."""

    def __init__(self, path: Path) -> None:
        self.fleet = Fleet()
        self.now_ns = 1_000 * SECOND
        self.store = AuditStore.open(path)
        self.do(e.VehicleConfigured(VehicleId("maebashi", "bus-01"), Kind.BUS, "1", 1))
        for who in (AOKI, MORI):
            self.do(e.OperatorConnected(who))

    def do(self, event: e.AnyEvent) -> None:
        records = [one for one in step(self.fleet, event, self.now_ns) if type(one) is Record]
        if records:
            self.store.append([Entry(BEGAN + self.now_ns, record) for record in records])

    def say(self, ask: p.HandoverAsk, who: e.Operator = AOKI) -> None:
        self.do(e.HandoverAsked(who, ask))
        self.now_ns += SECOND


def again(path: Path, hub: Hub, after_s: int = 20) -> e.HandoverRestored:
    """What the next hub reads, whose clock began anew."""
    hub.store.close()
    utc_ns = BEGAN + hub.now_ns + after_s * SECOND
    return restored(path, now_ns=500 * SECOND, utc_ns=utc_ns)


def test_notes_and_the_open_offer_come_back_with_their_times_on_the_new_clock(path: Path) -> None:
    hub = Hub(path)
    hub.say(p.WriteNote("wet leaves", "maebashi/bus-01"))
    hub.say(p.WriteNote("settled"))
    _, settled = hub.fleet.handover.notes
    hub.say(p.RemoveNote(settled))
    hub.say(p.OfferHandover("mori"))
    (offer,) = hub.fleet.handover.handovers.values()
    found = again(path, hub)
    (note,) = found.notes
    assert (note.text, note.by, note.vehicle) == ("wet leaves", "aoki", "maebashi/bus-01")
    assert note.at_ns == (500 - 20 - 4) * SECOND, "before this hub's clock said 480"
    (kept,) = found.handovers
    assert (kept.id, kept.leaving, kept.taking) == (offer.id, "aoki", "mori")
    assert kept.offered_ns == (500 - 20 - 1) * SECOND
    assert kept.until_ns - kept.offered_ns == offer.until_ns - offer.offered_ns


def test_the_next_hub_goes_on_and_what_was_seen_has_to_be_seen_again(path: Path) -> None:
    hub = Hub(path)
    hub.say(p.WriteNote("wet leaves"))
    hub.say(p.OfferHandover("mori"))
    (offer,) = hub.fleet.handover.handovers.values()
    for item in hub.fleet.handover.items:
        hub.say(p.SeeHandoverItem(offer.id, item.key, item.rev), MORI)
    event = again(path, hub)
    following = Hub(path.with_name("next.sqlite"))
    following.do(event)
    (kept,) = following.fleet.handover.handovers.values()
    assert (kept.state, kept.seen) == (p.HandoverState.OFFERED, {})
    assert [item.detail for item in following.fleet.handover.items if item.kind == "note"] == [
        "wet leaves"
    ]
    following.say(p.WithdrawHandover(offer.id))
    following.store.close()


@pytest.mark.parametrize("end", ["withdraw", "decline", "late"])
def test_an_offer_that_is_over_stays_over(path: Path, end: str) -> None:
    hub = Hub(path)
    hub.say(p.OfferHandover("mori"))
    (offer,) = hub.fleet.handover.handovers.values()
    if end == "withdraw":
        hub.say(p.WithdrawHandover(offer.id))
    elif end == "decline":
        hub.say(p.DeclineHandover(offer.id, "ill"), MORI)
    assert again(path, hub, after_s=3_600 if end == "late" else 5).handovers == []


def test_no_store_means_nothing_and_a_damaged_record_is_named(path: Path) -> None:
    assert restored(path, now_ns=1, utc_ns=1) == e.HandoverRestored([], [])
    store = AuditStore.open(path)
    store.append([Entry(1, Record("r", "handover.note", "a", "", {"view": "{}", "at_ns": 1}))])
    store.close()
    with pytest.raises(AuditError, match="record 1 of the audit holds no NoteView"):
        restored(path, now_ns=1, utc_ns=1)
