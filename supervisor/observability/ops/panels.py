"""Panels of a Grafana dashboard as plain data."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

SOURCE: Final = {"type": "prometheus", "uid": "enkan"}
WIDTH: Final = 24
HEIGHT: Final = 8
SCHEMA: Final = 37

Json = dict[str, Any]


class Query(msgspec.Struct, frozen=True):
    """One line, or set of lines, of a panel.

    Attributes:
        expr: May use `$site`, `$vehicle`, `$__rate_interval`.
        legend: Of each line; `{{label}}` is filled in.
    """

    expr: str
    legend: str = ""


class Panel(msgspec.Struct, frozen=True):
    """One panel.

    Attributes:
        unit: As Grafana names it: s, percentunit, Bps, short.
        width: Of 24.
    """

    ja: str
    en: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Literal["timeseries", "stat"] = "timeseries"
    width: int = 8

    @property
    def title(self) -> str:
        """In both languages."""
        return f"{self.ja} / {self.en}"


class Variable(msgspec.Struct, frozen=True):
    """A choice at the top: the values of a label."""

    name: str
    ja: str
    en: str
    metric: str
    label: str
    several: bool = True


class Dashboard(msgspec.Struct, frozen=True):
    """One dashboard; `key` names its file and its address."""

    key: str
    ja: str
    en: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()


def quantile(share: float, metric: str, by: str = "", where: str = "") -> str:
    """Return the expression of a quantile of a histogram over the time shown at once."""
    labels = f"le, {by}" if by else "le"
    rate = f"rate({metric}_bucket{{{where}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate}))"


def rate(metric: str, by: str, where: str = "") -> str:
    """Return the expression of a counter's rate a second."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def document(dashboard: Dashboard) -> Json:
    """Return what Grafana reads."""
    panels, x, y = [], 0, 0
    for number, panel in enumerate(dashboard.panels, 1):
        if x + panel.width > WIDTH:
            x, y = 0, y + HEIGHT
        panels.append(_panel(number, panel, x, y))
        x += panel.width
    return {
        "uid": f"enkan-{dashboard.key}",
        "title": f"Enkan {dashboard.ja} / {dashboard.en}",
        "tags": ["enkan"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_variable(one) for one in dashboard.variables]},
        "links": [
            {"type": "dashboards", "tags": ["enkan"], "title": "Enkan", "asDropdown": True,
             "keepTime": True}
        ],
        "panels": panels,
    }  # fmt: skip


def _panel(number: int, panel: Panel, x: int, y: int) -> Json:
    found: Json = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "noValue": "—"}, "overrides": []},
        "targets": [
            {"refId": chr(65 + n), "datasource": SOURCE, "expr": query.expr,
             "legendFormat": query.legend or "__auto"}
            for n, query in enumerate(panel.queries)
        ],
    }  # fmt: skip
    if panel.kind == "timeseries":  # what is unknown is a gap: lines do not span it
        found["fieldConfig"]["defaults"]["custom"] = {"spanNulls": False, "lineWidth": 1}
        found["options"] = {"tooltip": {"mode": "multi"}, "legend": {"displayMode": "list"}}
    return found


def _variable(one: Variable) -> Json:
    return {
        "type": "query",
        "name": one.name,
        "label": f"{one.ja} / {one.en}",
        "datasource": SOURCE,
        "query": f"label_values({one.metric}, {one.label})",
        "refresh": 2,
        "sort": 1,
        "multi": one.several,
        "includeAll": one.several,
    }
