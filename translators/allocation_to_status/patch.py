"""The one place where the body of a status patch is built.

A patch of `/status` would also write labels, annotations and finalizers: so `metadata` holds the UID, as a
precondition, and nothing else. Merge keys: conditions by `type`, podIPs and hostIPs by `ip` (hence
`$patch: replace`); lists of container statuses are replaced whole. Source: kubernetes core/v1 types.go.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from translators.allocation_to_status.conditions import DISRUPTION_TARGET, OWN
from translators.allocation_to_status.timestamps import to_rfc3339
from translators.records.pods import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    Pod,
    PodCondition,
    PodStatus,
)

_REPLACE = {"$patch": "replace"}

#: One that others may have written too is ours to state, and nobody's to remove.
_WRITTEN = OWN | {DISRUPTION_TARGET}


def status_patch(pod: Pod, desired: PodStatus) -> dict[str, Any] | None:
    """Build the strategic merge patch that makes the API hold `desired`; None when it already does."""
    held = pod.status
    if desired is held:
        return None
    status = {
        **_texts(held, desired),
        **_addresses(held, desired),
        **_containers(held, desired),
    }
    conditions = [*_conditions(held.conditions, desired.conditions)]
    if conditions:
        status["conditions"] = conditions
    if desired.start_time is not None and not _is_same_second(held.start_time, desired.start_time):
        status["startTime"] = to_rfc3339(desired.start_time)
    if _tells_generation(pod, desired, rides_along=bool(status)):
        status["observedGeneration"] = desired.observed_generation
    if not status:
        return None
    return {"metadata": {"uid": pod.metadata.uid}, "status": status}


def _texts(held: PodStatus, desired: PodStatus) -> dict[str, Any]:
    pairs = (
        ("phase", held.phase, desired.phase),
        ("reason", held.reason, desired.reason),
        ("message", held.message, desired.message),
    )
    return {name: new or None for name, old, new in pairs if old != new}


def _addresses(held: PodStatus, desired: PodStatus) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if (held.host_ip, held.host_ips) != (desired.host_ip, desired.host_ips):
        body["hostIP"] = desired.host_ip or None
        body["hostIPs"] = _list_of(each.ip for each in desired.host_ips)
    if (held.pod_ip, held.pod_ips) != (desired.pod_ip, desired.pod_ips):
        body["podIP"] = desired.pod_ip or None
        body["podIPs"] = _list_of(each.ip for each in desired.pod_ips)
    return body


def _list_of(addresses: Iterable[str]) -> list[dict[str, str]] | None:
    entries = [{"ip": address} for address in addresses]
    return [*entries, _REPLACE] if entries else None


def _containers(held: PodStatus, desired: PodStatus) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, old, new in (
        ("containerStatuses", held.container_statuses, desired.container_statuses),
        ("initContainerStatuses", held.init_container_statuses, desired.init_container_statuses),
        (
            "ephemeralContainerStatuses",
            held.ephemeral_container_statuses,
            desired.ephemeral_container_statuses,
        ),
    ):
        if old is new or old == new:
            continue
        encoded = [container_status(each) for each in new]
        if encoded != [container_status(each) for each in old]:
            body[name] = encoded
    return body


def _conditions(held: Iterable[PodCondition], desired: Iterable[PodCondition]) -> Iterable[dict[str, Any]]:
    known = {condition.type: condition for condition in held}
    kept = set()
    for condition in desired:
        kept.add(condition.type)
        old = known.get(condition.type)
        if old is condition or condition.type not in _WRITTEN or old == condition:
            continue
        body = _condition(condition)
        if old is None:
            yield body
        elif body != _condition(old):
            # A merged entry keeps what it is not told, an old reason for example.
            cleared = {name: None for name in ("reason", "message") if getattr(old, name) and name not in body}
            yield {**body, **cleared}
    for name in known:
        if name in OWN and name not in kept:
            yield {"$patch": "delete", "type": name}


def _condition(condition: PodCondition) -> dict[str, Any]:
    body: dict[str, Any] = {"type": condition.type, "status": condition.status}
    if condition.reason:
        body["reason"] = condition.reason
    if condition.message:
        body["message"] = condition.message
    if condition.last_transition_time is not None:
        body["lastTransitionTime"] = to_rfc3339(condition.last_transition_time)
    return body


def container_status(status: ContainerStatus) -> dict[str, Any]:
    """Encode one container's status; without `resources`, whose absence makes the API refuse resizes."""
    body: dict[str, Any] = {
        "name": status.name,
        "state": _state(status.state),
        "lastState": _state(status.last_state),
        "ready": status.ready,
        "restartCount": status.restart_count,
        "image": status.image,
        "imageID": status.image_id,
    }
    if status.started is not None:
        body["started"] = status.started
    if status.container_id:
        body["containerID"] = status.container_id
    return body


def _state(state: ContainerState) -> dict[str, Any]:
    if state.running is not None:
        started_at = state.running.started_at
        return {"running": {"startedAt": to_rfc3339(started_at)} if started_at is not None else {}}
    if state.terminated is not None:
        return {"terminated": _terminated(state.terminated)}
    if state.waiting is not None:
        pairs = (("reason", state.waiting.reason), ("message", state.waiting.message))
        return {"waiting": {name: text for name, text in pairs if text}}
    return {}


def _terminated(terminated: ContainerStateTerminated) -> dict[str, Any]:
    texts = (
        ("reason", terminated.reason),
        ("message", terminated.message),
        ("containerID", terminated.container_id),
    )
    moments = (("startedAt", terminated.started_at), ("finishedAt", terminated.finished_at))
    return {
        "exitCode": terminated.exit_code,
        **{name: text for name, text in texts if text},
        **{name: to_rfc3339(moment) for name, moment in moments if moment is not None},
    }


def _is_same_second(one: datetime | None, other: datetime) -> bool:
    return one is not None and to_rfc3339(one) == to_rfc3339(other)


def _tells_generation(pod: Pod, desired: PodStatus, *, rides_along: bool) -> bool:
    """Whether the generation is worth a write: alone only where it was kept before and the Pod is to stay.

    Servers before 1.34 drop the field. A deletion is a new generation too, which the status of its end tells.
    """
    held = pod.status.observed_generation
    if desired.observed_generation is None or desired.observed_generation == held:
        return False
    return rides_along or (held is not None and pod.metadata.deletion_timestamp is None)
