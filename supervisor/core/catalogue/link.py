"""The way to the vehicle: its link, its numbers, its clock."""

from __future__ import annotations

from typing import Final

from protocols.alarms import AlarmText
from supervisor.core.catalogue.keys import (
    BROKER_DOWN,
    CLOCK_UNTRUSTED,
    LINK_DEGRADED,
    LINK_LOST,
    TELEMETRY_STALE,
)
from supervisor.core.catalogue.spec import AlarmSpec, Escalation, Priority, Source

ROWS: Final[tuple[AlarmSpec, ...]] = (
    AlarmSpec(
        key=LINK_LOST,
        priority=Priority.HIGH,
        safety=True,
        respond_within_s=60.0,
        on_delay_ms=0,
        off_delay_ms=1_000,
        latching=True,
        shelvable=True,
        suppressed_by=(BROKER_DOWN,),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "通信断",
            "車両からの生存信号が途絶えました(電波の圏外、車載機の停止、または電源断)。",
            "この車両の現在の状態は分からず、ここからの停止指令も届きません。",
            (
                "最後の位置と車両の自律退避を確かめ、"
                "回復しなければ現場措置業務実施者を向かわせてください。"
            ),
        ),
        en=AlarmText(
            "Link lost",
            "No heartbeat from the vehicle: out of coverage, client stopped, or no power.",
            "Its present state is unknown, and a stop from here will not reach it.",
            "Check its last position and promised fallback; if it stays away, send the field team.",
        ),
    ),
    AlarmSpec(
        key=LINK_DEGRADED,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=60.0,
        on_delay_ms=2_000,
        off_delay_ms=3_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.NONE,
        waits_for="",
        ja=AlarmText(
            "通信の劣化",
            "車両との往復時間が長すぎるか、生存信号が欠けています。",
            "指令が遅れて届き、映像の遅れも正しく分かりません。遠隔運転はできません。",
            "介入の余裕を多めに取り、続くときは待機させて通信の担当に連絡してください。",
        ),
        en=AlarmText(
            "Link degraded",
            "The round trip to the vehicle is too long, or heartbeats are missing.",
            "Commands arrive late and ages are uncertain; remote driving is not available.",
            "Leave more margin; if it lasts, let the vehicle wait and call the network team.",
        ),
    ),
    AlarmSpec(
        key=TELEMETRY_STALE,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=120.0,
        on_delay_ms=500,
        off_delay_ms=1_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.MAINTAINER,
        waits_for="",
        ja=AlarmText(
            "車両情報の遅れ",
            "生存信号は届いていますが、位置や速度が更新されていません。",
            "表示中の位置と速度は古く、判断に使えません。",
            "映像で動きを確かめ、必要なら停止させ、続くときは保守担当に連絡してください。",
        ),
        en=AlarmText(
            "Telemetry stale",
            "Heartbeats arrive, but position and speed are no longer updated.",
            "The position and speed on screen are old and must not be relied on.",
            "Judge its motion by the picture, stop it if in doubt; call maintenance if it lasts.",
        ),
    ),
    AlarmSpec(
        key=CLOCK_UNTRUSTED,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=120.0,
        on_delay_ms=5_000,
        off_delay_ms=2_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, LINK_DEGRADED, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.MAINTAINER,
        waits_for="",
        ja=AlarmText(
            "時計の信頼喪失",
            (
                "車両の時計を管制の時計に合わせられません(時刻の飛び、進み方の異常、"
                "または往復時間の長さ)。"
            ),
            "映像がどれだけ遅れているか分からず、目標の判定は「不明」になります。",
            "映像の新しさを動きと音で確かめ、続くときは車載機の時刻同期を点検させてください。",
        ),
        en=AlarmText(
            "Clock untrusted",
            "The vehicle's clock cannot be mapped to the hub's: it jumped, runs wrong, or is far.",
            "How old the pictures are is not known; objectives are unknown.",
            "Judge by motion and sound; if it lasts, have the vehicle's time service checked.",
        ),
    ),
)
