"""Samples as Prometheus' text, family by family, so that a full Node's thousands of lines hold nothing up."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

#: The form that every scraper reads; the library's newest one is only for those that ask for it.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NANOSECONDS = 1e9

Sample = tuple[Sequence[str], float, int | None]
"""Values of the labels, value, and ns since the epoch of its measurement, where one was measured."""


class _Family(Collector):
    """What the library can print."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def counter(name: str, words: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    """A family of what only grows; `name` ends in `_total`."""
    family = CounterMetricFamily(name.removesuffix("_total"), words, labels=labels)
    for values, value, at in samples:
        family.add_metric(values, value, timestamp=_seconds(at))
    return family


def gauge(name: str, words: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    """A family of what goes up and down."""
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, value, at in samples:
        family.add_metric(values, value, timestamp=_seconds(at))
    return family


async def text(families: Iterable[Metric]) -> AsyncIterator[bytes]:
    """The lines of one family after the other; a family without samples is left out."""
    for family in families:
        if family.samples:
            yield generate_latest(_Family(family))
            await asyncio.sleep(0)


def _seconds(at: int | None) -> float | None:
    return at / _NANOSECONDS if at is not None else None
