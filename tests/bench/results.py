"""Everything that one run has measured, and its figures beside their bars."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.bursts import Round
from tests.bench.data import Shared, Tokens
from tests.bench.rate import Latency, Rate
from tests.bench.requests import Requests, foreground, reads
from tests.bench.sample import Sample
from tests.bench.site import Plan
from tests.bench.standing import Standing
from tests.bench.streams import Streams, Throughput

_MEGA, _MILLI = 1e6, 1000
#: Milliseconds by which a bystander's view of a hop may differ.
_WAY_MS = 15
#: The share of CPU for others up to which a machine counts as ours alone.
_CALM = 0.1
#: Seconds in which Nomad alone starts a job on the machine of the references and bars: 1,000 in 11 to 13.
_REFERENCE_SECONDS = 0.012
#: Memory of a vnode without Pods, and of each Pod, in MB.
_BASE_MB, _POD_MB = 130, 0.03
_PATCHES = ("patch pods/status", "update pods/status")
_EVENTS = ("create events", "patch events", "update events")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table. `reference` is Virtual Kubelet 1.12 with its mock provider, or Nomad, on two cores."""

    section: str
    name: str
    unit: str
    value: float | None
    bar: float | None = None
    aim: float | None = None
    reference: str = ""

    @property
    def verdict(self) -> str:
        """How the value stands to its bar; empty for a figure that has none."""
        if self.value is None:
            return "NOT MEASURED"
        if self.bar is None:
            return ""
        if self.value > self.bar:
            return "MISSED"
        return "ok, aim met" if self.aim is not None and self.value <= self.aim else "ok"


@dataclass
class Results:
    """What has been measured so far; a part that failed stays empty and has left a sentence in `failures`."""

    plan: Plan
    sample: Sample | None = None
    rounds: list[Round] = field(default_factory=list)
    rate: Rate | None = None
    even: Rate | None = None
    standing: Standing | None = None
    streams: Streams | None = None
    tokens: Tokens | None = None
    shared: Shared | None = None
    failures: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """What a reader has to know beside the figures."""
        found = []
        if self.sample and not self.sample.template.logs_disabled:
            found.append("the jobs collect logs (LogConfig.Disabled is not set): two processes per task on both sides")
        bursts = [burst for round_ in self.rounds for burst in (round_.direct.start, round_.pods.start)]
        busiest = max((burst.strangers for burst in bursts), default=0)
        if busiest > _CALM:
            found.append(f"other processes took up to {busiest:.0%} of the machine: seconds and CPU are inflated")
        if self.standing and self.standing.idle and (others := self.standing.idle.foreground):
            kinds = ", ".join(f"{number} {kind}" for kind, number in others.most_common())
            found.append(f"requests of an idle vnode that should not be there: {kinds}")
        if self.rate:
            hops = {
                "status": (self.rate.status, self.rate.seen_status),
                "submission": (self.rate.submission, self.rate.seen_submission),
            }
            found += [
                f"vnode's histogram of {hop} and the bystanders disagree: median {told.p50} and {seen.p50} ms"
                for hop, (told, seen) in hops.items()
                if told and _disagree(told, seen)
            ]
        return found

    def figures(self) -> list[Figure]:
        """All figures that the plan asked for."""
        parts = {
            "a": self._bursts,
            "b": self._costs,
            "c": self._latencies,
            "d": self._idle,
            "e": self._memory,
            "f": self._restart,
            "g": self._streams,
            "h": self._shared,
        }
        return [figure for letter, part in parts.items() if letter in self.plan.only for figure in part()]

    def _bursts(self) -> Iterator[Figure]:
        rounds, count = self.rounds, self.plan.pods
        starts = _median([round_.pods.start.seconds for round_ in rounds])
        stops = _median([round_.pods.stop.seconds for round_ in rounds])
        direct_starts = _median([round_.direct.start.seconds for round_ in rounds])
        direct_stops = _median([round_.direct.stop.seconds for round_ in rounds])
        start_ratio = _median([round_.start_ratio for round_ in rounds])
        stop_ratio = _median([round_.stop_ratio for round_ in rounds])
        a = "a"
        yield Figure(section=a, name=f"{count} Pods created → Running", unit="s", value=starts, reference="219; 3-4")
        yield Figure(
            section=a, name=f"{count} jobs directly → running", unit="s", value=direct_starts, reference="11-13"
        )
        yield Figure(section=a, name="slower than the machine of the bars", unit="x", value=self._slowness())
        yield Figure(section=a, name="create ratio", unit="x", value=start_ratio, bar=1.6, aim=1.3)
        yield Figure(section=a, name=f"{count} Pods deleted → gone", unit="s", value=stops, reference="423; 11-20")
        yield Figure(section=a, name=f"{count} jobs directly → ended", unit="s", value=direct_stops, reference="8")
        yield Figure(section=a, name="delete ratio", unit="x", value=stop_ratio, bar=2)
        for name, ratios in (
            ("create ratio in CPU of all servers", [round_.start_cpu_ratio for round_ in rounds]),
            ("delete ratio in CPU of all servers", [round_.stop_cpu_ratio for round_ in rounds]),
        ):
            yield Figure(section=a, name=name, unit="x", value=_median(ratios))
        for name, bursts in (
            ("strangers' share of CPU, Pods", [round_.pods.start for round_ in rounds]),
            ("strangers' share of CPU, jobs directly", [round_.direct.start for round_ in rounds]),
        ):
            yield Figure(section=a, name=name, unit="%", value=_median([100 * burst.strangers for burst in bursts]))

    def _costs(self) -> Iterator[Figure]:
        pods, nomad = self.plan.pods, self.sample
        starting = [round_.pods.starting for round_ in self.rounds]
        cpu = _median([_MILLI * round_.pods.start.cpu_seconds["vnode"] / pods for round_ in self.rounds])
        stop_cpu = _median([_MILLI * round_.pods.stop.cpu_seconds["vnode"] / pods for round_ in self.rounds])
        patches = _median([_count(requests, _PATCHES) / pods for requests in starting])
        events = _median([_count(requests, _EVENTS) / pods for requests in starting])
        api_reads = _median([reads(requests) / pods for requests in starting])
        writes = nomad.nomad_writes_per_pod if nomad else None
        nomad_reads = nomad.nomad_reads_per_pod if nomad else None
        ending = nomad.nomad_writes_per_end if nomad else None
        b = "b"
        yield Figure(section=b, name="status patches per Pod", unit="", value=patches, bar=2, reference="1")
        yield Figure(section=b, name="Events per Pod", unit="", value=events, bar=1, reference="1")
        yield Figure(section=b, name="reads of Kubernetes per Pod", unit="", value=api_reads, bar=0)
        yield Figure(section=b, name="reads of Nomad per Pod", unit="", value=nomad_reads, bar=0)
        yield Figure(section=b, name="Nomad writes per Pod", unit="", value=writes, bar=1)
        yield Figure(section=b, name="Nomad writes per Pod ended", unit="", value=ending)
        asked = self.tokens.asked_per_pod if self.tokens else None
        more = self.tokens.nomad_writes_per_pod - writes if self.tokens and writes is not None else None
        yield Figure(section=b, name="TokenRequests per Pod with the default token", unit="", value=asked, bar=1)
        yield Figure(section=b, name="Nomad writes more per Pod with it", unit="", value=more, bar=1)
        yield Figure(section=b, name="CPU of vnode per Pod started", unit="ms", value=cpu, bar=4)
        slowness = self._slowness()
        there = cpu / slowness if cpu is not None and slowness else None
        yield Figure(section=b, name="CPU per Pod started, at the speed of the bars", unit="ms", value=there, bar=4)
        yield Figure(section=b, name="CPU of vnode per Pod ended", unit="ms", value=stop_cpu)

    @property
    def even_rate(self) -> float | None:
        """Pods per second that are to this machine what the plan's are to that of the bars; None where as fast."""
        slowness = self._slowness()
        return self.plan.rate / slowness if slowness is not None and slowness > 1 else None

    def _slowness(self) -> float | None:
        """How much longer Nomad alone takes here than on the machine on which the bars in seconds were set."""
        direct = _median([round_.direct.start.seconds for round_ in self.rounds])
        return direct / self.plan.pods / _REFERENCE_SECONDS if direct is not None else None

    def _latencies(self) -> Iterator[Figure]:
        rate = self.rate
        seconds = _median([round_.pods.start.seconds for round_ in self.rounds])
        if seconds is not None:
            name = f"{self.plan.rate:g} Pods/s, of the most that start here"
            yield Figure(section="c", name=name, unit="%", value=100 * self.plan.rate * seconds / self.plan.pods)
        yield from _both("status: line → PATCH answered", rate.status if rate else None, bars=(20, 80))
        yield from _both("status as bystanders see it", rate.seen_status if rate else None)
        yield from _both("submission: line → Nomad's answer", rate.submission if rate else None, bars=(20, 80))
        yield from _both("submission as bystanders see it", rate.seen_submission if rate else None)
        yield from _both("create → Running", rate.create if rate else None, references=("22", "33"))
        yield from _both("the same job directly → running", rate.direct if rate else None)
        yield from _both("the same job directly: answer", rate.direct_registration if rate else None)
        if self.even_rate is not None:
            yield from self._even(self.even_rate)

    def _even(self, per_second: float) -> Iterator[Figure]:
        """The hops at the load for which the bars were set, and as long as they would take there."""
        even, slowness = self.even, self._slowness() or 1.0
        for name, latency in (
            ("status", even.status if even else None),
            ("submission", even.submission if even else None),
        ):
            yield from _both(f"{name} at {per_second:.1f}/s", latency)
            yield from _both(f"{name} at the speed of the bars", _sooner(latency, slowness), bars=(20, 80))

    def _idle(self) -> Iterator[Figure]:
        idle = self.standing.idle if self.standing else None
        minutes = idle.seconds / 60 if idle else 1
        kubernetes = idle.kubernetes.total() / minutes if idle else None
        nomad = idle.nomad.total() / minutes if idle else None
        others = idle.foreground.total() / minutes if idle else None
        d = "d"
        yield Figure(section=d, name="requests to Kubernetes, idle", unit="/min", value=kubernetes)
        yield Figure(section=d, name="requests to Nomad, idle", unit="/min", value=nomad)
        yield Figure(section=d, name="beside lease, Node, watch, resync", unit="/min", value=others, bar=0)

    def _memory(self) -> Iterator[Figure]:
        memory, pods = self.standing.memory if self.standing else None, self.plan.pods
        full_bar = _BASE_MB + pods * _POD_MB
        empty = memory.empty / _MEGA if memory else None
        full = memory.full / _MEGA if memory else None
        peak = memory.peak / _MEGA if memory else None
        each = (memory.full - memory.empty) / 1e3 / pods if memory else None
        e = "e"
        yield Figure(section=e, name="resident without Pods", unit="MB", value=empty, bar=_BASE_MB)
        yield Figure(section=e, name=f"resident with {pods} Pods", unit="MB", value=full, bar=full_bar)
        yield Figure(section=e, name="growth per Pod", unit="KB", value=each)
        yield Figure(section=e, name="peak until all ran", unit="MB", value=peak)

    def _streams(self) -> Iterator[Figure]:
        streams, g = self.streams, "g"
        ours, nomads, real = streams.starts if streams else (None, None, None)
        ratio = ours / nomads if ours and nomads else None
        for name, seconds in (
            ("kubectl exec of true", ours),
            ("nomad alloc exec of true", nomads),
            ("kubectl exec of true, real kubelet", real),
        ):
            yield Figure(section=g, name=name, unit="ms", value=_MILLI * seconds if seconds else None)
        yield Figure(section=g, name="exec of true, ratio to Nomad's own", unit="x", value=ratio, bar=1.5)
        yield from _beside("stdout of exec", streams.stdout if streams else None)
        yield from _beside("logs", streams.logs if streams else None)
        yield from _beside("port-forward", streams.forward if streams else None)

    def _shared(self) -> Iterator[Figure]:
        found, pods, h = self.shared, self.plan.shared, "h"
        reads, watches = (found.reads, found.watches) if found else (None, None)
        looked = foreground(found.kubernetes_for_change).total() if found else None
        writes = found.writes_per_change if found else None
        seconds = found.seconds if found else None
        yield Figure(section=h, name=f"{pods} Pods share a ConfigMap: reads of it", unit="", value=reads, bar=1)
        yield Figure(section=h, name="watches of it", unit="", value=watches, bar=1)
        yield Figure(section=h, name="requests to Kubernetes for a change", unit="", value=looked, bar=0)
        yield Figure(section=h, name="Nomad writes per Pod for a change", unit="", value=writes, bar=1)
        yield Figure(section=h, name="a change → the last of them written", unit="s", value=seconds, bar=15)

    def _restart(self) -> Iterator[Figure]:
        restart = self.standing.restart if self.standing else None
        f = "f"
        looked = restart.looked if restart else None
        writes = restart.writes if restart else None
        yield Figure(section=f, name="restart: last Pod looked at", unit="s", value=looked, bar=10)
        yield Figure(section=f, name="restart: writes for Pods", unit="", value=writes, bar=0)
        yield Figure(section=f, name="restart: Node Ready", unit="s", value=restart.ready if restart else None)
        yield Figure(
            section=f, name="restart: every spoilt status healed", unit="s", value=restart.healed if restart else None
        )


def _both(
    name: str,
    latency: Latency | None,
    bars: tuple[float | None, float | None] = (None, None),
    references: tuple[str, str] = ("", ""),
) -> Iterator[Figure]:
    p50, p99 = (latency.p50, latency.p99) if latency else (None, None)
    yield Figure(section="c", name=f"{name}, p50", unit="ms", value=p50, bar=bars[0], reference=references[0])
    yield Figure(section="c", name=f"{name}, p99", unit="ms", value=p99, bar=bars[1], reference=references[1])


def _sooner(latency: Latency | None, times: float) -> Latency | None:
    if latency is None or latency.p50 is None or latency.p99 is None:
        return None
    return Latency(latency.count, latency.p50 / times, latency.p99 / times)


def _disagree(told: Latency, seen: Latency) -> bool:
    """Whether two views of one hop differ by more than the way of a line on another stream, and by half."""
    low, high = sorted((told.p50 or 0, seen.p50 or 0))
    return high - low > _WAY_MS and high > 1.5 * low


def _count(requests: Requests, kinds: tuple[str, ...]) -> int:
    return sum(requests[kind] for kind in kinds)


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _beside(name: str, measured: Throughput | None) -> Iterator[Figure]:
    """Throughput on both Nodes, and how many times as fast the real one is."""
    virtual = measured.virtual / _MEGA if measured else None
    real = measured.real / _MEGA if measured else None
    ratio = measured.real / measured.virtual if measured else None
    yield Figure(section="g", name=f"{name}, virtual Node", unit="MB/s", value=virtual)
    yield Figure(section="g", name=f"{name}, real kubelet", unit="MB/s", value=real)
    yield Figure(section="g", name=f"{name}, real over virtual", unit="x", value=ratio, bar=2)
