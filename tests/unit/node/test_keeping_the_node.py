import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from tests.unit.kube.scripted import Answer, Call, ScriptedConnection, Stream, play
from tests.unit.node.examples import LABELS, NODE, node, status
from translators.records.nodes import NodeStatus
from vnode.errors import Conflict, NotFound, PeerError, Unavailable
from vnode.kube.errors import Replaced
from vnode.node.heartbeat import NodeKeeper
from vnode.node.registration import observe

POST, GET = "POST /api/v1/nodes", "GET /api/v1/nodes/nomad"
PATCH, STATUS = "PATCH /api/v1/nodes/nomad", "PATCH /api/v1/nodes/nomad/status"


@dataclass
class Nomad:
    """What is known of Nomad, as the app would tell it."""

    reachable: bool = True
    labels: dict[str, str] = field(default_factory=lambda: dict(LABELS))

    def describe(self, now: datetime, previous: NodeStatus | None) -> NodeStatus:
        return status(reachable=self.reachable, now=now, previous=previous)


def keeper(connection: ScriptedConnection, nomad: Nomad | None = None) -> NodeKeeper:
    nomad, clock = nomad or Nomad(), connection.clock
    return NodeKeeper(
        connection,
        NODE,
        nomad.describe,
        lambda: nomad.labels,
        now=clock.now,
        clock=clock.monotonic,
        random=lambda: 0.5,
        sleep=clock.sleep,
    )


async def publish(*script: Answer, found: Any = None, nomad: Nomad | None = None) -> ScriptedConnection:
    """One look at a Node that was found so."""
    connection = ScriptedConnection(list(script))
    keeping = keeper(connection, nomad)
    keeping.replace([observe(found)] if found else [])
    await keeping.publish()
    return connection


async def test_nothing_is_written_before_it_is_known_what_is_there() -> None:
    connection = ScriptedConnection([])
    await keeper(connection).publish()
    assert connection.calls == []


async def test_a_missing_node_is_made_by_one_request() -> None:
    connection = await publish(node())
    assert connection.lines == [POST]


async def test_a_node_found_as_it_should_be_is_left_alone_after_a_restart() -> None:
    connection = await publish(found=node())
    assert connection.lines == []


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (node(labels={}), [PATCH]),
        (node(taints=[]), [PATCH]),
        (node(holds=status(reachable=False)), [STATUS]),
        (node(labels={}, holds=status(reachable=False)), [PATCH, STATUS]),
    ],
)
async def test_what_differs_is_written_once(found: dict[str, Any], lines: list[str]) -> None:
    def merged(call: Call) -> dict[str, Any]:
        return node(holds=status(reachable=False)) if call.line == PATCH and STATUS in lines else node()

    connection = await publish(*[merged] * len(lines), found=found)
    assert connection.lines == lines


async def test_a_status_is_reported_every_five_minutes() -> None:
    connection = ScriptedConnection([node(version=6)])
    keeping = keeper(connection)
    keeping.replace([observe(node())])
    for _ in range(59):
        connection.clock.seconds += 10
        await keeping.publish()
        if connection.clock.seconds < 1300:
            assert connection.calls == []
    assert connection.lines == [STATUS]
    assert connection.calls[0].body["status"]["conditions"][0]["lastHeartbeatTime"] == "2026-01-01T00:05:00Z"


async def test_an_outage_of_nomad_is_a_taint_and_a_condition_and_goes_with_them() -> None:
    nomad = Nomad(reachable=False)
    tainted = [{"key": "virtual-kubelet.io/provider", "value": "nomad", "effect": "NoSchedule"}]
    tainted += [{"key": "nomad.hashinetes.io/unreachable", "effect": "NoSchedule"}]
    connection = ScriptedConnection(
        [
            node(version=6, taints=tainted),
            node(version=7, taints=tainted, holds=status(reachable=False)),
            node(version=8, holds=status(reachable=False)),
            node(version=9),
        ]
    )
    keeping = keeper(connection, nomad)
    keeping.replace([observe(node())])
    await keeping.publish()
    await keeping.publish()
    assert connection.lines == [PATCH, STATUS]
    conditions = {each["type"]: each["status"] for each in connection.calls[1].body["status"]["conditions"]}
    assert (conditions["NomadReachable"], conditions["Ready"]) == ("False", "True")
    nomad.reachable = True
    await keeping.publish()
    await keeping.publish()
    assert connection.lines == [PATCH, STATUS] * 2
    assert connection.calls[2].body["spec"]["taints"] == tainted[:1]


async def test_a_race_for_taints_is_decided_again_on_what_is_there_then() -> None:
    foreign = {"key": "theirs", "effect": "NoSchedule"}
    connection = await publish(Conflict("stale"), node(version=9, taints=[foreign]), node(), found=node(taints=[]))
    assert connection.lines == [PATCH, GET, PATCH]
    body = connection.calls[2].body
    assert (body["metadata"]["resourceVersion"], body["spec"]["taints"][0]) == ("9", foreign)


@pytest.mark.parametrize("problem", [NotFound("gone"), Replaced("another uid")])
async def test_a_node_that_vanished_under_a_write_is_made_anew(problem: PeerError) -> None:
    connection = await publish(problem, NotFound("gone"), node("n2"), found=node(holds=status(reachable=False)))
    assert connection.lines == [STATUS, GET, POST]


async def test_a_node_made_by_somebody_else_meanwhile_is_adopted() -> None:
    connection = await publish(Conflict("exists"), node())
    assert connection.lines == [POST, GET]


async def test_attempts_are_bounded() -> None:
    script: list[Answer] = [Conflict("stale"), node(taints=[])]
    with pytest.raises(Conflict):
        await publish(*script * 9, found=node(taints=[]))


async def test_a_failure_is_told() -> None:
    with pytest.raises(Unavailable):
        await publish(Unavailable("503"))


async def test_a_deleted_node_is_posted_again_and_its_late_events_are_ignored() -> None:
    connection, told = ScriptedConnection([node("n2", 9)]), list[str]()
    keeping = keeper(connection)
    keeping.came_back = told.append
    keeping.replace([observe(node())])
    await keeping.publish()
    keeping.remove(observe(node(version=8)))
    await keeping.publish()
    keeping.remove(observe(node(version=8)))
    await keeping.publish()
    assert connection.lines == [POST]
    assert await keeping.registered() == "n2"
    assert told == ["n2"]


async def test_a_node_that_was_never_there_has_not_come_back() -> None:
    connection, told = ScriptedConnection([node()]), list[str]()
    keeping = keeper(connection)
    keeping.came_back = told.append
    keeping.replace([])
    await keeping.publish()
    assert (connection.lines, told) == ([POST], [])


async def test_an_event_older_than_our_own_write_causes_no_second_write() -> None:
    connection = ScriptedConnection([node(version=7)])
    keeping = keeper(connection)
    keeping.replace([observe(node(version=5, holds=status(reachable=False)))])
    await keeping.publish()
    keeping.apply(observe(node(version=6, holds=status(reachable=False))))
    await keeping.publish()
    assert connection.lines == [STATUS]


async def test_a_foreign_edit_is_healed() -> None:
    connection = ScriptedConnection([node(version=7)])
    keeping = keeper(connection)
    keeping.replace([observe(node())])
    keeping.apply(observe(node(version=6, holds=status(reachable=False))))
    await keeping.publish()
    assert connection.lines == [STATUS]


class ApiServer(ScriptedConnection):
    """A server that holds one Node and its Lease, where whoever looks first sees the Node deleted after a while."""

    def __init__(self) -> None:
        super().__init__([])
        self.uids = iter(("n1", "n2"))
        self.leases = 0
        self.deletions = asyncio.Queue[Stream]()

    async def _next(self, call: Call) -> Any:
        self.calls.append(call)
        if call.line == "GET /api/v1/nodes":
            return {"metadata": {"resourceVersion": "1"}, "items": []}
        if call.method == "WATCH":
            return await self.deletions.get()
        if call.method == "POST" and call.path == "/api/v1/nodes":
            return node(next(self.uids), holds=status(now=self.clock.now()))
        if "leases" in call.path:
            self.leases += call.method != "GET"
            return self._lease(call)
        return node("n2", holds=status(now=self.clock.now()))

    def _lease(self, call: Call) -> dict[str, Any]:
        if call.method == "GET":
            raise NotFound("no lease")
        if self.leases == 4:
            self.deletions.put_nowait(Stream(({"type": "DELETED", "object": node("n1", 6)},), seconds=100))
        if self.leases == 8:
            self.exhausted.set()
        body: dict[str, Any] = call.body
        return body


async def test_a_life_registers_beats_every_ten_seconds_and_survives_a_deletion() -> None:
    server = ApiServer()
    await play(server, keeper(server).run())
    lines = server.lines
    assert lines.count(POST) == 2
    assert lines.index(POST) < lines.index("POST /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
    owners = [
        call.body["metadata"]["ownerReferences"][0]["uid"]
        for call in server.calls
        if "leases" in call.path and call.body
    ]
    assert owners[0] == "n1"
    assert owners[-1] == "n2"
    assert {10.2} <= set(server.clock.slept)


@pytest.mark.parametrize("answer", [{}, {"kind": "Status"}, {"metadata": []}])
async def test_an_answer_that_is_no_node_is_an_outage_of_the_api_server(answer: dict[str, Any]) -> None:
    with pytest.raises(Unavailable, match="not a Node"):
        await publish(answer)
    with pytest.raises(Unavailable, match="not a Node"):
        await publish(answer, found=node(labels={}))
