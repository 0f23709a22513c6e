"""What calls the ops team: one row for each alert.

Ops alerts are not operator alarms. An alarm (`supervisor.core.catalogue`) asks the person
at the console to do something about a vehicle, now; the hub raises it whether or not
anything scrapes it. An alert asks whoever runs the hub to repair it; Prometheus raises it
also when the hub is gone. None of them stands for the other (decisions/0019).

`critical` means: supervision is, or is about to be, impaired: call somebody. `warning`
means: look at it in working hours.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

Severity = Literal["critical", "warning"]

SCRAPED: Final = 'job="enkan"'


class Text(NamedTuple):
    """In one language: one line, and what it means."""

    summary: str
    description: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One row.

    Attributes:
        lasting: How long `expr` has to hold before anybody is called.
        page: Of `docs/runbooks/ops/{ja,en}`, without its ending.
    """

    name: str
    severity: Severity
    expr: str
    lasting: str = "0s"
    page: str
    ja: Text
    en: Text
    labels: tuple[tuple[str, str], ...] = ()


ALERTS: Final = (
    Alert(
        name="EnkanHubDown",
        severity="critical",
        expr=f"up{{{SCRAPED}}} == 0\nor\nabsent(up{{{SCRAPED}}})",
        lasting="30s",
        page="hub-down",
        ja=Text("ハブが応答しない", "/metrics が30秒読めません。停止しているか、届きません。"),
        en=Text(
            "The hub does not answer", "/metrics cannot be read for 30 s: it is down, or cut off."
        ),
    ),
    Alert(
        name="EnkanScrapeFailing",
        severity="warning",
        expr=(
            f"(avg_over_time(up{{{SCRAPED}}}[10m]) < 0.9 and "
            f"max_over_time(up{{{SCRAPED}}}[3m]) == 1)\n"
            f"or\nscrape_duration_seconds{{{SCRAPED}}} > 1"
        ),
        lasting="5m",
        page="scrape-failing",
        ja=Text("メトリクス取得が不安定", "取得の1割以上が失敗したか、1秒を超えています。"),
        en=Text(
            "Scrapes are unsteady",
            "More than a tenth of the scrapes failed, or they take over 1 s.",
        ),
    ),
    Alert(
        name="EnkanHubRestarts",
        severity="critical",
        expr=f"changes(process_start_time_seconds{{{SCRAPED}}}[30m]) > 2",
        page="hub-restarts",
        ja=Text(
            "ハブが再起動を繰り返している",
            "30分に3回以上起動しました。起動のたびに操作権は失われます。",
        ),
        en=Text(
            "The hub restarts again and again",
            "Three starts within 30 minutes; each of them ends all control.",
        ),
    ),
    Alert(
        name="EnkanBrokerDown",
        severity="critical",
        expr='enkan_ready{part="broker"} == 0',
        lasting="15s",
        page="broker-down",
        ja=Text(
            "ブローカー停止", "ハブとブローカーの接続がありません。車両の状態も指令も届きません。"
        ),
        en=Text(
            "Broker down",
            "The hub has no connection to its broker: no states arrive, no commands leave.",
        ),
    ),
    Alert(
        name="EnkanMediaWorkerDown",
        severity="critical",
        expr="enkan_media_workers_ready < enkan_media_workers_configured",
        lasting="15s",
        page="media-worker",
        ja=Text(
            "映像ワーカー停止",
            "動いている映像ワーカーが設定より少なく、映像が届かない車両があります。",
        ),
        en=Text(
            "Media worker down",
            "Fewer media workers serve than configured: some vehicles have no picture.",
        ),
    ),
    Alert(
        name="EnkanMediaWorkerRestarts",
        severity="warning",
        expr="increase(enkan_media_worker_restarts_total[15m]) > 2",
        page="media-worker",
        ja=Text(
            "映像ワーカーが再起動を繰り返している",
            "15分に3回以上です。そのたびに映像が途切れます。",
        ),
        en=Text(
            "Media workers restart again and again",
            "Three times in 15 minutes or more; pictures break off each time.",
        ),
    ),
    Alert(
        name="EnkanAuditFailing",
        severity="critical",
        expr=(
            'enkan_ready{part="audit"} == 0\n'
            "or on (instance)\nincrease(enkan_audit_refused_total[5m]) > 0"
        ),
        page="audit-failing",
        ja=Text("監査記録に失敗", "記録できない操作は拒否されます。緊急停止だけが通ります。"),
        en=Text(
            "The audit cannot be written",
            "What cannot be recorded is refused; only the emergency stop passes.",
        ),
    ),
    Alert(
        name="EnkanJournalFailing",
        severity="warning",
        expr=(
            'enkan_ready{part="journal"} == 0\n'
            "or on (instance)\nenkan_journal_last_write_age_seconds > 10"
        ),
        lasting="30s",
        page="journal-failing",
        ja=Text("ジャーナルに欠落", "判断の記録が途切れています。この間は再現できません。"),
        en=Text(
            "The journal has a gap",
            "Decisions are not being written: this time cannot be replayed.",
        ),
    ),
    Alert(
        name="EnkanDiskLow",
        severity="critical",
        expr="enkan_storage_free_bytes < 4 * 2^30\nor\n"
        "enkan_storage_free_bytes / enkan_storage_size_bytes < 0.05",
        lasting="1m",
        page="disk-low",
        ja=Text(
            "空き容量がわずか",
            "4 GiB 未満、または5%未満です。なくなると操作が記録できず拒否されます。",
        ),
        en=Text(
            "The disk is almost full",
            "Below 4 GiB or 5 %. Without room nothing can be recorded, and control is refused.",
        ),
    ),
    Alert(
        name="EnkanDiskFilling",
        severity="warning",
        expr=(
            "predict_linear(enkan_storage_free_bytes[6h], 86400) < 0\n"
            "and\nenkan_storage_free_bytes / enkan_storage_size_bytes < 0.3"
        ),
        lasting="30m",
        page="disk-low",
        ja=Text(
            "1日以内に容量不足の見込み",
            "この6時間の増え方が続くと、24時間以内に空きがなくなります。",
        ),
        en=Text(
            "The disk will be full within a day",
            "At the rate of the last six hours there is no room left in 24 hours.",
        ),
    ),
    Alert(
        name="EnkanClocksUntrusted",
        severity="critical",
        expr=(
            "sum by (instance) (enkan_vehicle_link_online unless "
            "(enkan_vehicle_clock_trusted == 1))\n"
            "> 0.5 * sum by (instance) (enkan_vehicle_link_online)"
        ),
        lasting="1m",
        page="clock-untrusted",
        ja=Text(
            "大半の車両の時刻が未確認",
            "原因は車両でなくハブか共通の回線です。映像の遅れが分かりません。",
        ),
        en=Text(
            "Most clocks are untrusted",
            "The cause is the hub or a shared network: no picture has a known age.",
        ),
    ),
    Alert(
        name="EnkanClockUntrusted",
        severity="warning",
        expr=(
            "enkan_vehicle_link_online == 1\n"
            "and on (instance, vehicle)\nenkan_vehicle_clock_trusted == 0"
        ),
        lasting="5m",
        page="clock-untrusted",
        ja=Text(
            "{{ $labels.vehicle }} の時刻が未確認",
            "5分続いています。遅れが分からず、遠隔操作はできません。",
        ),
        en=Text(
            "The clock of {{ $labels.vehicle }} is untrusted",
            "For 5 minutes: its delay is unknown, and it cannot be driven remotely.",
        ),
    ),
    Alert(
        name="EnkanLoopLag",
        severity="warning",
        expr=(
            'rate(enkan_loop_lag_seconds_bucket{le="0.02"}[5m])\n'
            "< on (instance) 0.99 * rate(enkan_loop_lag_seconds_count[5m])"
        ),
        lasting="5m",
        page="loop-lag",
        ja=Text("ハブの処理が遅れぎみ", "1%を超える処理が20 ms以上遅れています。"),
        en=Text(
            "The hub runs late",
            "More than 1 % of the looks at the event loop were over 20 ms late.",
        ),
    ),
    Alert(
        name="EnkanLoopLagHigh",
        severity="critical",
        expr=(
            'rate(enkan_loop_lag_seconds_bucket{le="0.1"}[1m])\n'
            "< on (instance) 0.99 * rate(enkan_loop_lag_seconds_count[1m])"
        ),
        lasting="1m",
        page="loop-lag",
        ja=Text(
            "ハブの処理が大きく遅れている",
            "1%を超える処理が100 ms以上遅れています。操作が途切れます。",
        ),
        en=Text(
            "The hub runs far too late",
            "More than 1 % of the looks were over 100 ms late: driving breaks off.",
        ),
    ),
    Alert(
        name="EnkanEventsWaiting",
        severity="critical",
        expr="enkan_events_waiting > 2000",
        lasting="15s",
        page="loop-lag",
        ja=Text(
            "処理待ちがたまっている", "2000件を超えています。あふれると古い測定値から捨てられます。"
        ),
        en=Text(
            "Events queue up",
            "Over 2,000 wait for the core; when the queue is full, measurements are dropped.",
        ),
    ),
    Alert(
        name="EnkanFileDescriptors",
        severity="warning",
        expr=f"process_open_fds{{{SCRAPED}}} > 0.8 * process_max_fds{{{SCRAPED}}}",
        lasting="5m",
        page="file-descriptors",
        ja=Text(
            "ファイル記述子が残りわずか",
            "上限の8割を使っています。なくなると新しい接続を受けられません。",
        ),
        en=Text(
            "Few file descriptors are left",
            "80 % of the limit are in use; without any, no new connection is taken.",
        ),
    ),
    Alert(
        name="EnkanCertificateEnds",
        severity="warning",
        expr="enkan_console_certificate_seconds < 14 * 86400",
        lasting="1h",
        page="certificate-ends",
        ja=Text("証明書の期限が近い", "監視画面の証明書の残りが14日を切りました。"),
        en=Text("The certificate ends soon", "The console's certificate ends within 14 days."),
    ),
)
