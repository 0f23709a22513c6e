"""Commands and who has control."""

from __future__ import annotations

from typing import Final

from protocols.alarms import AlarmText
from supervisor.core.catalogue.keys import (
    AUTHORITY_LOST,
    BROKER_DOWN,
    COMMAND_LATE,
    COMMAND_REFUSED,
    DEADMAN_RELEASED,
    LINK_DEGRADED,
    LINK_LOST,
)
from supervisor.core.catalogue.spec import AlarmSpec, Escalation, Priority, Source

ROWS: Final[tuple[AlarmSpec, ...]] = (
    AlarmSpec(
        key=COMMAND_LATE,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=30.0,
        on_delay_ms=0,
        off_delay_ms=10_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, LINK_DEGRADED, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.NONE,
        waits_for="",
        ja=AlarmText(
            "指令の応答なし",
            "送った指令に、車両が時間内に応答しませんでした。",
            "指令が実行されたかどうか分かりません。",
            "車両の動きを映像で確かめ、止めるつもりなら停止をもう一度送ってください。",
        ),
        en=AlarmText(
            "Command unanswered",
            "The vehicle did not answer a command in time.",
            "Whether it was carried out is not known.",
            "See by the picture what it does; if it is to stand, send STOP again.",
        ),
    ),
    AlarmSpec(
        key=COMMAND_REFUSED,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=30.0,
        on_delay_ms=0,
        off_delay_ms=10_000,
        latching=False,
        shelvable=True,
        suppressed_by=(),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.NONE,
        waits_for="",
        ja=AlarmText(
            "指令の拒否",
            "車両が指令を拒否しました(理由は詳細に表示)。",
            "車両は指令どおりに動いていません。",
            (
                "理由を読み、車両の状態を確かめて別の指示を選び、"
                "繰り返すなら保守担当に連絡してください。"
            ),
        ),
        en=AlarmText(
            "Command refused",
            "The vehicle refused a command; the detail says why.",
            "It does not do what was ordered.",
            (
                "Read the reason, check its state, choose another answer; call maintenance if it "
                "repeats."
            ),
        ),
    ),
    AlarmSpec(
        key=AUTHORITY_LOST,
        priority=Priority.LOW,
        safety=True,
        respond_within_s=10.0,
        on_delay_ms=0,
        off_delay_ms=0,
        latching=True,
        shelvable=False,
        suppressed_by=(),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "操作権の喪失",
            "操作権が、操作者の意思によらずに終わりました(席の喪失、通信断、期限切れ、交代)。",
            "車両は自らの規則で減速または停止します。ここからの操作は届きません。",
            "車両が停止したことを映像で確かめ、必要なら操作権を取り直してください。",
        ),
        en=AlarmText(
            "Control lost",
            "Control ended without its holder's wish: seat lost, link lost, lapsed, or taken over.",
            "The vehicle slows or stops by its own rule; input from here no longer reaches it.",
            "See by the picture that it stands; take control again if it is still needed.",
        ),
    ),
    AlarmSpec(
        key=DEADMAN_RELEASED,
        priority=Priority.LOW,
        safety=True,
        respond_within_s=15.0,
        on_delay_ms=0,
        off_delay_ms=2_000,
        latching=True,
        shelvable=True,
        suppressed_by=(),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "デッドマン解放",
            "遠隔操作中に、デッドマンの保持が途切れました。",
            "車両は0.5秒以内に止まり始め、その場に立ち止まります。",
            (
                "停止した場所が安全か確かめ、操作を続けるなら握り直し、"
                "続けないなら操作権を返してください。"
            ),
        ),
        en=AlarmText(
            "Dead-man released",
            "The dead-man control was let go, or not heard, during remote driving.",
            "The vehicle begins to stop within 0.5 s and stands where it is.",
            "Check that it stands in a safe place; press again to go on, or give control back.",
        ),
    ),
)
