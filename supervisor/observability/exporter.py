"""Counters, gauges and histograms as Prometheus metrics, read at scrape time."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from supervisor.core.effects import Observe
from supervisor.counters import Counters
from supervisor.observability.catalogue import BY_SOURCE, METRICS, UNLISTED, Metric, Type

MAX_LABEL_SETS: Final = 200
"""Of one histogram; further ones are counted under `other`."""

GaugeReader = Callable[[], float | Mapping[tuple[str, ...], float]]
"""Returns the value, or one value for each set of label values."""


class _Histogram:
    def __init__(self, buckets: tuple[float, ...]) -> None:
        self._bounds = buckets
        self._counts = [0] * (len(buckets) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect.bisect_left(self._bounds, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        total, rows = 0, []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            rows.append(("+Inf" if bound == float("inf") else repr(bound), float(total)))
        return rows


class Exporter(Collector):
    """All metrics of one hub.

    Args:
        counters: Totals; names without a row appear as `enkan_events_total`.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._gauges: dict[str, GaugeReader] = {}
        self._histograms: dict[str, dict[tuple[str, ...], _Histogram]] = {
            metric.source: {} for metric in METRICS if metric.type is Type.HISTOGRAM
        }
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    @property
    def counters(self) -> Counters:
        """The counters this exporter reads."""
        return self._counters

    def observe(self, observation: Observe) -> None:
        """Add one observation. One that fits no row is counted, not lost."""
        metric = BY_SOURCE.get(observation.name)
        if (
            metric is None
            or metric.type is not Type.HISTOGRAM
            or len(observation.labels) != len(metric.labels)
        ):
            self._counters.add(observation.name, "observation_without_row")
            return
        sets = self._histograms[observation.name]
        labels = observation.labels
        if labels not in sets and len(sets) >= MAX_LABEL_SETS:
            labels = ("other",) * len(labels)
        if labels not in sets:
            sets[labels] = _Histogram(metric.buckets)
        sets[labels].add(observation.seconds)

    def add_gauge(self, source: str, read: GaugeReader) -> None:
        """Have a gauge of the catalogue read at every scrape.

        Raises:
            KeyError: The catalogue has no gauge of that source.
        """
        if BY_SOURCE[source].type is not Type.GAUGE:
            raise KeyError(source)
        self._gauges[source] = read

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the body of one scrape and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterable[Family]:
        """Return all metrics (called by the registry)."""
        totals: dict[str, dict[str, int]] = {}
        for name, reason, total in self._counters.items():
            totals.setdefault(name, {})[reason] = total
        for metric in METRICS:
            match metric.type:
                case Type.COUNTER:
                    yield _counter(metric, totals.pop(metric.source, {}))
                case Type.GAUGE:
                    if metric.source in self._gauges:
                        yield _gauge(metric, self._gauges[metric.source]())
                case Type.HISTOGRAM:
                    yield self._histogram(metric)
        unlisted = CounterMetricFamily(
            UNLISTED, "Counts that have no row of their own yet", labels=("name", "reason")
        )
        for name, reasons in totals.items():
            for reason, total in reasons.items():
                unlisted.add_metric((name, reason), total)
        yield unlisted

    def _histogram(self, metric: Metric) -> Family:
        family = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        sets = self._histograms[metric.source]
        if not sets and not metric.labels:
            sets = {(): _Histogram(metric.buckets)}
        for labels, histogram in sorted(sets.items()):
            family.add_metric(labels, histogram.cumulative(), histogram.sum)
        return family


def _counter(metric: Metric, reasons: Mapping[str, int]) -> Family:
    family = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    if metric.labels:
        for reason, total in sorted(reasons.items()):
            family.add_metric((reason,), total)
    else:
        family.add_metric((), sum(reasons.values()))
    return family


def _gauge(metric: Metric, value: float | Mapping[tuple[str, ...], float]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    if isinstance(value, Mapping):
        for labels, number in sorted(value.items()):
            family.add_metric(labels, number)
    else:
        family.add_metric((), value)
    return family
