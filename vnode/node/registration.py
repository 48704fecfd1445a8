"""The Node object: what we POST, and what we patch of its metadata and spec when it is there already.

Labels, annotations and taints of others stay; `spec.unschedulable` belongs to whoever cordons.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from translators.clients_to_node import PROVIDER_TAINT, UNREACHABLE_TAINT
from translators.records.nodes import NodeStatus, Taint
from vnode.node.status import decode_status, status_body
from vnode.node.virtual_node import VirtualNode


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedNode:
    """Our Node as the API holds it; taints stay JSON, for most of them are not ours."""

    name: str
    uid: str
    version: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    taints: Sequence[Mapping[str, Any]]
    provider_id: str
    status: NodeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What metadata and spec should hold.

    `retired` are keys of labels that we set once and do not want any more. `settled` says that the configured taints
    were reconciled for this Node before: who removes one later means it.
    """

    node: VirtualNode
    labels: Mapping[str, str] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()
    unreachable: bool = False
    settled: bool = False

    @property
    def all_labels(self) -> dict[str, str]:
        """Labels from Nomad's facts, overruled by the Node's own."""
        return {**self.labels, **self.node.own_labels}


def observe(raw: Mapping[str, Any]) -> ObservedNode:
    """Take what we need of a Node."""
    metadata, spec = raw["metadata"], raw.get("spec") or {}
    return ObservedNode(
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        taints=spec.get("taints") or (),
        provider_id=spec.get("providerID") or "",
        status=decode_status(raw.get("status") or {}),
    )


def node_body(wanted: Wanted, status: NodeStatus) -> dict[str, Any]:
    """The whole Node, for a POST: the API server adds `not-ready`, which goes 0.2 s after Ready."""
    node = wanted.node
    taints = [*node.taints, *((UNREACHABLE_TAINT,) if wanted.unreachable else ())]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": wanted.all_labels, "annotations": dict(node.annotations)},
        "spec": {"providerID": node.provider_id, "taints": [_taint_body(taint) for taint in taints]},
        "status": status_body(status),
    }


def node_patch(observed: ObservedNode, wanted: Wanted) -> dict[str, Any] | None:
    """The strategic-merge body that brings metadata and spec to what is wanted; None when they are there.

    Taints are an atomic list, which controllers write too: a body with taints carries the resource version that they
    were read at, so that a Conflict, not a lost taint, is what comes of a race.
    """
    metadata = {
        **_changed("labels", observed.labels, wanted.all_labels, wanted.retired),
        **_changed("annotations", observed.annotations, wanted.node.annotations, ()),
    }
    spec: dict[str, Any] = {}
    if not observed.provider_id:
        spec["providerID"] = wanted.node.provider_id
    taints = _merged(observed.taints, *_taints(wanted))
    if taints != list(observed.taints):
        spec["taints"] = taints
        metadata["resourceVersion"] = observed.version
    if not metadata and not spec:
        return None
    metadata["uid"] = observed.uid
    return {"metadata": metadata, **({"spec": spec} if spec else {})}


def _changed(
    kind: str, observed: Mapping[str, str], wanted: Mapping[str, str], retired: Iterable[str]
) -> dict[str, Any]:
    changed: dict[str, str | None] = {key: text for key, text in wanted.items() if observed.get(key) != text}
    changed.update({key: None for key in retired if key in observed and key not in wanted})
    return {kind: changed} if changed else {}


def _taints(wanted: Wanted) -> tuple[list[Taint], set[str]]:
    """The taints that must be there, and the keys that must not."""
    present = [UNREACHABLE_TAINT] if wanted.unreachable else []
    absent = set() if wanted.unreachable else {UNREACHABLE_TAINT.key}
    if not wanted.settled:
        present = [*wanted.node.taints, *present]
        absent |= {PROVIDER_TAINT.key} - {taint.key for taint in wanted.node.taints}
    return present, absent


def _merged(observed: Sequence[Mapping[str, Any]], present: list[Taint], absent: set[str]) -> list[Mapping[str, Any]]:
    """Taints of others as they are, in their order, and ours among them."""
    ours = {(taint.key, taint.effect): taint for taint in present}
    merged: list[Mapping[str, Any]] = []
    for taint in observed:
        own = ours.pop((taint["key"], taint["effect"]), None)
        if own is not None:
            merged.append(taint if taint.get("value", "") == own.value else _taint_body(own))
        elif taint["key"] not in absent:
            merged.append(taint)
    return [*merged, *map(_taint_body, ours.values())]


def _taint_body(taint: Taint) -> dict[str, str]:
    body = {"key": taint.key, "effect": taint.effect}
    return {**body, "value": taint.value} if taint.value else body
