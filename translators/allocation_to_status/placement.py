"""Why the scheduler found no place, in the words of Nomad's own command line (command/monitor.go)."""

from collections.abc import Iterator

from translators.records.allocations import AllocationMetric, Evaluation


def message(evaluation: Evaluation | None) -> str:
    """Say why a Pod is not placed; empty when it is, or when the scheduler has not looked yet."""
    if evaluation is None:
        return ""
    reasons = [reason for metric in evaluation.failed_tg_allocs.values() for reason in _reasons(metric)]
    if not reasons and evaluation.status in {"blocked", "failed"}:
        reasons = [evaluation.status_description or f"evaluation {evaluation.id} is {evaluation.status}"]
    return "Nomad cannot place the Pod: " + "; ".join(reasons) if reasons else ""


def _reasons(metric: AllocationMetric) -> Iterator[str]:
    yield from _absence(metric)
    yield from _filters(metric)
    yield from _exhaustion(metric)
    # A group can fail without a single count, when every client changed while it was looked at.
    if metric.nodes_evaluated and not (metric.nodes_filtered or metric.nodes_exhausted or metric.quota_exhausted):
        yield f"No place on {_clients(metric.nodes_evaluated)} evaluated"


def _absence(metric: AllocationMetric) -> Iterator[str]:
    if metric.nodes_evaluated == 0:
        pool = metric.node_pool
        if pool and metric.nodes_in_pool == 0:
            # Counted after the filter by datacenter (scheduler/util.go readyNodesInDCsAndPool).
            yield f'No clients are available in node pool "{pool}" in the datacenters asked for'
        else:
            yield "No clients were eligible for evaluation"
    for datacenter, available in sorted(metric.nodes_available.items()):
        if available == 0:
            yield f'No clients are available in datacenter "{datacenter}"'


def _filters(metric: AllocationMetric) -> Iterator[str]:
    for name, count in sorted(metric.class_filtered.items()):
        yield f'Class "{name}": {_clients(count)} excluded by filter'
    for constraint, count in sorted(metric.constraint_filtered.items()):
        yield f'Constraint "{constraint}": {_clients(count)} excluded by filter'


def _exhaustion(metric: AllocationMetric) -> Iterator[str]:
    if metric.nodes_exhausted:
        yield f"Resources exhausted on {_clients(metric.nodes_exhausted)}"
    for name, count in sorted(metric.class_exhausted.items()):
        yield f'Class "{name}" exhausted on {_clients(count)}'
    for dimension, count in sorted(metric.dimension_exhausted.items()):
        yield f'Dimension "{dimension}" exhausted on {_clients(count)}'
    for dimension in metric.quota_exhausted:
        yield f'Quota limit hit "{dimension}"'


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"
