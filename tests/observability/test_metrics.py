"""Metrics: what is scraped, by whom, and that the catalogue is whole."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import re
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from supervisor.console.credentials import CredentialsError
from supervisor.console.listening import ListenError, PortTakenError, bind
from supervisor.core.counts import COUNTS, OBSERVATIONS
from supervisor.core.effects import Observe
from supervisor.counters import Counters
from supervisor.observability.catalogue import BY_SOURCE, METRICS, document
from supervisor.observability.exporter import MAX_LABEL_SETS, Exporter
from supervisor.observability.health import LoopLag
from supervisor.observability.metric import Type
from supervisor.observability.metrics_server import MetricsConfig, MetricsServer

SUPERVISOR = Path(__file__).resolve().parents[2] / "supervisor"


def scraped(exporter: Exporter) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    body, _ = exporter.render("")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


@contextlib.asynccontextmanager
async def running(server: MetricsServer) -> AsyncIterator[MetricsServer]:
    task = asyncio.create_task(server.run())
    try:
        async with asyncio.timeout(20):
            await server.started.wait()
        yield server
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


# ------------------------------------------------------------------ the catalogue


def names_in(source: str, method: str) -> Iterator[str]:
    """The literal first arguments of `….<method>("x")` and `<Method>("x")` calls."""
    tree = ast.parse(source)
    constants = {
        node.target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        match node.func:
            case ast.Name(id=called):
                pass
            case ast.Attribute(attr="add", value=owner) if "counters" in ast.unparse(owner):
                called = "counters.add"
            case ast.Attribute(attr=called):
                pass
            case _:
                continue
        if called == method:
            for value in ast.walk(node.args[0]):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value
                elif isinstance(value, ast.Name) and isinstance(constants.get(value.id), str):
                    yield str(constants[value.id])


def all_names(method: str) -> set[str]:
    return {
        name
        for path in sorted(SUPERVISOR.rglob("*.py"))
        for name in names_in(path.read_text(encoding="utf-8"), method)
    }


def test_every_counted_name_has_a_counter_row() -> None:
    counted = all_names("counters.add") | all_names("Count") | set(COUNTS)
    rows = {metric.source for metric in METRICS if metric.type is Type.COUNTER}
    assert sorted(counted - rows) == [], "add rows to supervisor/observability/catalogue.py"


def test_every_observed_name_has_a_histogram_row() -> None:
    rows = {metric.source for metric in METRICS if metric.type is Type.HISTOGRAM}
    assert sorted((all_names("Observe") | set(OBSERVATIONS)) - rows) == []


def test_the_search_for_names_finds_them() -> None:
    assert "unknown_vehicle" in all_names("Count")
    assert "console_closed" in all_names("counters.add")
    assert "loop_lag" in all_names("Observe")


def test_no_row_is_left_over() -> None:
    used = all_names("counters.add") | all_names("Count") | set(COUNTS)
    used |= all_names("Observe") | set(OBSERVATIONS)
    counted = {metric.source for metric in METRICS if metric.type is not Type.GAUGE}
    assert sorted(counted - used - all_names("add_totals")) == []


def test_every_gauge_is_read_from_somewhere_and_every_reading_has_a_row() -> None:
    rows = {metric.source for metric in METRICS if metric.type is Type.GAUGE}
    assert all_names("add_gauge") == rows


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_grammar(metric: object) -> None:
    assert metric in METRICS
    name = metric.name  # type: ignore[attr-defined]
    assert re.fullmatch(r"enkan_[a-z][a-z0-9_]*[a-z0-9]", name)
    kind = metric.type  # type: ignore[attr-defined]
    assert name.endswith("_total") == (kind is Type.COUNTER)
    assert name.endswith("_seconds") or kind is not Type.HISTOGRAM
    assert bool(metric.buckets) == (kind is Type.HISTOGRAM)  # type: ignore[attr-defined]
    labels = set(metric.labels)  # type: ignore[attr-defined]
    assert not labels & {"session", "ssrc", "address", "user", "account"}
    assert "vehicle" not in labels or kind is Type.GAUGE


def test_names_and_sources_are_unique() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS) == len(BY_SOURCE)


def test_the_document_names_every_metric() -> None:
    text = document()
    assert all(f"`{metric.name}`" in text for metric in METRICS)


# ------------------------------------------------------------------- the exporter


def test_counters_appear_with_their_reason() -> None:
    counters = Counters()
    counters.add("http_refused", "bad_origin", 3)
    counters.add("unknown_vehicle")
    values = scraped(Exporter(counters))
    assert values["enkan_http_refused_total", (("reason", "bad_origin"),)] == 3
    assert values["enkan_unknown_vehicle_total", ()] == 1
    assert values["enkan_audit_refused_total", ()] == 0


def test_a_name_without_a_row_is_shown_and_not_lost() -> None:
    counters = Counters()
    counters.add("brand_new", "why")
    values = scraped(Exporter(counters))
    assert values["enkan_events_total", (("name", "brand_new"), ("reason", "why"))] == 1


def test_histograms_are_cumulative_and_carry_sum_and_count() -> None:
    exporter = Exporter(Counters())
    for seconds in (0.01, 0.1, 0.100001, 99.0):
        exporter.observe(Observe("command_applied", seconds, ("stop", "maebashi", "bus")))
    values = scraped(exporter)
    name = "enkan_command_applied_seconds"
    labels = (("kind", "bus"), ("site", "maebashi"), ("type", "stop"))
    for bound, count in (("0.02", 1), ("0.1", 2), ("0.15", 3), ("+Inf", 4)):
        assert values[f"{name}_bucket", tuple(sorted((("le", bound), *labels)))] == count
    assert values[f"{name}_count", labels] == 4
    assert values[f"{name}_sum", labels] == pytest.approx(99.210001)


def test_label_sets_of_a_histogram_are_bounded() -> None:
    exporter = Exporter(Counters())
    for number in range(MAX_LABEL_SETS + 50):
        exporter.observe(Observe("alarm_acknowledged", 0.1, (f"{number}",)))
    values = scraped(exporter)
    counts = [key for key in values if key[0] == "enkan_alarm_acknowledged_seconds_count"]
    assert len(counts) == MAX_LABEL_SETS + 1
    assert values["enkan_alarm_acknowledged_seconds_count", (("priority", "other"),)] == 50


def test_reasons_known_beforehand_are_there_before_their_first_event() -> None:
    values = scraped(Exporter(Counters()))
    assert values["enkan_alarms_total", (("transition", "raised"),)] == 0
    assert values["enkan_commands_total", (("step", "unconfirmed"),)] == 0


def test_totals_kept_elsewhere_are_read_at_scrape_time() -> None:
    exporter = Exporter(Counters())
    totals = {("maebashi", "monitor-g2g", "good"): 3.0}
    exporter.add_totals("objective_samples", lambda: totals)
    totals["maebashi", "monitor-g2g", "good"] = 4.0
    labels = (("objective", "monitor-g2g"), ("result", "good"), ("site", "maebashi"))
    assert scraped(exporter)["enkan_objective_samples_total", labels] == 4
    with pytest.raises(KeyError):
        exporter.add_totals("consoles", lambda: 1.0)


@pytest.mark.parametrize(
    "observation",
    [Observe("no_such", 1.0), Observe("picture_age", 1.0, ("too few",)), Observe("alarm", 1.0)],
)
def test_an_observation_that_fits_no_row_is_counted(observation: Observe) -> None:
    counters = Counters()
    Exporter(counters).observe(observation)
    assert counters.get(observation.name, "observation_without_row") == 1


async def test_a_scrape_says_what_was_true_when_it_was_asked() -> None:
    counters = Counters()
    exporter = Exporter(counters)
    counters.add("unknown_vehicle")
    waiting = asyncio.create_task(exporter.scrape(""))
    await asyncio.sleep(0)
    counters.add("unknown_vehicle")
    body, content_type = await waiting
    assert b"enkan_unknown_vehicle_total 1.0" in body
    assert content_type.startswith("text/plain")


def test_gauges_are_read_at_scrape_time() -> None:
    exporter = Exporter(Counters())
    consoles = [1]
    exporter.add_gauge("consoles", lambda: float(len(consoles)))
    consoles.append(2)
    assert scraped(exporter)["enkan_consoles", ()] == 2
    with pytest.raises(KeyError):
        exporter.add_gauge("http_refused", lambda: 0.0)


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    body, content_type = Exporter(Counters()).render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


async def test_the_loop_lag_is_observed() -> None:
    exporter = Exporter(Counters())
    task = asyncio.create_task(LoopLag(exporter, every_s=0.001).run())
    async with asyncio.timeout(20):
        while not scraped(exporter).get(  # noqa: ASYNC110 - of another task
            ("enkan_loop_lag_seconds_count", ()), 0
        ):
            await asyncio.sleep(0.01)  # until the probe has run once
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


# --------------------------------------------------------------------- the server


@pytest.mark.integration
async def test_only_the_token_opens_the_metrics(tmp_path: Path) -> None:
    counters = Counters()
    server = MetricsServer(MetricsConfig(port=0), exporter=Exporter(counters), state_dir=tmp_path)
    token_file = tmp_path / "metrics.token"
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    token = token_file.read_text().strip()
    async with running(server), httpx.AsyncClient(trust_env=False) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": token}):
            answer = await client.get(server.url, headers=headers)
            assert answer.status_code == 401
            assert "enkan_" not in answer.text
        right = {"Authorization": f"Bearer {token}"}
        answer = await client.get(server.url, headers=right)
        assert answer.status_code == 200
        families = {family.name for family in text_string_to_metric_families(answer.text)}
        assert {"enkan_loop_lag_seconds", "enkan_metrics_refused"} <= families
        other = server.url.replace("/metrics", "/other")
        assert (await client.get(other)).status_code == 401
        assert (await client.get(other, headers=right)).status_code == 404
        assert (await client.post(server.url, headers=right)).status_code == 405
    assert counters.get("metrics_refused") == 4


def test_the_token_survives_a_restart_and_must_stay_private(tmp_path: Path) -> None:
    exporter = Exporter(Counters())
    MetricsServer(MetricsConfig(), exporter=exporter, state_dir=tmp_path)
    token_file = tmp_path / "metrics.token"
    token = token_file.read_text()
    MetricsServer(MetricsConfig(), exporter=exporter, state_dir=tmp_path)
    assert token_file.read_text() == token
    token_file.chmod(0o644)
    with pytest.raises(CredentialsError, match="chmod 600"):
        MetricsServer(MetricsConfig(), exporter=exporter, state_dir=tmp_path)


def test_a_short_token_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.token").touch(mode=0o600)
    with pytest.raises(ListenError, match="Delete it"):
        MetricsServer(MetricsConfig(), exporter=Exporter(Counters()), state_dir=tmp_path)


def test_metrics_on_the_network_need_a_decision(tmp_path: Path) -> None:
    config = MetricsConfig(listen="0.0.0.0")
    with pytest.raises(ListenError, match="insecure_http"):
        MetricsServer(config, exporter=Exporter(Counters()), state_dir=tmp_path)


async def test_a_taken_port_is_said_clearly(tmp_path: Path) -> None:
    with contextlib.closing(bind("x", "127.0.0.1", 0)) as other:
        config = MetricsConfig(port=other.getsockname()[1])
        server = MetricsServer(config, exporter=Exporter(Counters()), state_dir=tmp_path)
        with pytest.raises(PortTakenError, match=r"\[metrics\] port \d+ .* is taken"):
            await server.run()
