"""A person is needed: a vehicle asks for one, or the law does."""

from __future__ import annotations

from typing import Final

from protocols.alarms import AlarmText
from supervisor.core.catalogue.keys import (
    DUTY_OVERDUE,
    TAKEOVER_REQUESTED,
    TAKEOVER_UNANSWERED,
)
from supervisor.core.catalogue.spec import AlarmSpec, Escalation, Priority, Source

ROWS: Final[tuple[AlarmSpec, ...]] = (
    AlarmSpec(
        key=TAKEOVER_REQUESTED,
        priority=Priority.HIGH,
        safety=False,
        respond_within_s=30.0,
        on_delay_ms=0,
        off_delay_ms=0,
        latching=False,
        shelvable=False,
        suppressed_by=(),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "介入要求",
            "車両が自力で判断できない状況に出会い、人の判断を求めています。",
            "応答がなければ、車両はリスク最小化制御で停止したまま待ちます。",
            "映像と音で周囲を確かめ、発進を許可するか、停止を続けるかを決めてください。",
        ),
        en=AlarmText(
            "Take-over request",
            "The vehicle met something it cannot decide alone and asks for a person.",
            "Without an answer it stays in its minimal-risk condition and blocks the way.",
            "Check around it by video and sound, then allow it to proceed or keep it stopped.",
        ),
    ),
    AlarmSpec(
        key=TAKEOVER_UNANSWERED,
        priority=Priority.HIGH,
        safety=True,
        respond_within_s=30.0,
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
            "介入要求 応答なし",
            "介入要求に、定められた時間内に誰も応答しませんでした。",
            "車両はリスク最小化制御に移り、停止したまま道をふさぎます。乗客は状況を知りません。",
            (
                "いま応答できる席で要求を引き取り、車内に状況を放送し、"
                "応答できなかった理由を残してください。"
            ),
        ),
        en=AlarmText(
            "Take-over unanswered",
            "Nobody answered a take-over request within its time.",
            (
                "The vehicle goes to its minimal-risk condition and blocks the way; passengers "
                "are not told."
            ),
            (
                "Take the request over at a seat that can act now, tell the passengers, and note "
                "why it was missed."
            ),
        ),
    ),
    AlarmSpec(
        key=DUTY_OVERDUE,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=30.0,
        on_delay_ms=0,
        off_delay_ms=0,
        latching=False,
        shelvable=False,
        suppressed_by=(),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "法定対応の遅れ",
            "通報や現場への派遣など、法令で直ちに求められる対応が期限を過ぎています。",
            "負傷者の救護や二次事故の防止が遅れ、法令の義務も果たせません。",
            "対応表を開いて表示の連絡先に連絡し、済んだ項目に印を付けてください。",
        ),
        en=AlarmText(
            "Statutory duty overdue",
            "A call or dispatch that the law asks for at once has not been marked as done in time.",
            "Help for the injured and safety at the scene come late; the duty is not fulfilled.",
            "Open the duties, call the contact shown there, and mark what is done.",
        ),
    ),
)
