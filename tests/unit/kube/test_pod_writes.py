from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.unit.kube.scripted import Answer, ScriptedConnection
from translators.records.pods import Pod
from vnode.errors import Conflict, Denied, NotFound, PeerError, Unavailable
from vnode.kube.errors import Invalid, Replaced
from vnode.kube.patches import PodWriter

POD = {"metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "9"}}
BODY: dict[str, Any] = {"metadata": {"uid": "u1"}, "status": {"phase": "Running"}}


def decode(raw: Mapping[str, Any]) -> Pod:
    return TypeAdapter(Pod).validate_python(raw)


async def test_a_status_is_patched_with_its_uid_and_the_pod_comes_back() -> None:
    connection = ScriptedConnection([POD])
    pod = await PodWriter(connection, decode).patch_status("shop", "web", BODY)
    (call,) = connection.calls
    assert call.line == "PATCH /api/v1/namespaces/shop/pods/web/status"
    assert call.content_type == "application/strategic-merge-patch+json"
    assert call.body == BODY
    assert pod.metadata.resource_version == "9"


@pytest.mark.parametrize(
    "body",
    [
        {"status": {}},
        {"metadata": {"uid": "u1"}},
        {"metadata": {"uid": "u1", "labels": {}}, "status": {}},
        {"metadata": {"uid": "u1", "finalizers": []}, "status": {}},
        {"metadata": {"uid": "u1"}, "status": {}, "spec": {}},
    ],
)
async def test_nothing_but_uid_and_status_is_ever_sent(body: dict[str, Any]) -> None:
    connection = ScriptedConnection([POD])
    with pytest.raises(ValueError, match=r"metadata\.uid and status only"):
        await PodWriter(connection, decode).patch_status("shop", "web", body)
    assert connection.calls == []


@pytest.mark.parametrize("problem", [NotFound("gone"), Replaced("other"), Conflict("stale"), Invalid("bug")])
async def test_a_refused_status_is_the_callers_to_judge(problem: PeerError) -> None:
    with pytest.raises(type(problem)):
        await PodWriter(ScriptedConnection([problem]), decode).patch_status("shop", "web", BODY)


async def test_a_pod_is_deleted_at_once_and_only_under_its_uid() -> None:
    connection = ScriptedConnection([{}])
    await PodWriter(connection, decode).delete("shop", "web", "u1")
    (call,) = connection.calls
    assert call.line == "DELETE /api/v1/namespaces/shop/pods/web"
    assert call.body["gracePeriodSeconds"] == 0
    assert call.body["preconditions"] == {"uid": "u1"}


async def test_a_pod_that_is_gone_needs_no_deletion() -> None:
    connection = ScriptedConnection([NotFound("gone")])
    await PodWriter(connection, decode).delete("shop", "web", "u1")
    assert len(connection.calls) == 1


@pytest.mark.parametrize("found", [NotFound("gone"), {"metadata": {**POD["metadata"], "uid": "u2"}}])
async def test_a_pod_that_was_replaced_needs_no_deletion(found: Answer) -> None:
    connection = ScriptedConnection([Conflict("the UID in the precondition does not match"), found])
    await PodWriter(connection, decode).delete("shop", "web", "u1")
    assert len(connection.calls) == 2


async def test_a_conflict_over_a_pod_that_is_still_there_is_told() -> None:
    with pytest.raises(Conflict):
        await PodWriter(ScriptedConnection([Conflict("try again"), POD]), decode).delete("shop", "web", "u1")


@pytest.mark.parametrize("answer", [{}, {"kind": "Status", "metadata": {}}, {"metadata": []}])
async def test_an_answer_that_is_no_pod_leaves_the_outcome_unknown(answer: dict[str, Any]) -> None:
    writer = PodWriter(ScriptedConnection([answer, answer]), decode)
    with pytest.raises(Unavailable, match="not a Pod"):
        await writer.patch_status("shop", "web", BODY)
    with pytest.raises(Unavailable, match="not a Pod"):
        await writer.get("shop", "web")


@pytest.mark.parametrize("answer", [Denied("403"), Unavailable("503")])
async def test_a_deletion_that_failed_is_told(answer: PeerError) -> None:
    with pytest.raises(type(answer)):
        await PodWriter(ScriptedConnection([answer]), decode).delete("shop", "web", "u1")
