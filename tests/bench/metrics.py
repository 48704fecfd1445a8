"""vnode's own metrics, from its kubelet API, for what cannot be seen from outside."""

from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.bench import transport
from tests.bench.errors import MeasurementError
from tests.bench.kubernetes import administrator
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.vnode_process import VnodeProcess


@dataclass(frozen=True)
class Scrape:
    """The samples of one moment, by name and, for buckets, upper bound."""

    values: dict[str, float]
    buckets: dict[str, dict[float, float]]

    def value(self, name: str) -> float | None:
        """A counter or gauge, summed over its labels."""
        return self.values.get(name)

    def since(self, before: "Scrape", histogram: str) -> "Histogram | None":
        """What a histogram has gathered since an earlier moment; None when there is no such histogram."""
        now = self.buckets.get(histogram)
        if now is None:
            return None
        earlier = before.buckets.get(histogram, {})
        return Histogram({bound: number - earlier.get(bound, 0) for bound, number in now.items()})


@dataclass(frozen=True)
class Histogram:
    """Cumulative counts by upper bound, in seconds."""

    buckets: dict[float, float]

    @property
    def count(self) -> int:
        """How many observations."""
        return int(max(self.buckets.values(), default=0))

    def quantile(self, share: float) -> float | None:
        """A quantile in seconds, interpolated within its bucket as Prometheus does; the last finite bound at most."""
        rank = share * self.count
        lower, below = 0.0, 0.0
        for upper, cumulative in sorted(self.buckets.items()):
            if cumulative >= rank and cumulative > below:
                inside = (rank - below) / (cumulative - below)
                return lower if upper == float("inf") else lower + (upper - lower) * inside
            lower, below = (lower if upper == float("inf") else upper), cumulative
        return None


class Metrics:
    """The metrics of one vnode."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._http = session

    async def scrape(self) -> Scrape:
        """All samples now; a MeasurementError while nobody answers."""
        text = (await transport.request(self._http, "GET", "/metrics")).decode()
        values: dict[str, float] = {}
        buckets: dict[str, dict[float, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    by_bound = buckets.setdefault(family.name, {})
                    bound = float(sample.labels["le"])
                    by_bound[bound] = by_bound.get(bound, 0) + sample.value
                else:
                    values[sample.name] = values.get(sample.name, 0) + sample.value
        return Scrape(values, buckets)

    async def scrape_if_up(self) -> Scrape | None:
        """All samples, None while the server is not up yet."""
        try:
            return await self.scrape()
        except MeasurementError:
            return None


def session(bed: Bed, vnode: VnodeProcess) -> aiohttp.ClientSession:
    """HTTP to the kubelet API of a vnode."""
    address, port = vnode.kubelet_address
    return transport.session(f"https://{address}:{port}", administrator(bed))
