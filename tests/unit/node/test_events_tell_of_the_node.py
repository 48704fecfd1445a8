import asyncio

from tests.unit.kube.scripted import ScriptedConnection
from vnode.kube.events import EventRecorder
from vnode.node.events import NodeEvents


async def test_a_node_that_came_back_says_what_removes_it_for_good() -> None:
    connection = ScriptedConnection([{}])
    clock = connection.clock
    recorder = EventRecorder(
        connection, now=clock.now, clock=clock.monotonic, ids=lambda: "1", sleep=clock.sleep, lull=clock.sleep
    )
    NodeEvents(recorder, "nomad").came_back("n2")
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(recorder.run())
        for _ in range(20):
            await asyncio.sleep(0)
        sending.cancel()
    [call] = connection.calls
    assert call.line == "POST /api/v1/namespaces/default/events"
    about = call.body["involvedObject"]
    assert (about["kind"], about["name"], about["uid"]) == ("Node", "nomad", "n2")
    assert (call.body["reason"], call.body["type"]) == ("NodeRegisteredAgain", "Warning")
    assert "stop vnode first" in call.body["message"]
