from typing import Any

import pytest

from translators.allocation_to_status import overwriter
from translators.records.pods import Pod
from translators.support import decode_pod

_READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T12:00:00Z"}
_OURS = {"phase": "Running", "startTime": "2026-01-01T12:00:00Z", "conditions": [_READY]}


def _raw(status: dict[str, Any], *writers: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "web", "uid": "u1", "managedFields": list(writers)}, "status": status}


def _wrote(manager: str, *fields: str, second: int = 0, subresource: str = "status") -> dict[str, Any]:
    status: dict[str, Any] = {f"f:{name}": {} for name in fields if name != "Ready"}
    if "Ready" in fields:
        status["f:conditions"] = {'k:{"type":"Ready"}': {"f:status": {}}}
    entry = {"manager": manager, "time": f"2026-01-01T12:00:{second:02}Z", "fieldsV1": {"f:status": status}}
    return {**entry, "subresource": subresource} if subresource else entry


def _by(status: dict[str, Any], *writers: dict[str, Any], known: Pod | None = None) -> str:
    raw = _raw(status, *writers)
    return overwriter(raw, decode_pod(raw), known or decode_pod(_raw(_OURS)))


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ({**_OURS, "phase": "Pending"}, ("phase",)),
        ({**_OURS, "conditions": [{**_READY, "status": "False"}]}, ("Ready",)),
        ({**_OURS, "podIP": "1.2.3.4"}, ("podIP",)),
    ],
)
def test_who_holds_a_field_of_ours_has_overwritten_it_also_within_the_second_of_our_own_write(
    status: dict[str, Any], fields: tuple[str, ...]
) -> None:
    assert _by(status, _wrote("kubectl-patch", *fields), _wrote("vnode", "startTime")) == "kubectl-patch"


def test_who_removed_fields_is_known_by_having_written_last() -> None:
    removed = {**_OURS, "conditions": []}
    assert _by(removed, _wrote("vnode", "phase"), _wrote("curl", second=5)) == "curl"
    assert _by(removed, _wrote("vnode", "phase", second=6), _wrote("curl", second=5)) == ""


def test_what_we_wrote_ourselves_was_overwritten_by_nobody() -> None:
    failed = {**_OURS, "phase": "Failed"}
    assert _by(failed, _wrote("vnode", "phase", second=3), _wrote("kubectl-edit", "qosClass", second=3)) == ""


def test_conditions_of_others_are_theirs() -> None:
    gated = {**_OURS, "conditions": [_READY, {"type": "example.com/gate", "status": "True"}]}
    assert _by(gated, _wrote("gatekeeper", second=9)) == ""


@pytest.mark.parametrize("writer", [_wrote("kube-controller-manager", "Ready"), _wrote("x", "phase", subresource="")])
def test_kubernetes_itself_and_writers_of_other_parts_are_not_named(writer: dict[str, Any]) -> None:
    assert _by({**_OURS, "phase": "Pending"}, writer) == ""


def test_before_our_first_status_there_is_nothing_to_write_over() -> None:
    fresh = decode_pod(_raw({"phase": "Pending"}))
    assert _by({"phase": "Running"}, _wrote("kubectl", "phase"), known=fresh) == ""


def test_another_version_of_the_same_status_still_was_overwritten() -> None:
    status = {**_OURS, "phase": "Pending"}
    raw = _raw(status, _wrote("curl", "phase"))
    first = decode_pod({**raw, "overwritten_by": "curl"})
    assert overwriter(raw, decode_pod(raw), first) == "curl"
