"""Who else writes what is ours in the status of a Pod.

The API server notes for each writer which fields it wrote, and when (metadata.managedFields, KEP-555); a writer that
names no field manager is known by the first word of its User-Agent, as we are.
"""

from collections.abc import Mapping
from typing import Any

from translators.allocation_to_status.conditions import OWN
from translators.records.pods import Pod, PodStatus

#: Our field manager.
US = "vnode"

#: We, and who marks the Pods of a Node that it takes for lost, and tells so by Events of its own.
_KNOWN = frozenset({US, "kube-controller-manager"})

#: The conditions that nobody but us writes; the API server states one of ours with the binding.
_OURS = OWN - {"PodScheduled"}

_FIELDS = frozenset(
    f"f:{name}"
    for name in (
        "phase",
        "reason",
        "message",
        "hostIP",
        "hostIPs",
        "podIP",
        "podIPs",
        "startTime",
        "containerStatuses",
        "initContainerStatuses",
    )
)
_CONDITIONS = frozenset(f'k:{{"type":"{name}"}}' for name in _OURS)


def overwriter(raw: Mapping[str, Any], found: Pod, known: Pod) -> str:
    """The field manager that wrote `found` over what we wrote into `known`; empty when it was nobody else.

    `raw` is what `found` was decoded from. Only of a status that we have written before anything can be said.
    """
    if known.status.start_time is None or _ours(found.status) == _ours(known.status):
        return known.overwritten_by
    entries = raw.get("metadata", {}).get("managedFields") or ()
    writers = [entry for entry in entries if entry.get("subresource") == "status"]
    written_at = max((_time(entry) for entry in writers if entry.get("manager") == US), default="")
    # A field that was removed has no owner; then only who wrote last tells, and times are whole seconds.
    others = [entry for entry in writers if entry.get("manager") not in _KNOWN]
    others = [entry for entry in others if _owns_ours(entry) or _time(entry) > written_at]
    return str(max(others, key=_time).get("manager") or "") if others else ""


def _time(entry: Mapping[str, Any]) -> str:
    return str(entry.get("time") or "")


def _owns_ours(entry: Mapping[str, Any]) -> bool:
    status = (entry.get("fieldsV1") or {}).get("f:status") or {}
    return not _FIELDS.isdisjoint(status) or not _CONDITIONS.isdisjoint(status.get("f:conditions") or {})


def _ours(status: PodStatus) -> tuple[object, ...]:
    return (
        status.phase,
        status.reason,
        status.message,
        status.host_ip,
        status.pod_ip,
        status.start_time,
        status.container_statuses,
        status.init_container_statuses,
        {(each.type, each.status, each.reason, each.message) for each in status.conditions if each.type in _OURS},
    )
