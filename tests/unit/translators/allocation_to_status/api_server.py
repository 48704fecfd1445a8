"""The part of the API server that a status patch meets: strategic merge of a Pod's status."""

from typing import Any

from pydantic import TypeAdapter

from translators.allocation_to_status import status_patch
from translators.records.pods import Pod, PodStatus

_MERGE_KEYS = {"conditions": "type", "podIPs": "ip", "hostIPs": "ip"}
_STATUS = TypeAdapter(PodStatus)


def merge(held: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Merge maps; null removes a field, a list without a merge key is replaced whole."""
    merged = dict(held)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif name in _MERGE_KEYS:
            merged[name] = _merge_list(merged.get(name, []), value, _MERGE_KEYS[name])
        elif isinstance(value, dict):
            merged[name] = merge(merged.get(name) or {}, value)
        else:
            merged[name] = value
    return merged


def _merge_list(held: list[dict[str, Any]], patch: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    if {"$patch": "replace"} in patch:
        return [entry for entry in patch if "$patch" not in entry]
    merged = {entry[key]: entry for entry in held}
    for entry in patch:
        if entry.get("$patch") == "delete":
            merged.pop(entry[key], None)
        else:
            merged[entry[key]] = merge(merged.get(entry[key], {}), entry)
    return list(merged.values())


class ApiServer:
    """Holds one Pod's status as JSON."""

    def __init__(self, pod: Pod, status: dict[str, Any] | None = None) -> None:
        self._pod = pod
        self.status: dict[str, Any] = {"phase": "Pending", "qosClass": "BestEffort", **(status or {})}
        self.patches: list[dict[str, Any]] = []

    @property
    def pod(self) -> Pod:
        return Pod(
            metadata=self._pod.metadata,
            spec=self._pod.spec,
            status=_STATUS.validate_python(self.status),
            unsupported=self._pod.unsupported,
        )

    def publish(self, desired: PodStatus) -> dict[str, Any] | None:
        body = status_patch(self.pod, desired)
        if body is not None:
            self.patches.append(body)
            self.status = merge(self.status, body["status"])
        return body
