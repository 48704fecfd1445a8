from dataclasses import replace
from typing import Any

import pytest

from tests.unit.pods.observations import NOW, UID, circumstances, job, observation, started, terminated
from translators import variables
from translators.health import Health
from translators.identity import job_id
from translators.records.allocations import Allocation, AllocationId, TaskState
from translators.records.pods import Pod
from translators.support import decode_pod
from vnode.pods.actions import Decision, Remember, TakeTurn, Withdraw
from vnode.pods.decide import decide
from vnode.pods.decide.data import withdrawal
from vnode.view.observation import Memory, Observation

WAITS = TaskState(state="pending")
RUNS = TaskState(state="running", events=(started(),), started_at="2026-01-01T11:59:01Z")
DONE = TaskState(state="dead", events=(started(), terminated(0)), started_at="2026-01-01T11:59:01Z")
FAILED = TaskState(state="pending", restarts=1, events=(started(), terminated(3)), started_at="2026-01-01T11:59:01Z")


def pod(*init: str, policy: str = "Always") -> Pod:
    """A Pod with these init containers; the name of a sidecar begins with `side`."""
    made = [{"name": name, "image": "x", "command": ["/bin/true"]} for name in init]
    for container in made:
        if str(container["name"]).startswith("side"):
            container["restartPolicy"] = "Always"
    spec = {
        "nodeName": "nomad",
        "restartPolicy": policy,
        "initContainers": made,
        "containers": [{"name": "app", "image": "x", "command": ["/bin/true"]}],
    }
    metadata = {"name": "web-1", "namespace": "shop", "uid": UID, "resourceVersion": "5", "generation": 1}
    return decode_pod({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}})


def seen(of: Pod, *, status: str = "pending", **tasks: TaskState) -> Observation:
    placed = Allocation(
        id="a1",
        job_id=job_id(UID),
        client_status=status,
        node_id="n1",
        task_states={**tasks, "app": WAITS},
        create_index=10,
        modify_index=11,
        modify_time=int(NOW.timestamp() * 1e9),
    )
    facts = job(of)
    turns = replace(facts, identity=replace(facts.identity, turns=True))
    return observation(of, job=turns, allocations=(placed,))


def decided(subject: Observation) -> Decision:
    return decide(subject, circumstances(), NOW)


def turn(decision: Decision) -> str:
    return next((action.task for action in decision.actions if isinstance(action, TakeTurn)), "")


@pytest.mark.parametrize(
    ("first", "second", "third", "following"),
    [
        (WAITS, WAITS, WAITS, ""),
        (RUNS, WAITS, WAITS, ""),
        (FAILED, WAITS, WAITS, ""),
        (DONE, WAITS, WAITS, "two"),
        (DONE, RUNS, WAITS, ""),
        (DONE, DONE, WAITS, "three"),
        (DONE, DONE, DONE, ""),
    ],
)
def test_the_next_begins_when_the_one_before_has_ended_well(
    first: TaskState, second: TaskState, third: TaskState, following: str
) -> None:
    subject = seen(pod("one", "two", "three"), one=first, two=second, three=third)
    assert turn(decided(subject)) == following


@pytest.mark.parametrize(("sidecar", "following"), [(WAITS, ""), (RUNS, "two"), (FAILED, "")])
def test_or_runs_as_a_sidecar(sidecar: TaskState, following: str) -> None:
    subject = seen(pod("side", "two"), status="running", side=sidecar, two=WAITS)
    assert turn(decided(subject)) == following


def test_a_turn_is_given_once_and_remembered_after_it_was() -> None:
    subject = seen(pod("one", "two"), one=DONE, two=WAITS)
    first = decided(subject)
    taken = frozenset({(AllocationId("a1"), "two")})
    assert first.actions[-2:] == (
        TakeTurn("default", job_id(UID), AllocationId("a1"), "two"),
        Remember({"turns": taken}),
    )
    assert turn(decided(replace(subject, memory=Memory(turns=taken)))) == ""


def test_one_alone_needs_no_turn() -> None:
    assert turn(decided(seen(pod("one"), one=DONE))) == ""


@pytest.mark.parametrize("status", ["unknown", "failed", "lost"])
def test_where_nothing_runs_nothing_begins(status: str) -> None:
    assert turn(decided(seen(pod("one", "two"), status=status, one=DONE, two=WAITS))) == ""


def test_turns_are_removed_when_all_is_over() -> None:
    of = pod("one", "two", policy="Never")
    subject = seen(of, status="complete", one=DONE, two=DONE)
    [placed] = subject.allocations
    over = replace(placed, task_states={**placed.task_states, "app": DONE})
    found = decided(replace(subject, allocations=(over,)))
    assert any(isinstance(action, Withdraw) for action in found.actions)


@pytest.mark.parametrize("kept", [{"turns": True}, {"logins": True, "variables": 1}])
def test_what_stands_at_the_tasks_own_paths_is_looked_for_there(kept: dict[str, Any]) -> None:
    of = pod("one", "two", policy="Never")
    subject = seen(of, status="complete", one=DONE, two=DONE)
    facts = replace(job(of), identity=replace(job(of).identity, **{"turns": False, "variables": 0, **kept}))
    [withdrawn] = withdrawal(replace(subject, job=facts))
    assert isinstance(withdrawn, Withdraw)
    assert withdrawn.layout.count == variables.THREE


def gated(*, started: bool) -> Observation:
    """A Pod whose sidecar has a startup probe, and two containers beside it."""
    probe = {"exec": {"command": ["true"]}}
    side = {"name": "side", "image": "x", "command": ["x"], "restartPolicy": "Always", "startupProbe": probe}
    spec = {
        "restartPolicy": "Always",
        "initContainers": [side],
        "containers": [{"name": name, "image": "x", "command": ["x"]} for name in ("app", "more")],
    }
    metadata = {"name": "web-1", "namespace": "shop", "uid": UID, "generation": 1}
    of = decode_pod({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}})
    health = {"side": Health(run="nomad://a1/side/0", started=started, ready=started)}
    return replace(seen(of, status="running", side=RUNS, more=WAITS), health=health)


@pytest.mark.parametrize(("started", "following"), [(False, []), (True, ["app", "more"])])
def test_all_others_begin_when_the_last_sidecar_has_started(following: list[str], *, started: bool) -> None:
    found = decided(gated(started=started))
    assert [action.task for action in found.actions if isinstance(action, TakeTurn)] == following


def test_a_job_without_turns_is_given_none() -> None:
    subject = gated(started=True)
    assert subject.job is not None
    plain = replace(subject, job=replace(subject.job, identity=replace(subject.job.identity, turns=False)))
    assert turn(decided(plain)) == ""
