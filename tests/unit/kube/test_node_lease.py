import re
from typing import Any

import pytest

from tests.unit.kube.scripted import Call, Clock, ScriptedConnection
from vnode.errors import Conflict, Denied, NotFound, PeerError, Unavailable
from vnode.kube.leases import NodeLease

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
GET, PUT, POST = f"GET {LEASES}/nomad", f"PUT {LEASES}/nomad", f"POST {LEASES}"


def stored(call: Call) -> dict[str, Any]:
    """The server keeps what it is given and adds a version."""
    return {**call.body, "metadata": {**call.body["metadata"], "resourceVersion": "5", "labels": {"theirs": "kept"}}}


def lease(**spec: object) -> dict[str, Any]:
    return {"metadata": {"name": "nomad", "uid": "lease-1", "resourceVersion": "4"}, "spec": spec}


def heartbeat(connection: ScriptedConnection) -> NodeLease:
    return NodeLease(connection, "nomad", connection.clock.now)


async def test_a_missing_lease_is_made_and_belongs_to_the_node() -> None:
    connection = ScriptedConnection([NotFound("none"), stored])
    await heartbeat(connection).renew("node-1")
    assert connection.lines == [GET, POST]
    body = connection.calls[1].body
    assert body["metadata"]["name"] == "nomad"
    assert body["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": "nomad", "uid": "node-1"}
    ]
    assert (body["spec"]["holderIdentity"], body["spec"]["leaseDurationSeconds"]) == ("nomad", 40)


async def test_a_renewal_is_one_put_of_the_object_that_was_returned_last() -> None:
    connection = ScriptedConnection([NotFound("none"), stored, stored])
    keeper = heartbeat(connection)
    await keeper.renew("node-1")
    connection.clock.seconds += 10
    await keeper.renew("node-1")
    assert connection.lines == [GET, POST, PUT]
    first, second = (call.body for call in connection.calls[1:])
    assert second["metadata"]["resourceVersion"] == "5"
    assert second["metadata"]["labels"] == {"theirs": "kept"}
    assert second["spec"]["renewTime"] > first["spec"]["renewTime"]


async def test_the_renewal_time_has_six_digits_of_a_second() -> None:
    connection = ScriptedConnection([NotFound("none"), stored])
    await heartbeat(connection).renew("node-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", connection.calls[1].body["spec"]["renewTime"])


async def test_the_lease_of_an_earlier_life_is_taken_over() -> None:
    connection = ScriptedConnection([lease(holderIdentity="nomad"), stored])
    await heartbeat(connection).renew("node-1")
    assert connection.lines == [GET, PUT]
    assert connection.calls[1].body["metadata"]["uid"] == "lease-1"


async def test_a_lease_that_went_with_its_node_is_made_anew_for_the_new_one() -> None:
    connection = ScriptedConnection([lease(), stored, Conflict("gone, says the server"), NotFound("none"), stored])
    keeper = heartbeat(connection)
    await keeper.renew("node-1")
    await keeper.renew("node-2")
    assert connection.lines == [GET, PUT, PUT, GET, POST]
    assert connection.calls[-1].body["metadata"]["ownerReferences"][0]["uid"] == "node-2"


async def test_a_conflict_is_followed_by_a_read() -> None:
    connection = ScriptedConnection([lease(), Conflict("changed"), lease(), stored])
    await heartbeat(connection).renew("node-1")
    assert connection.lines == [GET, PUT, GET, PUT]


async def test_a_renewal_that_fails_is_tried_again_at_once_on_the_same_object() -> None:
    connection = ScriptedConnection([lease(), Unavailable("503"), stored])
    await heartbeat(connection).renew("node-1")
    assert connection.lines == [GET, PUT, PUT]
    assert connection.clock.slept == []


@pytest.mark.parametrize(("problem", "requests"), [(Unavailable("503"), 5), (Denied("403"), 1)])
async def test_attempts_are_bounded(problem: PeerError, requests: int) -> None:
    connection = ScriptedConnection([problem] * 9, Clock())
    with pytest.raises(type(problem)):
        await heartbeat(connection).renew("node-1")
    assert len(connection.calls) == requests


@pytest.mark.parametrize("answer", [{}, {"metadata": {}}, {"metadata": {"resourceVersion": ""}}, {"metadata": []}])
async def test_an_answer_that_is_no_lease_is_not_renewed(answer: dict[str, Any]) -> None:
    connection = ScriptedConnection([answer, lease(), stored])
    await heartbeat(connection).renew("node-1")
    assert connection.lines == [GET, GET, PUT]
