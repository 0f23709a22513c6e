"""Buses: passengers and doors."""

from __future__ import annotations

from typing import Final

from protocols.alarms import AlarmText
from protocols.vehicle import Kind
from supervisor.core.catalogue.keys import (
    BROKER_DOWN,
    DOOR_FAULT,
    LINK_LOST,
    PASSENGER_CALL,
    PASSENGER_STOP_BUTTON,
)
from supervisor.core.catalogue.spec import AlarmSpec, Escalation, Priority, Source

ROWS: Final[tuple[AlarmSpec, ...]] = (
    AlarmSpec(
        key=PASSENGER_STOP_BUTTON,
        priority=Priority.HIGH,
        safety=True,
        respond_within_s=15.0,
        on_delay_ms=0,
        off_delay_ms=0,
        latching=True,
        shelvable=False,
        suppressed_by=(),
        source=Source.VEHICLE,
        kinds=(Kind.BUS, Kind.OTHER),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "乗客非常停止ボタン",
            "乗客が車内の非常停止ボタンを押しました。",
            "車両は停止します。車内で急病や事故が起きているおそれがあります。",
            (
                "車内の映像と通話で乗客に声をかけ、状況を確かめてから、"
                "救護または再開を決めてください。"
            ),
        ),
        en=AlarmText(
            "Passenger stop button",
            "A passenger pressed the emergency stop in the cabin.",
            "The vehicle stops; somebody inside may be ill or hurt.",
            "Speak to the passengers and look into the cabin, then help, or let it go on.",
        ),
    ),
    AlarmSpec(
        key=PASSENGER_CALL,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=30.0,
        on_delay_ms=0,
        off_delay_ms=0,
        latching=True,
        shelvable=True,
        suppressed_by=(),
        source=Source.VEHICLE,
        kinds=(Kind.BUS, Kind.OTHER),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "乗客呼出し",
            "乗客が車内から管制を呼び出しています。",
            "応答がないと、乗客は助けを得られず、車内で不安が広がります。",
            "車内通話に応答し、用件を聞いて記録してください。",
        ),
        en=AlarmText(
            "Passenger call",
            "A passenger calls the control room from the cabin.",
            "Unanswered, the passenger gets no help.",
            "Answer by the cabin intercom, listen, and note what it was about.",
        ),
    ),
    AlarmSpec(
        key=DOOR_FAULT,
        priority=Priority.LOW,
        safety=True,
        respond_within_s=30.0,
        on_delay_ms=0,
        off_delay_ms=1_000,
        latching=True,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.VEHICLE,
        kinds=(Kind.BUS, Kind.OTHER),
        escalation=Escalation.MAINTAINER,
        waits_for="",
        ja=AlarmText(
            "扉の異常",
            "車両が、扉の開閉異常または挟み込みを知らせています。",
            "乗客が挟まれるか、扉が開いたまま走り出せない状態です。",
            "発進させず、車内と扉の映像を確かめ、乗客に離れるよう放送してください。",
        ),
        en=AlarmText(
            "Door fault",
            "The vehicle reports a door that does not close or open, or has caught something.",
            "A passenger may be caught; the bus cannot leave.",
            "Do not let it proceed; look at the door, and ask the passengers to step back.",
        ),
    ),
)
