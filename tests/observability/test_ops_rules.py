"""The rules of `deploy/prometheus`, judged by Prometheus' own tool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from supervisor.observability.catalogue import METRICS
from supervisor.observability.metric import Type
from supervisor.observability.ops import burn
from supervisor.observability.ops.__main__ import DEPLOY, differing, main
from supervisor.observability.ops.alerts import ALERTS
from supervisor.observability.ops.yaml_text import dump

RULES = [DEPLOY / "prometheus" / name for name in ("enkan.recording.yml", "enkan.alerts.yml")]
ALL = (*ALERTS, *burn.alerts())
PAGES = DEPLOY.parent / "docs" / "runbooks" / "ops"
HUB = 'instance="hub",job="enkan"'

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool comes with Debian's prometheus"
)


def names_of(expr: str) -> set[str]:
    return set(re.findall(r"\benkan_[a-z0-9_]+", expr))


def scraped_names() -> set[str]:
    found = set()
    for metric in METRICS:
        ends = ("_bucket", "_sum", "_count") if metric.type is Type.HISTOGRAM else ("",)
        found |= {metric.name + end for end in ends}
    return found


# ------------------------------------------------------------------------- the files


def test_the_files_are_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert differing() == [], "renew: python -m supervisor.observability.ops"
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_rules_speak_of_metrics_that_exist() -> None:
    for text in (*(rule["expr"] for rule in burn.recording()), *(alert.expr for alert in ALL)):
        assert names_of(text) <= scraped_names(), text


def test_recorded_series_that_alerts_use_are_recorded() -> None:
    recorded = {rule["record"] for rule in burn.recording()}
    for alert in ALL:
        assert set(re.findall(r"enkan:[a-z_]+:[a-z0-9]+", alert.expr)) <= recorded


@pytest.mark.parametrize("alert", ALL, ids=lambda alert: f"{alert.name}-{len(alert.expr)}")
def test_every_alert_has_both_languages_and_both_pages(alert: Any) -> None:
    for text in (alert.ja, alert.en):
        assert text.summary and text.description
    assert re.search(r"[ぁ-んァ-ヶ一-龠]", alert.ja.summary)
    for language in ("ja", "en"):
        page = (PAGES / language / f"{alert.page}.md").read_text(encoding="utf-8")
        assert page.startswith("# ") and f"({alert.page})" in page.splitlines()[0]


def test_no_page_is_left_over() -> None:
    for language in ("ja", "en"):
        assert {path.stem for path in (PAGES / language).iterdir()} == {a.page for a in ALL}


def test_yaml_keeps_texts_as_they_are() -> None:
    text = dump({"a": ["x y", 1, {"b": "no", "c": 'say "so"\nagain'}], "d": True}, "head")
    assert text == (
        '# head\na:\n  - "x y"\n  - 1\n  - b: "no"\n'
        '    c: |-\n      say "so"\n      again\nd: true\n'
    )


# -------------------------------------------------------------------------- promtool


class Case(NamedTuple):
    """Series, and which alerts fire at which minute."""

    name: str
    series: dict[str, str]
    at: str
    fires: set[str]


def steady(name: str, value: float, labels: str = HUB) -> dict[str, str]:
    return {f"{name}{{{labels}}}": f"{value}+0x9999"}


def samples(bad_share: float, per_minute: int = 600, objective: str = "monitor-g2g") -> Any:
    """Totals of one objective, a step a minute."""
    bad = per_minute * bad_share
    labels = f'{HUB},site="s",objective="{objective}"'
    allowed = 0.1 if objective == "drive-loop" else 0.01
    return {
        f'enkan_objective_samples_total{{{labels},result="bad"}}': f"0+{bad}x9999",
        f'enkan_objective_samples_total{{{labels},result="good"}}': f"0+{per_minute - bad}x9999",
        f'enkan_objective_allowed_ratio{{{HUB},objective="{objective}"}}': f"{allowed}+0x9999",
    }


def lag(late_20: float, late_100: float) -> dict[str, str]:
    name = "enkan_loop_lag_seconds"
    return {
        f'{name}_bucket{{{HUB},le="0.02"}}': f"0+{600 - late_20}x9999",
        f'{name}_bucket{{{HUB},le="0.1"}}': f"0+{600 - late_100}x9999",
        f"{name}_count{{{HUB}}}": "0+600x9999",
    }


def vehicle(name: str, online: int, trusted: int) -> dict[str, str]:
    labels = f'{HUB},vehicle="s/{name}"'
    return steady("enkan_vehicle_link_online", online, labels) | steady(
        "enkan_vehicle_clock_trusted", trusted, labels
    )


def part(name: str, works: int) -> dict[str, str]:
    return steady("enkan_ready", works, f'{HUB},part="{name}"')


UP = steady("up", 1)
ONE_BAD = {"up{" + HUB + "}": "1x20 0 1x3 0 1x9999"}
GIB = 2**30
FAST, SLOW = "EnkanObjectiveBurnsFast", "EnkanObjectiveBurnsSlowly"

CASES = (
    Case("a-hub-that-works", UP | part("broker", 1) | lag(1, 0), "1h", set()),
    Case("down", steady("up", 0), "2m", {"EnkanHubDown"}),
    Case("not-scraped-at-all", {}, "2m", {"EnkanHubDown"}),
    Case("one-scrape-missed", ONE_BAD, "21m", set()),
    Case("unsteady", {f"up{{{HUB}}}": "1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 0 1 1"}, "19m",
         {"EnkanScrapeFailing"}),
    Case("slow-page", UP | steady("scrape_duration_seconds", 1.5), "10m", {"EnkanScrapeFailing"}),
    Case("restarts", UP | {f"process_start_time_seconds{{{HUB}}}": "1x9 2x5 3x5 4x20"}, "25m",
         {"EnkanHubRestarts"}),
    Case("one-restart", UP | {f"process_start_time_seconds{{{HUB}}}": "1x9 2x50"}, "25m", set()),
    Case("broker", UP | part("broker", 0), "2m", {"EnkanBrokerDown"}),
    Case("audit", UP | part("audit", 0), "1m", {"EnkanAuditFailing"}),
    Case("audit-refused", UP | part("audit", 1)
         | {f"enkan_audit_refused_total{{{HUB}}}": "0x4 1x20"}, "6m", {"EnkanAuditFailing"}),
    Case("journal", UP | part("journal", 0), "2m", {"EnkanJournalFailing"}),
    Case("journal-late", UP | part("journal", 1)
         | steady("enkan_journal_last_write_age_seconds", 11), "2m", {"EnkanJournalFailing"}),
    Case("workers", UP | steady("enkan_media_workers_ready", 1)
         | steady("enkan_media_workers_configured", 2), "2m", {"EnkanMediaWorkerDown"}),
    Case("workers-all-there", UP | steady("enkan_media_workers_ready", 2)
         | steady("enkan_media_workers_configured", 2), "2m", set()),
    Case("workers-restart", UP | {f"enkan_media_worker_restarts_total{{{HUB}}}": "0x5 1 2 3x30"},
         "10m", {"EnkanMediaWorkerRestarts"}),
    Case("disk", UP | steady("enkan_storage_free_bytes", 3 * GIB)
         | steady("enkan_storage_size_bytes", 10 * GIB), "2m", {"EnkanDiskLow"}),
    Case("disk-share", UP | steady("enkan_storage_free_bytes", 40 * GIB)
         | steady("enkan_storage_size_bytes", 1000 * GIB), "2m", {"EnkanDiskLow"}),
    Case("disk-fills", UP | {f"enkan_storage_free_bytes{{{HUB}}}": f"{30 * GIB}-{GIB // 32}x400"}
         | steady("enkan_storage_size_bytes", 100 * GIB), "390m", {"EnkanDiskFilling"}),
    Case("disk-fills-slowly", UP
         | {f"enkan_storage_free_bytes{{{HUB}}}": f"{29 * GIB}-{GIB // 2048}x400"}
         | steady("enkan_storage_size_bytes", 100 * GIB), "390m", set()),
    Case("one-clock", UP | vehicle("a", 1, 0) | vehicle("b", 1, 1) | vehicle("c", 1, 1), "10m",
         {"EnkanClockUntrusted"}),
    Case("most-clocks", UP | vehicle("a", 1, 0) | vehicle("b", 1, 0) | vehicle("c", 1, 1), "3m",
         {"EnkanClocksUntrusted"}),
    Case("clock-of-a-parked-vehicle", UP | vehicle("a", 0, 0) | vehicle("b", 1, 1), "10m", set()),
    Case("lag", UP | lag(12, 0), "15m", {"EnkanLoopLag"}),
    Case("lag-high", UP | lag(12, 12), "15m", {"EnkanLoopLag", "EnkanLoopLagHigh"}),
    Case("queue", UP | steady("enkan_events_waiting", 3000), "2m", {"EnkanEventsWaiting"}),
    Case("descriptors", UP | steady("process_open_fds", 900) | steady("process_max_fds", 1024),
         "10m", {"EnkanFileDescriptors"}),
    Case("certificate", UP | steady("enkan_console_certificate_seconds", 10 * 86_400), "2h",
         {"EnkanCertificateEnds"}),
    Case("burns-fast", UP | samples(0.2), "1h10m", {FAST, SLOW}),
    Case("keeps-its-objective", UP | samples(0.005), "5h", set()),
    Case("burns-slowly", UP | samples(0.02), "5h", {SLOW}),
    Case("too-few-samples", UP | samples(1.0, per_minute=2), "1h", set()),
    Case("much-is-allowed-and-all-is-bad", UP | samples(1.0, objective="drive-loop"), "70m",
         {FAST, SLOW}),
    Case("much-is-allowed-and-a-quarter-is-bad", UP | samples(0.25, objective="drive-loop"), "70m",
         set()),
)  # fmt: skip


@needs_promtool
def test_prometheus_accepts_the_rules_and_the_sample() -> None:
    for words in (["rules", *map(str, RULES)], ["config", "--syntax-only", "prometheus.yml"]):
        done = subprocess.run(
            ["promtool", "check", *words], cwd=RULES[0].parent, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_every_alert_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    names = sorted({alert.name for alert in ALL})
    assert {name for case in CASES for name in case.fires} == set(names), "a case for each"
    tests = [
        {
            "name": case.name,
            "interval": "1m",
            "input_series": [{"series": key, "values": v} for key, v in case.series.items()],
            "promql_expr_test": [
                {
                    "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": case.at,
                    "exp_samples": [
                        {"labels": f'{{alertname="{name}"}}', "value": 1}
                        for name in sorted(case.fires)
                    ],
                }
            ],
        }
        for case in CASES
    ]
    path = tmp_path / "rules.test.yml"
    path.write_text(
        json.dumps(
            {"rule_files": [str(rule) for rule in RULES], "evaluation_interval": "1m",
             "tests": tests}
        )
    )  # fmt: skip
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
