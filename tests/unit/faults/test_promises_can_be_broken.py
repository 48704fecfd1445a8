from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.faults.promises import Sight, broken
from tests.faults.workload import ONCE, PHASES, Kind, Life, lives, reborn

RUNNING = {"running": {"startedAt": "2026-01-01T12:00:00Z"}}
ENDED = {"terminated": {"exitCode": 0}}


def pod(life: Life, phase: str, state: dict[str, Any], *, restarts: int = 0, ready: str = "True") -> dict[str, Any]:
    identity = f"nomad://a-{life.name}/main/0"
    return {
        "metadata": {"name": life.name, "uid": life.name, "labels": {"generation": str(life.generation)}},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"containerID": identity, "state": state, "restartCount": restarts}],
        },
    }


def job(name: str) -> dict[str, str]:
    return {"ID": f"vk-{name}"}


def allocation(name: str, status: str, identity: str = "") -> dict[str, str]:
    return {"ID": identity or f"a-{name}", "JobID": f"vk-{name}", "ClientStatus": status}


LOCKS = Life("locks", 1, Kind.LOCKS, 0)
SERVES = Life("serves", 1, Kind.SERVES, 0)
ONE_OFF = Life("once", 2, Kind.SUCCEEDS, 0)
DEAD = Life("once", 1, Kind.SUCCEEDS, 0)
KEPT = Sight(
    living={"serves": SERVES, "once": ONE_OFF},
    dead=[DEAD],
    pods=[pod(SERVES, "Running", RUNNING), pod(ONE_OFF, "Succeeded", ENDED)],
    jobs=[job("serves"), job("once")],
    allocations=[allocation("serves", "running"), allocation("once", "complete"), allocation("gone", "complete")],
    traces={"once.2": 1},
)


def test_when_all_is_well_nothing_is_broken() -> None:
    assert broken(KEPT) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (lambda at: replace(at, pods=at.pods[:1]), "Pod once of generation 2 is missing"),
        (lambda at: replace(at, pods=[*at.pods, pod(DEAD, "Running", RUNNING)]), "generation 1 has not left"),
        (lambda at: replace(at, jobs=[*at.jobs, job("gone")]), "job vk-gone is an orphan"),
        (lambda at: replace(at, jobs=at.jobs[:1]), "Pod once has no job"),
        (
            lambda at: replace(at, allocations=[*at.allocations, allocation("gone", "running", "a2")]),
            "allocation a2 of a Pod that is gone still runs",
        ),
        (
            lambda at: replace(at, allocations=[*at.allocations, allocation("serves", "pending", "a2")]),
            "Pod serves runs 2 times at once",
        ),
        (lambda at: replace(at, traces={"once.2": 2}), "once.2, which never restarts, ran 2 times"),
        (lambda at: replace(at, traces={}), "once.2, which never restarts, ran 0 times"),
        (lambda at: replace(at, traces={"once.2": 1, "once.1": 2}), "once.1, which never restarts and was deleted"),
        (lambda at: replace(at, overlaps=frozenset({"once"})), "two Pods of the name once ran at once"),
        (lambda at: with_pod(at, pod(SERVES, "Failed", ENDED)), "serves Pod serves is Failed"),
        (lambda at: with_pod(at, pod(SERVES, "Running", ENDED)), "is in state"),
        (lambda at: with_pod(at, pod(SERVES, "Running", RUNNING, ready="False")), "runs and is not Ready"),
        (lambda at: with_pod(at, pod(SERVES, "Running", RUNNING, restarts=1)), "was restarted 1 times"),
        (lambda at: replace(at, allocations=at.allocations[1:]), "which Nomad does not know"),
        (lambda at: with_pod(at, pod(ONE_OFF, "Succeeded", {"terminated": {"exitCode": 137}})), "ended with"),
    ],
)
def test_each_promise_can_be_seen_broken(changed: Callable[[Sight], Sight], says: str) -> None:
    assert any(says in problem for problem in broken(changed(KEPT)))


def with_pod(at: Sight, other: dict[str, Any]) -> Sight:
    name = other["metadata"]["name"]
    return replace(at, pods=[other if each["metadata"]["name"] == name else each for each in at.pods])


def test_a_seed_makes_the_same_pods_of_every_kind() -> None:
    made = lives(Random(5), 200)
    assert made == lives(Random(5), 200)
    assert {life.kind for life in made.values()} == set(Kind) == set(PHASES)
    assert set(PHASES) > ONCE


def test_who_bears_the_name_of_a_lock_holds_the_lock() -> None:
    again = reborn(Random(1), Life("a", 3, Kind.LOCKS, 0))
    assert (again.name, again.generation, again.kind) == ("a", 4, Kind.LOCKS)


LOST = pod(ONE_OFF, "Failed", {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}})


def having_forgotten(at: Sight) -> Sight:
    """Nomad came back without its data, and knows the job and the allocation of what runs anew."""
    return replace(
        at,
        jobs=[job("serves")],
        allocations=[allocation("serves", "running")],
        forgotten=frozenset({"vk-serves", "vk-once"}),
        losses=1,
    )


@pytest.mark.parametrize(
    "changed",
    [
        lambda at: at,
        lambda at: with_pod(at, pod(SERVES, "Running", RUNNING, restarts=1)),
        lambda at: with_pod(at, LOST),
        lambda at: replace(with_pod(at, LOST), traces={}),
    ],
)
def test_what_nomad_has_forgotten_may_be_called_lost_and_what_runs_always_ran_again(
    changed: Callable[[Sight], Sight],
) -> None:
    assert broken(having_forgotten(changed(KEPT))) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (lambda at: replace(with_pod(at, LOST), traces={"once.2": 2}), "once.2, which never restarts, ran 2 times"),
        (lambda at: replace(at, traces={}), "once.2, which never restarts, ran 0 times"),
        (lambda at: replace(at, jobs=[]), "Pod serves has no job"),
        (lambda at: replace(at, jobs=[*at.jobs, job("gone")]), "job vk-gone is an orphan"),
        (lambda at: with_pod(at, pod(SERVES, "Running", RUNNING, restarts=2)), "was restarted 2 times"),
        (lambda at: replace(at, forgotten=frozenset({"vk-serves"})), "Pod once has no job"),
        (lambda at: replace(at, allocations=[]), "which Nomad does not know"),
        (lambda at: with_pod(at, pod(SERVES, "Failed", LOST["status"]["containerStatuses"][0]["state"])), "is Failed"),
    ],
)
def test_what_nomad_has_forgotten_is_promised_all_the_same(changed: Callable[[Sight], Sight], says: str) -> None:
    assert any(says in problem for problem in broken(changed(having_forgotten(KEPT))))


def test_of_what_nobody_remembers_no_run_is_promised_to_be_the_only() -> None:
    at = replace(having_forgotten(KEPT), overlaps=frozenset({"once"}), traces={"once.2": 2, "once.1": 2})
    assert len(broken(at)) == 3
    assert broken(replace(at, doubtful=frozenset({"once"}))) == []
    assert broken(replace(at, doubtful=frozenset({"once"}), traces={})) != []


def test_a_process_runs_where_a_pod_says_so_and_nowhere_else() -> None:
    name = "locks"
    at = replace(
        KEPT,
        living={**KEPT.living, name: LOCKS},
        pods=[*KEPT.pods, pod(LOCKS, "Running", RUNNING)],
        jobs=[*KEPT.jobs, job(name)],
        allocations=[*KEPT.allocations, allocation(name, "running")],
        held=frozenset({name}),
    )
    assert broken(at) == []
    assert broken(replace(at, held=frozenset())) == ["Pod locks holds no lock: no process of it runs"]
    assert broken(replace(at, held=frozenset({name, "once"}))) == ["a process of Pod once, which is gone, runs on"]
