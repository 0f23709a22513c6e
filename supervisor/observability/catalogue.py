"""Every metric of the hub, in one table.

`source` is the name the rooms use: the name given to `Counters.add` or to a `Count`,
`Observe`, `Exporter.add_gauge` or `Exporter.add_totals`. A test reads the source code and
fails for a name without a row. Labels are bounded: reasons, kinds and stages are closed sets, sites
and objectives come from the configuration; a vehicle is a label of gauges alone; no
session, SSRC, address or account ever is one.
"""

from __future__ import annotations

import sys
from typing import Final

from supervisor.observability.metric import Metric
from supervisor.observability.rows_hub import HUB
from supervisor.observability.rows_media import MEDIA
from supervisor.observability.rows_supervision import SUPERVISION

UNLISTED: Final = "enkan_events_total"
"""Counts whose name has no row, with labels `name` and `reason`: nothing is lost."""

METRICS: Final[tuple[Metric, ...]] = (*SUPERVISION, *HUB, *MEDIA)

BY_SOURCE: Final[dict[str, Metric]] = {metric.source: metric for metric in METRICS}


def document() -> str:
    """Return the catalogue as Markdown."""
    lines = [
        "# Metrics",
        "",
        "Served at `/metrics` on the hub's metrics port (`[metrics]` in the configuration), in the",
        "Prometheus text and OpenMetrics formats, to who presents the token in the token file:",
        "`Authorization: Bearer <token>`. The standard `process_*` metrics come with it.",
        "",
        "This file is printed by `python -m supervisor.observability.catalogue`.",
        "",
        "| metric | type | labels | unit | meaning |",
        "|---|---|---|---|---|",
    ]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        lines.append(
            f"| `{metric.name}` | {metric.type} | {labels} | {metric.unit} | {metric.meaning} |"
        )
    lines.append(
        f"| `{UNLISTED}` | counter | `name`, `reason` | events | "
        "Counts that have no row of their own yet |"
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
