"""Every panel asks a real Prometheus, which scrapes a real hub with a real vehicle."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from supervisor.observability.catalogue import METRICS, UNLISTED
from supervisor.observability.ops.__main__ import DEPLOY
from supervisor.observability.ops.dashboards import DASHBOARDS
from support.fleet import BUS, prepare_hub, running_hub, running_vehicle, write_vehicle_config
from support.processes import Running
from support.waiting import until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="needs Debian's prometheus (tests/run.py)"
    ),
]

NOBODY_DID = {
    "Picture age": "no console shows a picture",
    "Stages of it, p95": "no console shows a picture",
    "Closed loop": "no console measures it",
    "Time to acknowledge, p95": "nobody acknowledges anything",
    "Time until taken": "nobody takes control",
    "Taking control": "nobody takes control",
    "Command to applied, p99": "nobody commands anything",
    "Speed and its limit": "the limit is there once the vehicle has said what it can do",
    "Packets dropped": "nothing need be dropped",
    "Repaired": "nothing is lost, and nobody watches",
    "Sessions": "none need have ended",
    "Least budget left": "windows of an objective without samples have no budget",
    "Burn over 1 h": "only of what is sampled",
    "Burn over 6 h": "only of what is sampled",
    "Vehicles that meet it": "verdicts need some seconds of samples",
    "Vehicles that violate it, or unknown": "all may be met",
    "Worker processors": "two reports of a worker are needed within the window",
    "Radio": "a synthetic vehicle need not have a modem",
    "Energy": "a synthetic vehicle need not have a battery",
}
"""Panels that may be empty in a run this short, and why."""

ONLY_SOMETIMES = {"enkan_console_certificate_seconds": "over https alone"}


def ask_for(expr: str) -> str:
    filled = expr.replace("$__rate_interval", "10s").replace("$vehicle", str(BUS))
    return filled.replace("$site", BUS.site)


@contextlib.asynccontextmanager
async def prometheus(folder: Path, hub: Running) -> AsyncIterator[str]:
    """Run Prometheus with the sample's rules; return where it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    sample = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    metrics = str(hub.endpoints["metrics"]).removeprefix("http://").removesuffix("/metrics")
    sample = re.sub(r"(interval|timeout): \w+", r"\1: 1s", sample)
    sample = sample.replace("127.0.0.1:9464", metrics)
    (folder / "prometheus.yml").write_text(sample)
    for name in ("enkan.recording.yml", "enkan.alerts.yml"):
        rules = (DEPLOY / "prometheus" / name).read_text(encoding="utf-8")
        (folder / name).write_text(re.sub(r'interval: "\w+"', 'interval: "1s"', rules))
    shutil.copy(hub.state_dir / "metrics.token", folder / "metrics.token")
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://{address}"
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def test_every_query_of_every_dashboard_finds_what_it_asks_for(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    camera = 'source = "synthetic"\nwidth = 320\nheight = 180\nfps = 5\nlow = false'
    async with (
        running_hub(config) as hub,
        running_vehicle(write_vehicle_config(tmp_path, hub, camera=camera)),
        prometheus(tmp_path, hub) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):

        async def values(expr: str) -> int:
            try:
                answer = await client.get("/api/v1/query", params={"query": ask_for(expr)})
            except httpx.TransportError:
                return 0  # it is starting
            if answer.status_code == 503:
                return 0
            assert answer.status_code == 200, f"{expr}: {answer.text}"
            return len(answer.json()["data"]["result"])

        await until(lambda: values("enkan_video_frames_per_second > 0"), "a picture, scraped")
        await until(lambda: values("rate(enkan_loop_lag_seconds_count[10s]) > 0"), "two scrapes")
        await until(lambda: values("enkan:objective_burn:most"), "recorded series")
        empty = {}
        for dashboard in DASHBOARDS:
            for panel in dashboard.panels:
                found = [await values(query.expr) for query in panel.queries]
                if not all(found) and panel.en not in NOBODY_DID:
                    empty[f"{dashboard.key}: {panel.title}"] = found
        assert empty == {}
        assert await values('ALERTS{alertname=~"EnkanHub.*",alertstate="firing"}') == 0

        token = (hub.state_dir / "metrics.token").read_text().strip()
        page = await client.get(
            hub.endpoints["metrics"], headers={"Authorization": f"Bearer {token}"}
        )
    types = set(re.findall(r"^# TYPE (enkan_\w+) ", page.text, re.MULTILINE))
    documented = {metric.name for metric in METRICS} | {UNLISTED}
    assert types - documented == set(), "scraped and not in the catalogue"
    assert documented - types - set(ONLY_SOMETIMES) == set(), "in the catalogue and never scraped"
    assert "enkan_events_total{" not in page.text, "a count without a row"


def test_what_may_be_empty_is_a_panel() -> None:
    assert set(NOBODY_DID) <= {panel.en for board in DASHBOARDS for panel in board.panels}
