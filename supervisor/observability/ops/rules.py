"""The files in `deploy/prometheus`."""

from __future__ import annotations

from typing import Final

from supervisor.observability.ops import burn
from supervisor.observability.ops.alerts import ALERTS, Alert
from supervisor.observability.ops.yaml_text import Data, dump

HEAD: Final = "Written by `python -m supervisor.observability.ops`. Change the code, not this file."


def files() -> dict[str, str]:
    """Return the files by their name."""
    return {
        "enkan.recording.yml": dump(_groups("enkan-objectives", "30s", burn.recording()), HEAD),
        "enkan.alerts.yml": dump(
            {
                "groups": [
                    _group("enkan-hub", "5s", [_alert(alert) for alert in ALERTS]),
                    _group("enkan-burn", "30s", [_alert(alert) for alert in burn.alerts()]),
                ]
            },
            HEAD,
        ),
    }


def _groups(name: str, interval: str, rules: list[dict[str, str]]) -> Data:
    return {"groups": [_group(name, interval, list(rules))]}


def _group(name: str, interval: str, rules: list[Data]) -> Data:
    return {"name": name, "interval": interval, "rules": rules}


def _alert(alert: Alert) -> Data:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.lasting,
        "labels": {"severity": alert.severity, "audience": "ops", **dict(alert.labels)},
        "annotations": {
            "summary": f"{alert.ja.summary} / {alert.en.summary}",
            "description": f"{alert.ja.description}\n{alert.en.description}",
            "runbook_ja": f"docs/runbooks/ops/ja/{alert.page}.md",
            "runbook_en": f"docs/runbooks/ops/en/{alert.page}.md",
        },
    }
