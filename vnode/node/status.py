"""The status of the Node: whether the API holds it, and the patch that brings it there.

Source: pkg/kubelet/nodestatus and component-helpers node/util/status.go.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from translators import quantity
from translators.clients_to_node import NOMAD_REACHABLE
from translators.records.nodes import NodeStatus

_STATUS: TypeAdapter[NodeStatus] = TypeAdapter(NodeStatus)


def decode_status(raw: Mapping[str, Any]) -> NodeStatus:
    """The status that the API holds."""
    return _STATUS.validate_python(raw)


def status_body(status: NodeStatus) -> dict[str, Any]:
    """The status as JSON."""
    body: dict[str, Any] = _STATUS.dump_python(status, mode="json", by_alias=True, exclude_none=True)
    return body


def status_patch(desired: NodeStatus, uid: str, sent: NodeStatus | None) -> dict[str, Any]:
    """The strategic-merge body for the Node's /status.

    Conditions of others stay (they merge by type); addresses are replaced whole, or stale ones would stay. A resource
    that was `sent` last time and is not desired any more is deleted by name, for maps merge.
    """
    status = status_body(desired)
    status["addresses"] = [*status["addresses"], {"$patch": "replace"}]
    if sent is not None:
        status["capacity"] |= dict.fromkeys(sent.capacity.keys() - desired.capacity.keys())
        status["allocatable"] |= dict.fromkeys(sent.allocatable.keys() - desired.allocatable.keys())
    return {"metadata": {"uid": uid}, "status": status}


def differs(desired: NodeStatus, observed: NodeStatus, sent: NodeStatus | None) -> bool:
    """Whether the API holds something else than desired; times of conditions and what others wrote do not count."""
    return (
        not _judgements(desired).items() <= _judgements(observed).items()
        or not _holds(observed.capacity, desired.capacity, sent.capacity if sent else {})
        or not _holds(observed.allocatable, desired.allocatable, sent.allocatable if sent else {})
        or desired.addresses != observed.addresses
        or desired.daemon_endpoints != observed.daemon_endpoints
        or desired.node_info != observed.node_info
        or _lacks_features(desired, observed, sent)
    )


def nomad_is_unreachable(status: NodeStatus) -> bool:
    """Whether the status says so by its condition, which the taint follows."""
    return any(condition.type == NOMAD_REACHABLE and condition.status == "False" for condition in status.conditions)


def _lacks_features(desired: NodeStatus, observed: NodeStatus, sent: NodeStatus | None) -> bool:
    """Whether the API was not told yet; one that does not know the field drops it, and is not told again and again."""
    told = sent is not None and sent.declared_features == desired.declared_features
    return not told and desired.declared_features != observed.declared_features


def _judgements(status: NodeStatus) -> dict[str, tuple[str, str, str]]:
    return {condition.type: (condition.status, condition.reason, condition.message) for condition in status.conditions}


def _holds(observed: Mapping[str, str], desired: Mapping[str, str], sent: Mapping[str, str]) -> bool:
    """Whether all is there, however it is written: the API makes `1Gi` of `1024Mi`."""
    vanished = sent.keys() - desired.keys()
    return not vanished & observed.keys() and all(
        name in observed and quantity.parse(observed[name]) == quantity.parse(amount)
        for name, amount in desired.items()
    )
