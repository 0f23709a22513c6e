"""Field machines and robots."""

from __future__ import annotations

from typing import Final

from protocols.alarms import AlarmText
from protocols.vehicle import Kind
from supervisor.core.catalogue.keys import (
    BROKER_DOWN,
    IMPLEMENT_FAULT,
    LINK_LOST,
    PERSON_NEAR_MACHINE,
    ROBOT_GAS_DETECTED,
)
from supervisor.core.catalogue.spec import AlarmSpec, Escalation, Priority, Source

ROWS: Final[tuple[AlarmSpec, ...]] = (
    AlarmSpec(
        key=PERSON_NEAR_MACHINE,
        priority=Priority.HIGH,
        safety=True,
        respond_within_s=5.0,
        on_delay_ms=0,
        off_delay_ms=3_000,
        latching=True,
        shelvable=False,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.VEHICLE,
        kinds=(Kind.TRACTOR, Kind.ROBOT, Kind.OTHER),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "機械周辺の人",
            "機械が、近くに人がいると知らせています。",
            "作業機や車輪に人が巻き込まれるおそれがあります。",
            (
                "停止を確かめ、静止画と映像で人が離れたのを見届けてから、"
                "再開を明示して許可してください。"
            ),
        ),
        en=AlarmText(
            "Person near the machine",
            "The machine reports a person close to it.",
            "The person may be caught by the implement or the wheels.",
            (
                "See that it stands; allow it to go on only when the picture shows that the "
                "person has left."
            ),
        ),
    ),
    AlarmSpec(
        key=IMPLEMENT_FAULT,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=120.0,
        on_delay_ms=0,
        off_delay_ms=2_000,
        latching=True,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.VEHICLE,
        kinds=(Kind.TRACTOR, Kind.OTHER),
        escalation=Escalation.MAINTAINER,
        waits_for="",
        ja=AlarmText(
            "作業機の異常",
            "トラクターが、作業機または動力取出し(PTO)の異常を知らせています。",
            "作業の出来が悪くなるか、作業機を壊します。",
            "待機させ、作業機を映像で確かめ、動力を切ってから現場に点検を依頼してください。",
        ),
        en=AlarmText(
            "Implement fault",
            "The tractor reports a fault of its implement or power take-off.",
            "The work is spoilt, or the implement breaks.",
            (
                "Let it wait, look at the implement, switch the power take-off off, then have it "
                "checked."
            ),
        ),
    ),
    AlarmSpec(
        key=ROBOT_GAS_DETECTED,
        priority=Priority.HIGH,
        safety=True,
        respond_within_s=15.0,
        on_delay_ms=0,
        off_delay_ms=30_000,
        latching=True,
        shelvable=False,
        suppressed_by=(),
        source=Source.VEHICLE,
        kinds=(Kind.ROBOT, Kind.OTHER),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "ガス検知",
            "巡回ロボットが、しきい値を超えるガスを検知しました。",
            "漏えいが広がると、現場の人が中毒や爆発の危険にさらされます。",
            (
                "設備の担当と現場の人に直ちに知らせ、ロボットを動かさず、"
                "数値と風向きを伝えてください。"
            ),
        ),
        en=AlarmText(
            "Gas detected",
            "A patrol robot measures gas above its threshold.",
            "If the leak spreads, people on site risk poisoning or explosion.",
            (
                "Tell the plant and the people on site at once; keep the robot still; pass on "
                "reading and wind."
            ),
        ),
    ),
)
