"""What vnode counts and times about itself, in a registry of its own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_MILLISECONDS = (1, 2, 5, 10, 15, 20, 30, 40, 60, 80, 100, 150, 250, 500, 1000)
_BUCKETS = tuple(value / 1000 for value in _MILLISECONDS)


class Metrics:
    """All series of the process; names are documented in docs/operations.md."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.actions = Counter(
            "vnode_actions", "Actions carried out by the reconciler.", ["action"], registry=self.registry
        )
        self.failures = Counter(
            "vnode_round_failures", "Rounds that ended in an error.", ["kind"], registry=self.registry
        )
        self.rounds = Counter("vnode_rounds", "Looks taken at a Pod.", registry=self.registry)
        self.waiting = Gauge("vnode_queue_length", "Pods that wait to be looked at.", registry=self.registry)
        self.later = Gauge(
            "vnode_queue_later",
            "Pods that wait for a later look.",
            registry=self.registry,
        )
        self.breaker_open = Gauge(
            "vnode_breaker_open", "1 while a peer does not answer and is spared.", ["peer"], registry=self.registry
        )
        self.requests_waiting = Gauge(
            "vnode_nomad_requests_waiting",
            "Requests to Nomad that wait for room.",
            registry=self.registry,
        )
        self.events_waiting = Gauge("vnode_events_waiting", "Events that wait to be sent.", registry=self.registry)
        self.events_dropped = Counter(
            "vnode_events_dropped", "Events that were never sent, by why.", ["reason"], registry=self.registry
        )
        self.leader = Gauge(
            "vnode_leader", "1 where this replica looks after the Node, 0 where it stands by.", registry=self.registry
        )
        self.certificate_ends = Gauge(
            "vnode_serving_certificate_expiry_seconds",
            "When the serving certificate of the kubelet API ends, in seconds since the epoch.",
            registry=self.registry,
        )
        self.pods = Gauge("vnode_pods", "Pods of the virtual Node.", registry=self.registry)
        self.status_latency = Histogram(
            "vnode_status_latency_seconds",
            "From an allocation's line on the event stream to the answered status patch.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.submission_latency = Histogram(
            "vnode_submission_latency_seconds",
            "From a Pod's line on the watch to Nomad's answer to its registration.",
            buckets=_BUCKETS,
            registry=self.registry,
        )

    @contextmanager
    def measuring(self, gauges: Mapping[Gauge, Callable[[], float]]) -> Iterator[None]:
        """Show what is measured while the block lasts, and nothing afterwards."""
        for gauge, measure in gauges.items():
            gauge.set_function(measure)
        try:
            yield
        finally:
            for gauge in gauges:
                gauge.set_function(lambda: 0)
