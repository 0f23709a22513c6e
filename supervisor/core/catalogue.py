"""The alarms this hub knows: frozen rows, no behaviour.

Priorities follow EEMUA 191: how bad is it if nobody acts, and how long is there to
act; and not: how interesting is it. Urgent (P1) is kept for what only an operator can
avert and what has to happen at once; about one alarm in twenty may be urgent, or the
word means nothing.

* `takeover.requested` is P2: the vehicle already stands or is coming to rest in a
  minimal-risk condition by its own rule, whether or not anybody answers. Unanswered it
  costs passengers time and blocks a road; it does not get more dangerous by the
  second. It is also the most frequent alarm by far: as P1 it would bury the real ones.
* `link.lost` is P2: the vehicle falls back by itself; the operator's part is to look,
  call and send somebody.
* `broker.down` is P1: no vehicle can be seen or stopped through this hub, and only a
  person can tell the field. It is rare.
* `audit.failed` is P2: control other than stop is refused until it is repaired.
* `video.frozen` is P2: what the operator judges by is not live.
* `video.late` is P2: what the operator sees is too old for what it is used for.
* `video.poor`, `link.degraded` and `clock.untrusted` are P3: the vehicle still drives by
  itself; the operator must know that he sees less, or that ages are not known.
* `telemetry.stale` is P3: the picture and the link are there, the numbers are old.

A row without something for the operator to do is a log line, not an alarm.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from protocols.operator import AlarmSpecView, AlarmText


class Priority(enum.IntEnum):
    """EEMUA 191 priorities."""

    URGENT = 1
    HIGH = 2
    LOW = 3


class AlarmSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row.

    Attributes:
        key: Name in dots; also the anchor of its page in docs/runbooks.
        respond_within_s: Time to respond before the consequence sets in.
        on_delay_ms: The condition must last this long to raise.
        off_delay_ms: The condition must be gone this long to return.
        latching: It stays until acknowledged, even when it is gone.
        suppressed_by: Rows that make this one redundant while they are active.
        ja, en: Title, cause, consequence and the operator's action.
        runbook: Anchor of the page that says more.
    """

    key: str
    priority: Priority
    respond_within_s: float
    on_delay_ms: int
    off_delay_ms: int
    latching: bool
    suppressed_by: tuple[str, ...]
    ja: AlarmText
    en: AlarmText
    runbook: str

    def view(self) -> AlarmSpecView:
        """Return what a console needs of this row."""
        return AlarmSpecView(
            self.key, int(self.priority), self.respond_within_s, self.runbook, self.ja, self.en
        )


TAKEOVER_REQUESTED: Final = "takeover.requested"
LINK_LOST: Final = "link.lost"
TELEMETRY_STALE: Final = "telemetry.stale"
VIDEO_FROZEN: Final = "video.frozen"
VIDEO_LATE: Final = "video.late"
VIDEO_POOR: Final = "video.poor"
LINK_DEGRADED: Final = "link.degraded"
CLOCK_UNTRUSTED: Final = "clock.untrusted"
BROKER_DOWN: Final = "broker.down"
AUDIT_FAILED: Final = "audit.failed"

CATALOGUE: Final[tuple[AlarmSpec, ...]] = (
    AlarmSpec(
        key=TAKEOVER_REQUESTED,
        priority=Priority.HIGH,
        respond_within_s=30.0,
        on_delay_ms=0,
        off_delay_ms=0,
        latching=False,
        suppressed_by=(),
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
        runbook="takeover-requested",
    ),
    AlarmSpec(
        key=LINK_LOST,
        priority=Priority.HIGH,
        respond_within_s=60.0,
        on_delay_ms=0,
        off_delay_ms=1_000,
        latching=True,
        suppressed_by=(BROKER_DOWN,),
        ja=AlarmText(
            "通信断",
            "車両からの生存信号が途絶えました(電波の圏外、車載機の停止、または電源断)。",
            "この車両の現在の状態は分からず、ここからの停止指令も届きません。",
            "最後の位置と車両の自律退避を確かめ、回復しなければ現場措置業務実施者を向かわせてください。",
        ),
        en=AlarmText(
            "Link lost",
            "No heartbeat from the vehicle: out of coverage, client stopped, or no power.",
            "Its present state is unknown, and a stop from here will not reach it.",
            "Check its last position and promised fallback; if it stays away, send the field team.",
        ),
        runbook="link-lost",
    ),
    AlarmSpec(
        key=TELEMETRY_STALE,
        priority=Priority.LOW,
        respond_within_s=120.0,
        on_delay_ms=500,
        off_delay_ms=1_000,
        latching=False,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
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
        runbook="telemetry-stale",
    ),
    AlarmSpec(
        key=VIDEO_FROZEN,
        priority=Priority.HIGH,
        respond_within_s=10.0,
        on_delay_ms=700,
        off_delay_ms=1_000,
        latching=False,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
        ja=AlarmText(
            "映像停止",
            "車両は接続していますが、カメラの新しい画像が届いていません。",
            "表示中の映像は現在の周囲を示していません。",
            "ほかのカメラと音で確かめ、周囲を確認できなければ停止させてください。",
        ),
        en=AlarmText(
            "Video frozen",
            "The vehicle is connected, but a camera delivers no new picture.",
            "The picture on screen does not show the present surroundings.",
            "Use the other cameras and the sound; stop the vehicle if you cannot see around it.",
        ),
        runbook="video-frozen",
    ),
    AlarmSpec(
        key=VIDEO_LATE,
        priority=Priority.HIGH,
        respond_within_s=20.0,
        on_delay_ms=2_000,
        off_delay_ms=3_000,
        latching=False,
        suppressed_by=(LINK_LOST, LINK_DEGRADED, VIDEO_FROZEN, BROKER_DOWN),
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
        runbook="video-late",
    ),
    AlarmSpec(
        key=VIDEO_POOR,
        priority=Priority.LOW,
        respond_within_s=60.0,
        on_delay_ms=5_000,
        off_delay_ms=5_000,
        latching=False,
        suppressed_by=(LINK_LOST, LINK_DEGRADED, VIDEO_FROZEN, BROKER_DOWN),
        ja=AlarmText(
            "映像品質の低下",
            "カメラの映像が約束より粗いまま届いています(回線の帯域不足、または送信側の設定)。",
            "歩行者や標識などの細部を見落とすおそれがあります。",
            "細部の判断にこの映像を使わず、ほかのカメラと音で補い、続くときは保守担当に連絡してください。",
        ),
        en=AlarmText(
            "Video poor",
            "A camera's picture arrives much coarser than promised: bandwidth, or its settings.",
            "Details such as people and signs may be missed.",
            "Do not judge details by it; use other cameras; call maintenance if it lasts.",
        ),
        runbook="video-poor",
    ),
    AlarmSpec(
        key=LINK_DEGRADED,
        priority=Priority.LOW,
        respond_within_s=60.0,
        on_delay_ms=2_000,
        off_delay_ms=3_000,
        latching=False,
        suppressed_by=(LINK_LOST, BROKER_DOWN),
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
        runbook="link-degraded",
    ),
    AlarmSpec(
        key=CLOCK_UNTRUSTED,
        priority=Priority.LOW,
        respond_within_s=120.0,
        on_delay_ms=5_000,
        off_delay_ms=2_000,
        latching=False,
        suppressed_by=(LINK_LOST, LINK_DEGRADED, BROKER_DOWN),
        ja=AlarmText(
            "時計の信頼喪失",
            "車両の時計を管制の時計に合わせられません(時刻の飛び、進み方の異常、または往復時間の長さ)。",
            "映像がどれだけ遅れているか分からず、目標の判定は「不明」になります。",
            "映像の新しさを動きと音で確かめ、続くときは車載機の時刻同期を点検させてください。",
        ),
        en=AlarmText(
            "Clock untrusted",
            "The vehicle's clock cannot be mapped to the hub's: it jumped, runs wrong, or is far.",
            "How old the pictures are is not known; objectives are unknown.",
            "Judge by motion and sound; if it lasts, have the vehicle's time service checked.",
        ),
        runbook="clock-untrusted",
    ),
    AlarmSpec(
        key=BROKER_DOWN,
        priority=Priority.URGENT,
        respond_within_s=10.0,
        on_delay_ms=1_500,
        off_delay_ms=5_000,
        latching=True,
        suppressed_by=(),
        ja=AlarmText(
            "通信基盤停止",
            "管制サーバーとメッセージ基盤(ブローカー)の接続が切れました。",
            "すべての車両の状態が分からず、停止指令も届きません。車両は各自の規則で退避します。",
            "直ちに現場へ電話などで連絡し、設備担当を呼んでください。",
        ),
        en=AlarmText(
            "Message broker down",
            "The hub has lost its connection to the message broker.",
            "No vehicle can be seen or stopped from here; each follows its own fallback rule.",
            "Tell the field by phone or radio at once, and call the ops team.",
        ),
        runbook="broker-down",
    ),
    AlarmSpec(
        key=AUDIT_FAILED,
        priority=Priority.HIGH,
        respond_within_s=60.0,
        on_delay_ms=0,
        off_delay_ms=2_000,
        latching=True,
        suppressed_by=(),
        ja=AlarmText(
            "監査記録の書込み失敗",
            "監査記録を保存できません(空き容量不足、または記憶装置の故障)。",
            "停止以外の操作は拒否されます。停止は記録なしでも送られます。",
            "走行を続ける必要がなければ車両を停止させ、設備担当に連絡してください。",
        ),
        en=AlarmText(
            "Audit store failed",
            "The audit record cannot be written: the disk is full or broken.",
            "Every control action except stop is refused; stop is sent even without a record.",
            "Stop vehicles that need not run, and call the ops team.",
        ),
        runbook="audit-failed",
    ),
)
