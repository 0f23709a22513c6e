"""The vehicle itself, whatever its kind."""

from __future__ import annotations

from typing import Final

from protocols.alarms import AlarmText
from protocols.vehicle import Kind
from supervisor.core.catalogue.keys import (
    BROKER_DOWN,
    ENERGY_LOW,
    GEOFENCE_LEFT,
    LINK_LOST,
    MRM_FAILED,
    MRM_OPERATING,
    ODD_EXIT,
    ODD_NEAR_EXIT,
    TAKEOVER_REQUESTED,
    TAKEOVER_UNANSWERED,
    VEHICLE_COLLISION,
    VEHICLE_STOPPED_IN_LANE,
)
from supervisor.core.catalogue.spec import AlarmSpec, Escalation, Priority, Source

ROWS: Final[tuple[AlarmSpec, ...]] = (
    AlarmSpec(
        key=ODD_NEAR_EXIT,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=60.0,
        on_delay_ms=1_000,
        off_delay_ms=5_000,
        latching=False,
        shelvable=True,
        suppressed_by=(ODD_EXIT, LINK_LOST, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.NONE,
        waits_for="",
        ja=AlarmText(
            "走行領域の端",
            "車両が、自動運転できる条件(場所、天候、速度など)の限界に近づいています。",
            "限界を越えると車両は自らリスク最小化制御に入ります。",
            "限界の理由を確かめ、安全な場所での停車か、介入の準備を始めてください。",
        ),
        en=AlarmText(
            "Near ODD exit",
            "The vehicle comes near the limits of its operational design domain.",
            "Beyond them it begins its minimal-risk manoeuvre by itself.",
            "See what the limit is; let it stop at a good place, or get ready to take over.",
        ),
    ),
    AlarmSpec(
        key=ODD_EXIT,
        priority=Priority.LOW,
        safety=True,
        respond_within_s=30.0,
        on_delay_ms=0,
        off_delay_ms=3_000,
        latching=True,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "走行領域外",
            "車両が、自動運転できる条件の外に出ました。",
            "車両は自動では走り続けられず、止まった場所で道をふさぐおそれがあります。",
            "停止を映像で確かめ、現場の安全を見て、介入または現場要員の派遣を決めてください。",
        ),
        en=AlarmText(
            "Outside ODD",
            "The vehicle has left its operational design domain.",
            "It cannot go on by itself, and may block the way where it stops.",
            "See that it stops, look around it, then take over or send the field team.",
        ),
    ),
    AlarmSpec(
        key=MRM_OPERATING,
        priority=Priority.LOW,
        safety=True,
        respond_within_s=15.0,
        on_delay_ms=0,
        off_delay_ms=1_000,
        latching=True,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "リスク最小化制御中",
            "車両がリスク最小化制御(停止または路肩退避)を行っています。",
            "停止するまで通常の指示に従わず、後続車が追いつくおそれがあります。",
            "停止まで映像で見届け、乗客に知らせ、停止した場所の安全を確かめてください。",
        ),
        en=AlarmText(
            "MRM in progress",
            "The vehicle performs its minimal-risk manoeuvre.",
            "Until it stands it takes no ordinary orders; traffic behind may close up.",
            "Watch it until it stands, tell the passengers, check that the place is safe.",
        ),
    ),
    AlarmSpec(
        key=MRM_FAILED,
        priority=Priority.URGENT,
        safety=True,
        respond_within_s=10.0,
        on_delay_ms=0,
        off_delay_ms=0,
        latching=True,
        shelvable=False,
        suppressed_by=(BROKER_DOWN,),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "リスク最小化制御の失敗",
            "車両が、リスク最小化制御を完了できなかったと知らせています。",
            "車両が危険な場所に止まっているか、まだ動いているおそれがあります。",
            "直ちに停止を送り、動きを映像で確かめ、現場と必要な機関に通報してください。",
        ),
        en=AlarmText(
            "MRM failed",
            "The vehicle reports that its minimal-risk manoeuvre has failed.",
            "It may stand in a dangerous place, or still be moving.",
            (
                "Send STOP at once, see by the picture what it does, alert the field team and the "
                "authorities."
            ),
        ),
    ),
    AlarmSpec(
        key=VEHICLE_STOPPED_IN_LANE,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=120.0,
        on_delay_ms=60_000,
        off_delay_ms=3_000,
        latching=False,
        shelvable=True,
        suppressed_by=(
            TAKEOVER_REQUESTED,
            TAKEOVER_UNANSWERED,
            MRM_OPERATING,
            MRM_FAILED,
            LINK_LOST,
            BROKER_DOWN,
        ),
        source=Source.HUB,
        kinds=(Kind.BUS,),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "走路上の停止",
            "自動運転中の車両が、停留所でも要求中でもないのに1分以上止まっています。",
            "後続車の追突や、乗客の不安につながります。",
            "前方の映像で理由を確かめ、進めなければ経路変更か路肩停車を指示してください。",
        ),
        en=AlarmText(
            "Stopped in lane",
            (
                "A vehicle in autonomous mode has stood for a minute, not at a stop and asking "
                "nothing."
            ),
            "Traffic behind may run into it; passengers do not know why it stands.",
            (
                "Find the reason in the front picture; if it cannot go on, choose another path or "
                "pull over."
            ),
        ),
    ),
    AlarmSpec(
        key=VEHICLE_COLLISION,
        priority=Priority.URGENT,
        safety=True,
        respond_within_s=5.0,
        on_delay_ms=0,
        off_delay_ms=0,
        latching=True,
        shelvable=False,
        suppressed_by=(),
        source=Source.VEHICLE,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "衝突検知",
            "車両が、衝突または接触を検知したと知らせています。",
            "けが人がいるおそれがあります。救護と通報の義務が始まります。",
            (
                "停止させ、けが人を映像と音で確かめ、"
                "119番・現場措置業務実施者・警察の順に連絡してください。"
            ),
        ),
        en=AlarmText(
            "Collision",
            "The vehicle reports a collision or a contact.",
            "Somebody may be hurt; the duties of rescue and report begin now.",
            (
                "Stop it, look and listen for the injured; call the fire service, the field team, "
                "the police."
            ),
        ),
    ),
    AlarmSpec(
        key=ENERGY_LOW,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=600.0,
        on_delay_ms=10_000,
        off_delay_ms=10_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.NONE,
        waits_for="",
        ja=AlarmText(
            "エネルギー残量低下",
            "バッテリーまたは燃料の残量が下限を下回りました。",
            "走行中や作業中に止まり、回収が必要になります。",
            "残りの行程を見て、次の終点か充電場所で運用から外してください。",
        ),
        en=AlarmText(
            "Energy low",
            "Battery or tank is below its limit.",
            "It may stop on the way or in the field and have to be fetched.",
            (
                "Look at what is left of its task; take it out of service at the next terminus or "
                "charger."
            ),
        ),
    ),
    AlarmSpec(
        key=GEOFENCE_LEFT,
        priority=Priority.LOW,
        safety=True,
        respond_within_s=30.0,
        on_delay_ms=1_000,
        off_delay_ms=3_000,
        latching=True,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "走行範囲の逸脱",
            "車両の位置が、登録された経路または圃場から離れています。",
            (
                "想定していない場所に入り、"
                "人や物と出会うおそれがあります(測位の異常の場合もあります)。"
            ),
            "停止させ、映像で実際の場所を確かめ、戻せなければ現場要員を向かわせてください。",
        ),
        en=AlarmText(
            "Left its area",
            "The vehicle's position is away from its configured route or field.",
            "It may meet people and things where none expects it; or its positioning is wrong.",
            (
                "Stop it, see by the picture where it really is; send the field team if it cannot "
                "return."
            ),
        ),
    ),
)
