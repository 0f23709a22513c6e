"""Counters, gauges and histograms as Prometheus metrics, read at scrape time."""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping
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

from supervisor.core.counts import COUNTS
from supervisor.core.effects import Observe
from supervisor.counters import Counters
from supervisor.observability.catalogue import BY_SOURCE, METRICS, UNLISTED
from supervisor.observability.metric import Metric, Type

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


class _Values(CollectorRegistry):
    """What was read, for an encoder, which takes nothing but a registry."""

    def __init__(self, families: list[Family]) -> None:
        super().__init__(auto_describe=False)
        self._families = families

    def collect(self) -> Iterator[Family]:
        return iter(self._families)


class Exporter(Collector):
    """All metrics of one hub.

    Args:
        counters: Totals; names without a row appear as `enkan_events_total`.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._read: dict[str, GaugeReader] = {}
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
        self._read[source] = read

    def add_totals(self, source: str, read: GaugeReader) -> None:
        """Have totals that never fall, of a counter of the catalogue, read at every scrape.

        Raises:
            KeyError: The catalogue has no counter of that source.
        """
        if BY_SOURCE[source].type is not Type.COUNTER:
            raise KeyError(source)
        self._read[source] = read

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """Return the body of one scrape and its content type.

        Values are read at once, on the loop: they are of one instant. Making text of them
        takes longer than that, and is done in a thread.
        """
        values = _Values(list(self._registry.collect()))
        encode, content_type = choose_encoder(accept)
        return await asyncio.to_thread(encode, values), content_type

    def gauge(self, source: str) -> float | None:
        """Return the present value of a gauge without labels; None: this hub has none."""
        read = self._read.get(source)
        value = None if read is None else read()
        return value.get(()) if isinstance(value, Mapping) else value

    def observed(self, source: str) -> list[tuple[float | None, int]]:
        """Return a histogram without labels: (upper bound, observations up to it), rising;
        the last bound is None: all of them. Empty before the first observation."""
        found = self._histograms[source].get(())
        if found is None:
            return []
        return [
            (None if bound == "+Inf" else float(bound), int(total))
            for bound, total in found.cumulative()
        ]

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the same, made on the spot."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterable[Family]:
        """Return all metrics (called by the registry)."""
        totals: dict[str, dict[str, int]] = {}
        for name, reason, total in self._counters.items():
            totals.setdefault(name, {})[reason] = total
        for metric in METRICS:
            match metric.type:
                case Type.COUNTER if metric.source in self._read:
                    yield _filled(CounterMetricFamily, metric, self._read[metric.source]())
                case Type.COUNTER:
                    yield _counter(metric, totals.pop(metric.source, {}))
                case Type.GAUGE:
                    if metric.source in self._read:
                        yield _filled(GaugeMetricFamily, metric, self._read[metric.source]())
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
    """Reasons that are known beforehand are there from the first scrape, with 0: a rate
    sees the first event of its kind."""
    family = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    if metric.labels:
        known = dict.fromkeys(COUNTS.get(metric.source, ()), 0)
        for reason, total in sorted((known | dict(reasons)).items()):
            family.add_metric((reason,), total)
    else:
        family.add_metric((), sum(reasons.values()))
    return family


def _filled(
    made: type[GaugeMetricFamily] | type[CounterMetricFamily],
    metric: Metric,
    value: float | Mapping[tuple[str, ...], float],
) -> Family:
    family = made(metric.name, metric.meaning, labels=metric.labels)
    if isinstance(value, Mapping):
        for labels, number in sorted(value.items()):
            family.add_metric(labels, number)
    else:
        family.add_metric((), value)
    return family
