"""The dashboards of Grafana, and how it finds them and Prometheus."""

from __future__ import annotations

import json
from typing import Final

from supervisor.observability.ops.panels import (
    Dashboard,
    Panel,
    Query,
    Variable,
    document,
    quantile,
    rate,
)
from supervisor.observability.ops.rules import HEAD
from supervisor.observability.ops.yaml_text import dump

_SITE: Final = Variable("site", "サイト", "Site", "enkan_objective_samples_total", "site")
_VEHICLE: Final = Variable(
    "vehicle", "車両", "Vehicle", "enkan_vehicle_link_online", "vehicle", several=False
)
_HERE: Final = 'site=~"$site"'
_THIS: Final = 'vehicle="$vehicle"'
_ITS_SITE: Final = 'vehicle=~"($site)/.*"'


def _spread(metric: str, where: str = _HERE) -> tuple[Query, ...]:
    return tuple(
        Query(quantile(share, metric, where=where), f"p{share * 100:g}")
        for share in (0.5, 0.95, 0.99)
    )


def _of_vehicle(metric: str) -> tuple[Query, ...]:
    return (Query(f"{metric}{{{_THIS}}}"),)


FLEET: Final = Dashboard(
    "fleet", "車両群", "Fleet",
    (
        Panel("通信中の車両", "Vehicles online",
              (Query(f"sum(enkan_vehicle_link_online{{{_ITS_SITE}}})", "online"),
               Query(f"count(enkan_vehicle_link_online{{{_ITS_SITE}}})", "all")),
              kind="stat", width=6),
        Panel("時刻の確認できた車両", "Clocks trusted",
              (Query(f"sum(enkan_vehicle_clock_trusted{{{_ITS_SITE}}})"),), kind="stat", width=6),
        Panel("介入要求", "Requests open", (Query("enkan_requests_open"),), kind="stat", width=6),
        Panel("監視カバー率", "Monitoring coverage",
              (Query(f"enkan_monitoring_coverage_ratio{{{_HERE}}}", "{{site}}"),),
              "percentunit", "stat", 6),
        Panel("古いテレメトリ", "Oldest telemetry",
              (Query(f"topk(5, enkan_vehicle_telemetry_age_seconds{{{_ITS_SITE}}})",
                     "{{vehicle}}"),), "s"),
        Panel("往復時間", "Round trips",
              (Query(f"topk(5, enkan_vehicle_round_trip_seconds{{{_ITS_SITE}}})",
                     "{{vehicle}}"),), "s"),
        Panel("欠落・重複", "Missed, repeated, late",
              (Query(rate("enkan_telemetry_faults_total", "reason"), "telemetry {{reason}}"),
               Query(rate("enkan_heartbeat_faults_total", "reason"), "heartbeat {{reason}}"))),
        Panel("ループ遅れ p99", "Event loop lag p99",
              (Query(quantile(0.99, "enkan_loop_lag_seconds")),), "s", width=6),
        Panel("動作中の部分", "Parts that work", (Query("enkan_ready", "{{part}}"),), width=6),
        Panel("空き容量", "Disk left", (Query("enkan_storage_free_bytes"),), "bytes", width=6),
        Panel("メモリ・CPU", "Hub memory", (Query("process_resident_memory_bytes"),), "bytes",
              width=6),
    ),
    (_SITE,),
)  # fmt: skip

VEHICLE: Final = Dashboard(
    "vehicle", "車両1台", "One vehicle",
    (
        Panel("通信", "Link", _of_vehicle("enkan_vehicle_link_online"), kind="stat", width=6),
        Panel("遠隔操作の可否", "Driving available", _of_vehicle("enkan_vehicle_drive_available"),
              kind="stat", width=6),
        Panel("制限の段", "Rung of enforcement", _of_vehicle("enkan_vehicle_ladder_rung"),
              kind="stat", width=6),
        Panel("電池・燃料", "Energy", _of_vehicle("enkan_vehicle_energy_ratio"), "percentunit",
              "stat", 6),
        Panel("閉ループ遅れ", "Closed loop", _of_vehicle("enkan_vehicle_closed_loop_seconds"), "s"),
        Panel("往復時間", "Round trip", _of_vehicle("enkan_vehicle_round_trip_seconds"), "s"),
        Panel("時刻の不確かさ", "Clock uncertainty",
              _of_vehicle("enkan_vehicle_clock_uncertainty_seconds"), "s"),
        Panel("速度と上限", "Speed and its limit",
              (Query(f"enkan_vehicle_speed_metres_per_second{{{_THIS}}}", "speed"),
               Query(f"enkan_vehicle_speed_limit_metres_per_second{{{_THIS}}}", "limit")),
              "velocityms"),
        Panel("テレメトリの古さ", "Telemetry age",
              _of_vehicle("enkan_vehicle_telemetry_age_seconds"), "s"),
        Panel("電波", "Radio",
              (Query(f"enkan_vehicle_radio_rsrp_dbm{{{_THIS}}}", "RSRP dBm"),
               Query(f"enkan_vehicle_radio_sinr_decibels{{{_THIS}}}", "SINR dB"))),
        Panel("映像のフレーム", "Frames",
              (Query(f"enkan_video_frames_per_second{{{_THIS}}}", "{{camera}}"),)),
        Panel("映像の速度 kbit/s", "Video kbit/s",
              (Query(f"enkan_video_kilobits_per_second{{{_THIS}}}", "{{camera}}"),)),
        Panel("目標の判定", "Verdicts (0 met, 1 at risk, 2 violated, 3 unknown)",
              (Query(f"enkan_objective_verdict{{{_THIS}}}", "{{objective}}"),)),
    ),
    (_VEHICLE,),
)  # fmt: skip

MEDIA: Final = Dashboard(
    "media", "映像", "Media plane",
    (
        Panel("ワーカー", "Workers",
              (Query("enkan_media_workers_ready", "ready"),
               Query("enkan_media_workers_configured", "configured")), kind="stat", width=6),
        Panel("接続", "Peers", (Query("enkan_media_peers", "worker {{worker}}"),), width=6),
        Panel("ワーカーのCPU", "Worker processors",
              (Query("rate(enkan_media_worker_cpu_seconds[$__rate_interval])",
                     "worker {{worker}}"),), "percentunit", width=6),
        Panel("再起動", "Worker restarts", (Query("enkan_media_worker_restarts_total"),),
              kind="stat", width=6),
        Panel("通信量", "Throughput",
              (Query(rate("enkan_media_bytes_total", "direction"), "{{direction}}"),), "Bps"),
        Panel("パケット", "Packets",
              (Query(rate("enkan_media_packets_total", "direction"), "{{direction}}"),), "pps"),
        Panel("捨てたパケット", "Packets dropped",
              (Query(rate("enkan_media_dropped_packets_total", "reason"), "{{reason}}"),), "pps"),
        Panel("再送", "Repaired",
              (Query(rate("enkan_media_repaired_packets_total", "form"), "{{form}}"),), "pps"),
        Panel("セッション", "Sessions",
              (Query(rate("enkan_media_sessions_total", "side"), "opened {{side}}"),
               Query(rate("enkan_media_sessions_ended_total", "reason"), "ended {{reason}}"))),
        Panel("映像の遅れ", "Picture age", _spread("enkan_picture_age_seconds"), "s"),
        Panel("遅れの内訳 p95", "Stages of it, p95",
              (Query(quantile(0.95, "enkan_picture_stage_seconds", "stage", _HERE),
                     "{{stage}}"),), "s"),
    ),
    (_SITE,),
)  # fmt: skip

PEOPLE: Final = Dashboard(
    "people", "監視者と警報", "Operators and alarms",
    (
        Panel("画面", "Consoles", (Query("enkan_consoles"),), kind="stat", width=6),
        Panel("席", "Seats", (Query("enkan_seats_by_state", "{{state}}"),), kind="stat", width=6),
        Panel("操作権", "Control", (Query("enkan_control_vehicles", "{{state}}"),), kind="stat",
              width=6),
        Panel("警報の洪水にある監視者", "Operators in a flood",
              (Query("enkan_operators_in_alarm_flood"),), kind="stat", width=6),
        Panel("警報(優先度別)", "Alarms by priority",
              (Query("enkan_alarms_active", "P{{priority}}"),)),
        Panel("警報(状態別)", "Alarms by state", (Query("enkan_alarms_by_state", "{{state}}"),)),
        Panel("警報の発生", "Alarm transitions",
              (Query(rate("enkan_alarms_total", "transition"), "{{transition}}"),)),
        Panel("確認までの時間 p95", "Time to acknowledge, p95",
              (Query(quantile(0.95, "enkan_alarm_acknowledged_seconds", "priority"),
                     "P{{priority}}"),), "s"),
        Panel("待ち", "Waiting", (Query("enkan_attention_waiting", "{{step}}"),)),
        Panel("最長の待ち時間", "Oldest wait",
              (Query("enkan_attention_oldest_seconds", "P{{priority}}"),), "s"),
        Panel("引き受けまでの時間", "Time until taken", _spread("enkan_attention_taken_seconds"),
              "s"),
        Panel("操作権の取得", "Taking control", _spread("enkan_control_taken_seconds"), "s"),
        Panel("指令の実行まで p99", "Command to applied, p99",
              (Query(quantile(0.99, "enkan_command_applied_seconds", "type", _HERE),
                     "{{type}}"),), "s"),
        Panel("指令の結果", "Commands by result",
              (Query(rate("enkan_commands_total", "step"), "{{step}}"),)),
        Panel("拒否の理由", "Refused, by cause",
              (Query(rate("enkan_commands_refused_total", "reason"), "{{reason}}"),)),
        Panel("法定手順の残り", "Open steps of duties",
              (Query("enkan_duties_open_steps", "{{state}}"),)),
    ),
    (_SITE,),
)  # fmt: skip

OBJECTIVES: Final = Dashboard(
    "objectives", "目標", "Objectives",
    (
        Panel("予算の消費 1時間", "Burn over 1 h",
              (Query(f"enkan:objective_burn:rate1h{{{_HERE}}}", "{{site}} {{objective}}"),),
              width=12),
        Panel("予算の消費 6時間", "Burn over 6 h",
              (Query(f"enkan:objective_burn:rate6h{{{_HERE}}}", "{{site}} {{objective}}"),),
              width=12),
        Panel("標本", "Samples",
              (Query(rate("enkan_objective_samples_total", "objective, result", _HERE),
                     "{{objective}} {{result}}"),), width=12),
        Panel("許容", "Allowed share",
              (Query("max by (objective) (enkan_objective_allowed_ratio)", "{{objective}}"),),
              "percentunit", width=12),
        Panel("満たしている車両", "Vehicles that meet it",
              (Query(f"count by (objective) (enkan_objective_verdict{{{_ITS_SITE}}} == 0)",
                     "{{objective}}"),)),
        Panel("外れた・不明の車両", "Vehicles that violate it, or unknown",
              (Query(f"count by (objective) (enkan_objective_verdict{{{_ITS_SITE}}} >= 2)",
                     "{{objective}}"),)),
        Panel("残り予算の最小", "Least budget left",
              (Query(f"min by (objective) (enkan_objective_budget_left_ratio{{{_ITS_SITE}}})",
                     "{{objective}}"),), "percentunit"),
        Panel("閉ループ遅れ", "Closed loop", _spread("enkan_closed_loop_seconds"), "s"),
        Panel("制限の段", "Rungs taken",
              (Query(rate("enkan_ladder_steps_total", "rung"), "{{rung}}"),)),
        Panel("判定の変化", "Changes of verdict",
              (Query(rate("enkan_verdicts_total", "to"), "{{to}}"),)),
    ),
    (_SITE,),
)  # fmt: skip

DASHBOARDS: Final = (FLEET, VEHICLE, MEDIA, PEOPLE, OBJECTIVES)


def files() -> dict[str, str]:
    """Return the files of `deploy/grafana` by their path in it."""
    found = {
        f"dashboards/{one.key}.json": json.dumps(document(one), ensure_ascii=False, indent=1) + "\n"
        for one in DASHBOARDS
    }
    found["provisioning/datasources/enkan.yml"] = dump(
        {
            "apiVersion": 1,
            "datasources": [
                {
                    "name": "Enkan",
                    "uid": "enkan",
                    "type": "prometheus",
                    "access": "proxy",
                    "url": "http://127.0.0.1:9090",
                    "isDefault": True,
                    "jsonData": {"timeInterval": "5s"},
                }
            ],
        },
        HEAD,
    )
    found["provisioning/dashboards/enkan.yml"] = dump(
        {
            "apiVersion": 1,
            "providers": [
                {
                    "name": "Enkan",
                    "folder": "Enkan",
                    "type": "file",
                    "options": {"path": "/var/lib/grafana/dashboards/enkan"},
                }
            ],
        },
        f"{HEAD}\nPut the JSON files of ../../dashboards into the folder named below.",
    )
    return found
