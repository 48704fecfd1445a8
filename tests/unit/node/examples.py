"""A virtual Node, and what an API server returns of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from translators.clients_to_node import NodeFacts, Reserved, node_status
from translators.records.nodes import NodeCondition, NodeStatus
from vnode.node.status import status_body
from vnode.node.virtual_node import VirtualNode

START = datetime(2026, 1, 1, tzinfo=UTC)
NODE = VirtualNode(name="nomad", address="10.0.0.1", labels={"team": "a"}, annotations={"note": "hand"})
LABELS = {"type": "virtual-kubelet", "kubernetes.io/role": "agent"}
FACTS = NodeFacts(name="nomad", address="10.0.0.1", kubelet_port=10250, kubelet_version="v1.36.3", mhz_per_core=2000)
CAPACITY = {"cpu": "4", "memory": "2048Mi"}


def status(*, reachable: bool = True, now: datetime = START, previous: NodeStatus | None = None) -> NodeStatus:
    """The status of a Node with some capacity, as the translation of Nomad's clients would say it."""
    stated = node_status((), Reserved(), replace(FACTS, reachable=reachable, previous=previous), now)
    ready = NodeCondition(type="Ready", status="True", last_heartbeat_time=now, last_transition_time=START)
    conditions = tuple(ready if each.type == "Ready" else each for each in stated.conditions)
    return replace(stated, conditions=conditions, capacity=CAPACITY, allocatable=CAPACITY)


def node(
    uid: str = "n1",
    version: int = 5,
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    taints: Sequence[dict[str, str]] | None = None,
    holds: NodeStatus | None = None,
) -> dict[str, Any]:
    """The Node as the API returns it; by default exactly as we want it."""
    return {
        "metadata": {
            "name": "nomad",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": LABELS | {"team": "a"} if labels is None else labels,
            "annotations": {"note": "hand"} if annotations is None else annotations,
        },
        "spec": {
            "providerID": "nomad://global/nomad",
            "taints": [{"key": "virtual-kubelet.io/provider", "value": "nomad", "effect": "NoSchedule"}]
            if taints is None
            else list(taints),
        },
        "status": status_body(holds or status()),
    }
