"""The promises of DESIGN that `decide` can break, as conditions on steps and on what everything comes to in the end."""

from typing import Any

from tests.model.happening import CHANGES
from tests.model.observing import Scenario
from tests.model.states import NONE, NOT_SEEN, Life, World
from translators import container_id
from translators.allocation_to_status.conditions import DISRUPTION_TARGET, OWN
from vnode.pods import actions

ONE_JOB = "1 one Pod is one job"
NOTHING_LOST = "2 nothing is doubled, lost or orphaned"
LEAVES_IN_TIME = "3 a Pod leaves when its allocation is dead, not before and not later"
TRUE_STATUS = "4 status never lies"
NEVER_TWICE = "5 a Pod that runs once never runs twice"
NO_HARM = "6 an outage harms nothing"
CONVERGES = "7 every state converges"
NOT_TWICE_WRITTEN = "8 nothing is written twice"
ONLY_OURS = "10 we write only what we own"

_ORDER = {"Pending": 0, "Running": 1, "Succeeded": 2, "Failed": 2}
_TERMINAL = frozenset({"Succeeded", "Failed"})
_EXCUSES = frozenset({"client lost", "client gone", "stopped by hand", "purged by hand", "overwritten"})

#: What people and we do, which leaves to Nomad what it does.
_OF_PEOPLE = CHANGES | {"answer lost", "restarted"}

#: A promise and how it is broken.
Broken = tuple[str, str]


def of_action(life: Life, after: Life, action: Any, scenario: Scenario) -> Broken | None:
    """Whether carrying this action out breaks a promise."""
    judge = _OF_ACTIONS.get(type(action))
    return judge(life, after, action, scenario) if judge else None


def of_start(life: Life, others: tuple[Life, ...], scenario: Scenario) -> Broken | None:
    """Whether it breaks a promise that a process has just started; `life` is after the start."""
    if scenario.policy == "Never" and life.starts > 1:
        return NEVER_TWICE, f"it was started {life.starts} times"
    if "left" in life.history:
        return LEAVES_IN_TIME, "a process starts of a Pod that left the API"
    if "ended" in life.history and not _is_doubled(life, scenario):
        return TRUE_STATUS, "a process starts of a Pod that was called ended"
    if life.running > 1 and life.history <= _OF_PEOPLE:
        return ONE_JOB, "a process starts beside another one of the Pod"
    if any(other.running > other.ghosts for other in others):
        return ONE_JOB, "a process starts beside one of an earlier Pod of its name"
    return None


def of_end(life: Life, scenario: Scenario, world: World) -> Broken | None:
    """Whether a promise is broken where nothing happens any more."""
    if life.pod is None:
        return None if _may_be_away(life, world) else _without_pod(life, scenario)
    if life.pod.grace != NONE:
        return _leaving(life, scenario, world)
    status = scenario.statuses[life.pod.status]
    if status["phase"] in _TERMINAL:
        return _ended(life, scenario, world)
    if scenario.impossible:
        return CONVERGES, "it can never start, and does not fail"
    if _is_away(life, scenario, world):
        return CONVERGES, "its client is lost, and it is left there for ever"
    return _settled(life, status, scenario, world)


def _settled(life: Life, status: dict[str, Any], scenario: Scenario, world: World) -> Broken | None:
    within_reach = [each for each in life.nomad.allocations if each.task.state == "runs" and world.reaches(each)]
    if len(within_reach) != 1:
        return NOTHING_LOST, f"{len(within_reach)} processes run of a Pod that should"
    if life.pod is not None and scenario.policy == "Always" and within_reach[0].image != life.pod.image:
        return CONVERGES, "it runs the image of before"
    if status["phase"] != "Running" or _condition(status, "Ready") != "True":
        return TRUE_STATUS, f"its process runs, and it is {status['phase']}, Ready {_condition(status, 'Ready')}"
    if life.nomad.permit != NONE:
        return NEVER_TWICE, "its permit outlives its start"
    return None


def _without_pod(life: Life, scenario: Scenario) -> Broken | None:
    vnode = life.vnode
    if life.nomad.job is not None or life.running:
        return NOTHING_LOST, "the Pod is gone and its job is not"
    if life.nomad.permit != NONE:
        return NOTHING_LOST, "the Pod is gone and its permit is not"
    if vnode.memory != scenario.no_memory or vnode.seen.removal != NOT_SEEN or vnode.seen.job is not None:
        return NOTHING_LOST, "the Pod is gone and not forgotten"
    return None


def _leaving(life: Life, scenario: Scenario, world: World) -> Broken | None:
    if scenario.finalizer and life.pod is not None and life.pod.grace == 0:
        return None
    if _may_be_away(life, world):
        ready = _condition(scenario.statuses[life.pod.status], "Ready") if life.pod is not None else ""
        if ready == "True" and _is_away(life, scenario, world):
            return TRUE_STATUS, "its client is lost, and it is called Ready"
        return None
    return LEAVES_IN_TIME, "nothing of it runs, and it does not leave" if not life.running else "it is not stopped"


def _ended(life: Life, scenario: Scenario, world: World) -> Broken | None:
    undisturbed = life.history <= {"ended", "answer lost"}
    if scenario.impossible and life.nomad.job is not None and undisturbed:
        return NOTHING_LOST, "it was refused, and its job is left"
    if life.running and not _may_be_away(life, world):
        return NOTHING_LOST, "the Pod has ended and its process has not"
    if life.nomad.permit != NONE:
        return NOTHING_LOST, "the Pod has ended and its permit is left"
    return None


def _may_be_away(life: Life, world: World) -> bool:
    """Whether what counts of it is at a client that nobody reaches."""
    if world.client != "down":
        return False
    if life.nomad.job is None and life.vnode.seen.left == "a":
        return True
    return any(each.client == "a" and each.status in {"unknown", "lost"} for each in life.nomad.allocations)


def _is_away(life: Life, scenario: Scenario, world: World) -> bool:
    """Whether the allocation that counts is."""
    rows = life.nomad.allocations
    current = rows[:1] if scenario.policy == "Never" else rows[-1:]
    return world.client == "down" and any(each.client == "a" for each in current)


def _is_doubled(life: Life, scenario: Scenario) -> bool:
    """Whether Nomad itself put another allocation beside one; only a Pod that runs once is kept from that."""
    return scenario.policy != "Never" and len(life.nomad.allocations) > 1


def _is_shown(life: Life, scenario: Scenario) -> bool:
    """Whether the API shows that something of it runs, which is all that is known of what Nomad forgot."""
    status = scenario.statuses[life.pod.status] if life.pod is not None else {}
    return any("running" in each["state"] for each in status.get("containerStatuses", ()))


def _is_known(life: Life) -> bool:
    """Whether vnode knew, when it decided, of an allocation that is not known to have ended."""
    vnode = life.vnode
    return not vnode.dirty and bool(vnode.seen.lasting or vnode.seen.left)


def _register(life: Life, _: Life, __: Any, scenario: Scenario) -> Broken | None:
    if life.nomad.job is not None:
        return None
    if life.running and (_is_shown(life, scenario) or _is_known(life)):
        return ONE_JOB, "its job is registered while a process of an earlier one runs"
    if scenario.policy == "Never" and life.starts:
        return NEVER_TWICE, "its job is registered though it ran"
    if scenario.memories[life.vnode.memory].refusal is not None:
        return NOT_TWICE_WRITTEN, "a job is registered again that can never start"
    return None


def _stop(life: Life, _: Life, __: Any, scenario: Scenario) -> Broken | None:
    if life.pod is None or life.pod.grace != NONE or scenario.statuses[life.pod.status]["phase"] in _TERMINAL:
        return None
    rows = life.nomad.allocations
    if (
        "overwritten" in life.history
        or life.nomad.job is None
        or any(each.desired != "run" or each.task.failure for each in rows)
    ):
        return None
    return NOTHING_LOST, "the job of a healthy Pod is stopped"


def _purge(life: Life, _: Life, __: Any, ___: Scenario) -> Broken | None:
    if life.running > life.ghosts:
        return NOTHING_LOST, "a job is purged whose process runs"
    return None


def _delete(life: Life, _: Life, __: Any, ___: Scenario) -> Broken | None:
    if life.pod is None:
        return None
    if life.pod.grace == 0 and "left" in life.history and not {"answer lost", "restarted"} & life.history:
        return NOT_TWICE_WRITTEN, "its removal is asked for again and again"
    if life.pod.grace == NONE:
        return LEAVES_IN_TIME, "a Pod is removed that nobody deleted"
    if life.running > life.ghosts or (life.ghosts and _is_known(life)):
        return LEAVES_IN_TIME, "a Pod is removed whose process runs"
    return None


def _evict(life: Life, _: Life, __: Any, ___: Scenario) -> Broken | None:
    if not {"client lost", "client gone"} & life.history:
        return NO_HARM, "a Pod is evicted though its client was never lost"
    if "evicted" in life.history:
        return NOT_TWICE_WRITTEN, "its deletion is asked for again and again"
    return None


def _patch(life: Life, after: Life, action: actions.PatchStatus, scenario: Scenario) -> Broken | None:
    if set(action.body) != {"metadata", "status"} or set(action.body["metadata"]) != {"uid"}:
        return ONLY_OURS, "a patch writes other metadata than its precondition"
    written = {each["type"] for each in action.body["status"].get("conditions", ())}
    if not written <= OWN | {DISRUPTION_TARGET}:
        return ONLY_OURS, f"a patch writes conditions of others: {written}"
    if life.pod is None or after.pod is None:
        return None
    if life.pod.status == after.pod.status and "answer lost" not in life.history:
        return NOT_TWICE_WRITTEN, "a patch changes nothing"
    if "overwritten" in life.history:
        # A decision that was taken before may be carried out after it: the last one wins.
        return None
    old, new = scenario.statuses[life.pod.status], scenario.statuses[after.pod.status]
    return _phases(life, scenario, old, new) or _containers(life, new) or _readiness(life, old, new)


def _phases(life: Life, scenario: Scenario, old: dict[str, Any], new: dict[str, Any]) -> Broken | None:
    before, now = old["phase"], new["phase"]
    if before != now and _ORDER[now] <= _ORDER[before]:
        return TRUE_STATUS, f"the phase moves from {before} to {now}"
    return _over(life, scenario, now) if before != now and now in _TERMINAL else None


def _over(life: Life, scenario: Scenario, phase: str) -> Broken | None:
    """Whether it is called ended in vain; `phase` is terminal and new."""
    if life.running > life.ghosts and not _is_doubled(life, scenario):
        return TRUE_STATUS, f"it is called {phase} while its process runs"
    if life.ghosts and _is_shown(life, scenario):
        leaves = life.pod is not None and life.pod.grace != NONE
        promise = LEAVES_IN_TIME if leaves else TRUE_STATUS
        return promise, "it is called ended while processes of its purged job run"
    ended_well = "purged by hand" in life.history or any(each.task.code == 0 for each in life.nomad.allocations)
    if phase == "Succeeded" and not ended_well:
        return TRUE_STATUS, "it is called Succeeded, and no task ended well"
    return None


def _containers(life: Life, new: dict[str, Any]) -> Broken | None:
    for container in new.get("containerStatuses", ()):
        if "running" not in container["state"]:
            continue
        known = container_id.parse(container.get("containerID", ""))
        numbers = {f"a{each.number}": each.task.starts for each in life.nomad.allocations}
        if known is None or (life.nomad.job is not None and numbers.get(known.allocation, 1) == 0):
            return TRUE_STATUS, "a container is shown running that never started"
    return None


def _readiness(life: Life, old: dict[str, Any], new: dict[str, Any]) -> Broken | None:
    before, now = _condition(old, "Ready"), _condition(new, "Ready")
    healthy = life.running == 1 and life.starts == 1 and not (_EXCUSES & life.history) and _undisturbed(life)
    if before == "True" and now == "False" and healthy:
        return NO_HARM, "it loses Ready though it runs"
    return None


def _undisturbed(life: Life) -> bool:
    return (
        life.pod is not None
        and life.pod.grace == NONE
        and all(each.desired == "run" for each in life.nomad.allocations)
    )


def _condition(status: dict[str, Any], kind: str) -> str:
    return next((str(each["status"]) for each in status.get("conditions", ()) if each["type"] == kind), "")


_OF_ACTIONS = {
    actions.Register: _register,
    actions.Stop: _stop,
    actions.Purge: _purge,
    actions.DeletePod: _delete,
    actions.EvictPod: _evict,
    actions.PatchStatus: _patch,
}
