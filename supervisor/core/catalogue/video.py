"""Seeing and hearing what is around the vehicle."""

from __future__ import annotations

from typing import Final

from protocols.alarms import AlarmText
from supervisor.core.catalogue.keys import (
    AUDIO_LOST,
    BROKER_DOWN,
    CAMERA_BLOCKED,
    LINK_DEGRADED,
    LINK_LOST,
    VIDEO_FROZEN,
    VIDEO_LATE,
    VIDEO_POOR,
)
from supervisor.core.catalogue.spec import AlarmSpec, Escalation, Priority, Source

ROWS: Final[tuple[AlarmSpec, ...]] = (
    AlarmSpec(
        key=VIDEO_FROZEN,
        priority=Priority.HIGH,
        safety=False,
        respond_within_s=10.0,
        on_delay_ms=700,
        off_delay_ms=1_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.SUPERVISOR,
        waits_for="",
        ja=AlarmText(
            "映像停止",
            "車両は接続していますが、カメラの新しい画像が届かないか、端末に表示されていません(詳細に記載)。",
            "表示中の映像は現在の周囲を示していません。",
            "ほかのカメラと音で確かめ、周囲を確認できなければ停止させてください。",
        ),
        en=AlarmText(
            "Video frozen",
            "A camera brings no new picture, or a console does not show it (see the detail).",
            "The picture on screen does not show the present surroundings.",
            "Use the other cameras and the sound; stop the vehicle if you cannot see around it.",
        ),
    ),
    AlarmSpec(
        key=VIDEO_LATE,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=20.0,
        on_delay_ms=2_000,
        off_delay_ms=3_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, LINK_DEGRADED, VIDEO_FROZEN, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.NONE,
        waits_for="",
        ja=AlarmText(
            "映像遅延",
            "表示中の映像が、いまの用途の目標より古くなっています。",
            "画面で見てから指示しても間に合いません。続くと速度制限や遠隔運転の停止に進みます。",
            "注視するカメラを1つに絞り、改善しなければ車両に待機または停止を指示してください。",
        ),
        en=AlarmText(
            "Video late",
            "The picture on screen is older than its present use allows.",
            "What is seen is over before anything is done; speed and driving will be limited.",
            "Keep one camera in focus; if it does not get better, let the vehicle wait or stop.",
        ),
    ),
    AlarmSpec(
        key=VIDEO_POOR,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=60.0,
        on_delay_ms=5_000,
        off_delay_ms=5_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, LINK_DEGRADED, VIDEO_FROZEN, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.MAINTAINER,
        waits_for="",
        ja=AlarmText(
            "映像品質の低下",
            "カメラの映像が約束より粗いまま届いています(回線の帯域不足、または送信側の設定)。",
            "歩行者や標識などの細部を見落とすおそれがあります。",
            (
                "細部の判断にこの映像を使わず、ほかのカメラと音で補い、"
                "続くときは保守担当に連絡してください。"
            ),
        ),
        en=AlarmText(
            "Video poor",
            "A camera's picture arrives much coarser than promised: bandwidth, or its settings.",
            "Details such as people and signs may be missed.",
            "Do not judge details by it; use other cameras; call maintenance if it lasts.",
        ),
    ),
    AlarmSpec(
        key=CAMERA_BLOCKED,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=60.0,
        on_delay_ms=0,
        off_delay_ms=2_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.VEHICLE,
        kinds=(),
        escalation=Escalation.MAINTAINER,
        waits_for="",
        ja=AlarmText(
            "カメラの視界不良",
            "車両が、カメラの視界が雪・泥・逆光・暗さなどでふさがれていると知らせています。",
            "そのカメラの方向にいる人や物が見えません。",
            (
                "見えない方向をほかのカメラで補い、補えなければ待機させ、"
                "現場に清掃を依頼してください。"
            ),
        ),
        en=AlarmText(
            "Camera blocked",
            "The vehicle reports a camera blinded by snow, mud, low sun or darkness.",
            "People and things in that direction cannot be seen.",
            (
                "Cover that direction with other cameras; if you cannot, let it wait and have it "
                "cleaned."
            ),
        ),
    ),
    AlarmSpec(
        key=AUDIO_LOST,
        priority=Priority.LOW,
        safety=False,
        respond_within_s=60.0,
        on_delay_ms=3_000,
        off_delay_ms=2_000,
        latching=False,
        shelvable=True,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        source=Source.HUB,
        kinds=(),
        escalation=Escalation.MAINTAINER,
        waits_for="",
        ja=AlarmText(
            "音声断",
            "音声を送るはずの車両から、音が届いていません。",
            "警笛、サイレン、乗客の声に気づけず、映像と音による確認が片方だけになります。",
            (
                "映像だけでの監視であることを意識し、"
                "続くときは予備のマイクへの切替えを依頼してください。"
            ),
        ),
        en=AlarmText(
            "Sound lost",
            "No sound arrives from a vehicle that should send it.",
            "Horns, sirens and passengers go unheard; watching is by picture alone.",
            (
                "Watch knowing that you hear nothing; if it lasts, have the microphone checked or "
                "replaced."
            ),
        ),
    ),
)
