"""What must be true of every Pod once all is calm, read from the API server, from Nomad, and from the traces."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e.manifests import Manifest
from tests.faults.workload import ONCE, PHASES, Kind, Life

_ENDED = frozenset({"complete", "failed", "lost"})
_OVER = frozenset({"Succeeded", "Failed"})
#: What ended before Nomad forgot of it.
_FORGOTTEN = {"ClientStatus": "complete"}
_EXIT_CODES = {Kind.SUCCEEDS: 0, Kind.FAILS: 3, Kind.ENDS: 0}


@dataclass(frozen=True, slots=True)
class Sight:
    """Both sides at one moment, and what the Pods left on the disk: by file, how many lines.

    `living` are the Pods that nobody deleted, by name; `dead` those that were. `held` are the names whose lock some
    process holds, `overlaps` those that found it held when they began. `forgotten` are the jobs that there were, or
    might have been, when Nomad lost its data for the last of `losses` times. `doubtful` are the names of which one may
    have run then that neither Kubernetes nor Nomad nor vnode remembers: of those no run is promised to be the only one.
    """

    living: Mapping[str, Life]
    dead: Sequence[Life]
    pods: Sequence[Manifest]
    jobs: Sequence[Mapping[str, Any]]
    allocations: Sequence[Mapping[str, Any]]
    traces: Mapping[str, int]
    held: frozenset[str] = frozenset()
    overlaps: frozenset[str] = frozenset()
    forgotten: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()
    losses: int = 0

    def losses_of(self, pod: Manifest) -> int:
        """How often a Pod's job may have been lost."""
        return self.losses if _job_of(pod) in self.forgotten else 0


def broken(sight: Sight) -> list[str]:
    """Every promise that does not hold, as a sentence."""
    return [*_objects(sight), *_jobs(sight), *_runs(sight), *_statuses(sight)]


def _objects(sight: Sight) -> Iterator[str]:
    """A Pod object is there as long as nobody deleted it, and no longer than its tasks after that."""
    found = {(pod["metadata"]["name"], pod["metadata"]["labels"]["generation"]) for pod in sight.pods}
    wanted = {(life.name, str(life.generation)) for life in sight.living.values()}
    yield from (f"Pod {name} of generation {number} is missing" for name, number in sorted(wanted - found))
    yield from (f"Pod {name} of generation {number} has not left" for name, number in sorted(found - wanted))


def _jobs(sight: Sight) -> Iterator[str]:
    """One Pod is one job; a job without its Pod is an orphan."""
    names = {_job_of(pod): pod["metadata"]["name"] for pod in sight.pods}
    # Of a Pod that has ended nobody needs the job that was lost.
    over = {_job_of(pod) for pod in sight.pods if sight.losses_of(pod) and pod["status"].get("phase") in _OVER}
    found = Counter(job["ID"] for job in sight.jobs)
    yield from (f"job {job} is an orphan" for job in sorted(found.keys() - names.keys()))
    yield from (f"Pod {names[job]} has no job" for job in sorted(names.keys() - found.keys() - over))
    for job, allocations in _by_job(sight).items():
        live = [each["ID"] for each in allocations if each["ClientStatus"] not in _ENDED]
        if job not in names and live:
            yield f"allocation {live[0]} of a Pod that is gone still runs"
        if len(live) > 1:
            yield f"Pod {names.get(job, job)} runs {len(live)} times at once"


def _runs(sight: Sight) -> Iterator[str]:
    """What may run once ran once, as its own trace says; a name is never borne by two runs at once.

    Only what is called lost may not have run at all.
    """
    lost = {pod["metadata"]["name"] for pod in sight.pods if sight.losses_of(pod) and _is_called_lost(pod["status"])}
    for life in sight.living.values():
        ran = sight.traces.get(life.trace, 0)
        if life.kind in ONCE and ran != 1 and (life.name not in sight.doubtful if ran else life.name not in lost):
            yield f"{life.trace}, which never restarts, ran {ran} times"
    for life in sight.dead:
        if life.kind in ONCE and sight.traces.get(life.trace, 0) > 1 and life.name not in sight.doubtful:
            yield f"{life.trace}, which never restarts and was deleted, ran {sight.traces[life.trace]} times"
    yield from (f"two Pods of the name {name} ran at once" for name in sorted(sight.overlaps - sight.doubtful))
    locking = {life.name for life in sight.living.values() if life.kind is Kind.LOCKS}
    yield from (
        f"Pod {name} holds no lock: no process of it runs" for name in sorted(locking - sight.held - sight.doubtful)
    )
    yield from (f"a process of Pod {name}, which is gone, runs on" for name in sorted(sight.held - locking))


def _statuses(sight: Sight) -> Iterator[str]:
    """The status says what became of the very allocation that it names."""
    allocations = {each["ID"]: each for each in sight.allocations}
    for pod in sight.pods:
        name = pod["metadata"]["name"]
        life = sight.living.get(name)
        if life is None or str(life.generation) != pod["metadata"]["labels"]["generation"]:
            continue
        yield from (
            f"{life.kind} Pod {name} {problem}"
            for problem in _untruths(life, pod["status"], allocations, sight.losses_of(pod))
        )


def _untruths(life: Life, status: Manifest, allocations: Mapping[str, Mapping[str, Any]], losses: int) -> Iterator[str]:
    if losses and life.kind in _EXIT_CODES and _is_called_lost(status):
        return
    if status.get("phase") != PHASES[life.kind]:
        yield f"is {status.get('phase')} ({status.get('reason', '')}) and not {PHASES[life.kind]}"
        return
    container = status["containerStatuses"][0]
    allocation = allocations.get(container.get("containerID", "").removeprefix("nomad://").partition("/")[0])
    if allocation is None and losses and life.kind in _EXIT_CODES:
        allocation = _FORGOTTEN
    if allocation is None:
        yield f"names {container.get('containerID')}, which Nomad does not know"
        return
    if life.kind in _EXIT_CODES:
        ended = container["state"].get("terminated", {})
        if ended.get("exitCode") != _EXIT_CODES[life.kind] or allocation["ClientStatus"] not in _ENDED:
            yield f"ended with {ended}, its allocation is {allocation['ClientStatus']}"
    elif "running" not in container["state"] or allocation["ClientStatus"] != "running":
        yield f"is in state {container['state']}, its allocation is {allocation['ClientStatus']}"
    elif not any(each["type"] == "Ready" and each["status"] == "True" for each in status["conditions"]):
        yield "runs and is not Ready"
    elif container["restartCount"] > losses:
        yield f"was restarted {container['restartCount']} times"


def _is_called_lost(status: Manifest) -> bool:
    """Whether it ran, or may have, and nobody can tell how it ended."""
    ended = [each.get("state", {}).get("terminated", {}) for each in status.get("containerStatuses", ())]
    return status.get("phase") == "Failed" and [each.get("reason") for each in ended] == ["ContainerStatusUnknown"]


def _job_of(pod: Manifest) -> str:
    return f"vk-{pod['metadata']['uid']}"


def _by_job(sight: Sight) -> Mapping[str, list[Mapping[str, Any]]]:
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for allocation in sight.allocations:
        found[allocation["JobID"]].append(allocation)
    return found
