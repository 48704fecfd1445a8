import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count

import pytest

from tests.unit.kube.scripted import Answer, ScriptedConnection
from vnode.errors import Conflict, Denied, NotFound, PeerError, Rejected, Unavailable
from vnode.kube.errors import NamespaceTerminating
from vnode.kube.events import EventRecorder, Regarding

WEB = Regarding(kind="Pod", namespace="shop", name="web", uid="u1", resource_version="9", host="nomad")
NODE = Regarding(kind="Node", name="nomad", uid="n1", host="nomad")
POST, PATCH = "POST /api/v1/namespaces/shop/events", "PATCH /api/v1/namespaces/shop/events/web.0"


@dataclass(frozen=True)
class Note:
    type: str = "Normal"
    reason: str = "Started"
    message: str = "Container started"
    field_path: str = "spec.containers{web}"


async def nothing_else(_: float) -> None:
    """Nothing else is sent."""


def recorder(
    connection: ScriptedConnection, capacity: int = 4096, lull: Callable[[float], Awaitable[None]] = nothing_else
) -> EventRecorder:
    ids, clock = count(), connection.clock
    return EventRecorder(
        connection,
        now=clock.now,
        clock=clock.monotonic,
        ids=lambda: str(next(ids)),
        sleep=clock.sleep,
        lull=lull,
        capacity=capacity,
    )


async def send(
    *script: Answer, notes: list[Note], regarding: Regarding = WEB
) -> tuple[ScriptedConnection, EventRecorder]:
    """Record notes one after the other, each sent before the next one is recorded."""
    connection = ScriptedConnection(list(script))
    events = recorder(connection)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(events.run())
        for note in notes:
            events.record(regarding, note)
            for _ in range(20):
                await asyncio.sleep(0)
        running.cancel()
    return connection, events


async def settle(events: EventRecorder) -> None:
    """Send everything that is recorded: the script answers without waiting, so some turns of the loop suffice."""
    running = asyncio.ensure_future(events.run())
    for _ in range(400):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait((running,))


async def test_an_event_is_one_request_that_says_all() -> None:
    connection, _ = await send({}, notes=[Note()])
    (call,) = connection.calls
    assert call.line == POST
    assert call.body == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "shop", "name": "web.0"},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": "shop",
            "name": "web",
            "uid": "u1",
            "resourceVersion": "9",
            "fieldPath": "spec.containers{web}",
        },
        "type": "Normal",
        "reason": "Started",
        "message": "Container started",
        "source": {"component": "vnode", "host": "nomad"},
        "reportingComponent": "vnode",
        "reportingInstance": "nomad",
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
    }


async def test_events_about_a_node_live_in_default() -> None:
    connection, _ = await send({}, notes=[Note(reason="Starting")], regarding=NODE)
    assert connection.lines == ["POST /api/v1/namespaces/default/events"]


async def test_a_repetition_raises_the_count_by_one_request() -> None:
    connection, _ = await send({}, {}, {}, notes=[Note(), Note(), Note()])
    assert connection.lines == [POST, PATCH, PATCH]
    assert [call.body["count"] for call in connection.calls] == [1, 2, 3]
    assert set(connection.calls[1].body) == {"count", "lastTimestamp"}


async def test_another_container_is_another_event() -> None:
    connection, _ = await send({}, {}, notes=[Note(), Note(field_path="spec.containers{db}")])
    assert connection.lines == [POST, POST]


async def test_repetitions_that_wait_together_are_sent_together() -> None:
    connection = ScriptedConnection([{}])
    events = recorder(connection)
    for _ in range(3):
        events.record(WEB, Note())
    await settle(events)
    assert [call.body["count"] for call in connection.calls] == [3]


async def test_a_pod_gets_a_burst_of_25_and_then_one_in_five_minutes() -> None:
    connection = ScriptedConnection([{}] * 40)
    events = recorder(connection)
    for number in range(40):
        events.record(WEB, Note(message=str(number)))
    assert events.dropped == {"spam": 15}
    connection.clock.seconds += 300
    events.record(WEB, Note(message="after five minutes"))
    events.record(WEB, Note(message="and another"))
    assert events.dropped == {"spam": 16}
    await settle(events)
    assert [call.body["message"] for call in connection.calls] == [*map(str, range(25)), "after five minutes"]


async def test_the_noise_of_one_pod_costs_another_one_nothing() -> None:
    connection = ScriptedConnection([{}] * 26)
    events = recorder(connection)
    for number in range(26):
        events.record(WEB, Note(message=str(number)))
    events.record(NODE, Note(message="heard"))
    await settle(events)
    assert "heard" in [call.body["message"] for call in connection.calls]


async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    connection = ScriptedConnection([])
    events = recorder(connection, capacity=8)
    for number in range(5):
        events.record(WEB, Note(message=str(number)))
    assert events.dropped == {"full": 3}


async def test_an_event_that_expired_is_made_anew_and_goes_on_counting() -> None:
    connection, _ = await send({}, NotFound("expired"), {}, notes=[Note(), Note()])
    assert connection.lines == [POST, PATCH, POST]
    assert connection.calls[2].body["count"] == 2


async def test_a_lost_answer_makes_no_second_event() -> None:
    connection, _ = await send(Unavailable("reset"), Conflict("exists"), {}, notes=[Note(), Note()])
    assert connection.lines == [POST, POST, PATCH]
    assert connection.calls[0].body["metadata"] == connection.calls[1].body["metadata"]


@pytest.mark.parametrize(
    ("problem", "attempts"),
    [
        (Unavailable("503"), 3),
        (Denied("403"), 1),
        (Rejected("400"), 1),
        (NotFound("no namespace"), 1),
        (NamespaceTerminating("403"), 1),
    ],
)
async def test_an_event_is_tried_little_and_dropped_and_the_next_one_is_sent(problem: PeerError, attempts: int) -> None:
    notes = [Note(), Note(message="next")]
    connection, events = await send(*[problem] * attempts, {}, notes=notes)
    assert [call.body["message"] for call in connection.calls] == ["Container started"] * attempts + ["next"]
    assert events.dropped == {"failed": 1}


async def test_events_wait_for_a_lull_and_what_is_said_again_meanwhile_is_one() -> None:
    lull = asyncio.Event()

    async def wait(_: float) -> None:
        await lull.wait()

    connection = ScriptedConnection([{}])
    events = recorder(connection, lull=wait)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(events.run())
        for _ in range(3):
            events.record(WEB, Note())
            await asyncio.sleep(0)
        assert connection.calls == []
        lull.set()
        for _ in range(10):
            await asyncio.sleep(0)
        running.cancel()
    assert [call.body["count"] for call in connection.calls] == [3]


async def test_long_messages_are_cut_at_a_character() -> None:
    connection, _ = await send({}, notes=[Note(message="€" * 1000)])
    message = connection.calls[0].body["message"]
    assert message == "€" * 341


@pytest.mark.parametrize("name", ["a" * 253, "a" * 229 + "." + "b" * 20])
async def test_names_stay_valid(name: str) -> None:
    connection, _ = await send(
        {}, notes=[Note()], regarding=Regarding(kind="Pod", namespace="shop", name=name, uid="u")
    )
    made = connection.calls[0].body["metadata"]["name"]
    assert len(made) <= 253
    assert ".." not in made
    assert made.endswith(".0")
