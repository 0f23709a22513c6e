"""Whom an alert reaches, asked of Alertmanager's own tool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from supervisor.observability.ops.alerts import ALERTS, Alert

FILE = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alertmanager.yml"

pytestmark = pytest.mark.alertmanager


def amtool(*words: str) -> str:
    done = subprocess.run(["amtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_alertmanager_takes_the_file() -> None:
    assert "SUCCESS" in amtool("check-config", str(FILE))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_reaches_the_receiver_of_its_severity(alert: Alert) -> None:
    labels = {"alertname": alert.name, "audience": "ops", "severity": alert.severity}
    words = [f"{name}={value}" for name, value in labels.items()]
    reached = amtool("config", "routes", "test", f"--config.file={FILE}", *words).split()
    assert reached == ["ops-call" if alert.severity == "critical" else "ops-working-hours"]


def test_only_alerts_that_exist_hide_others() -> None:
    hiding = re.findall(r'source_matchers: \[alertname="(\w+)"\]', FILE.read_text())
    assert hiding == ["EnkanHubDown"]
    assert set(hiding) <= {alert.name for alert in ALERTS}
