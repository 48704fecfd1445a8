"""What must be true of every Pod once all is calm, read from the API server, from Nomad, and from the traces."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e.manifests import Manifest
from tests.faults.workload import ONCE, PHASES, Kind, Life

_ENDED = frozenset({"complete", "failed", "lost"})
_EXIT_CODES = {Kind.SUCCEEDS: 0, Kind.FAILS: 3, Kind.ENDS: 0}


@dataclass(frozen=True, slots=True)
class Sight:
    """Both sides at one moment, and what the Pods left on the disk: by file, how many lines.

    `living` are the Pods that nobody deleted, by name; `dead` those that were.
    """

    living: Mapping[str, Life]
    dead: Sequence[Life]
    pods: Sequence[Manifest]
    jobs: Sequence[Mapping[str, Any]]
    allocations: Sequence[Mapping[str, Any]]
    traces: Mapping[str, int]


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
    names = {f"vk-{pod['metadata']['uid']}": pod["metadata"]["name"] for pod in sight.pods}
    found = Counter(job["ID"] for job in sight.jobs)
    yield from (f"job {job} is an orphan" for job in sorted(found.keys() - names.keys()))
    yield from (f"Pod {names[job]} has no job" for job in sorted(names.keys() - found.keys()))
    for job, allocations in _by_job(sight).items():
        live = [each["ID"] for each in allocations if each["ClientStatus"] not in _ENDED]
        if job not in names and live:
            yield f"allocation {live[0]} of a Pod that is gone still runs"
        if len(live) > 1:
            yield f"Pod {names.get(job, job)} runs {len(live)} times at once"


def _runs(sight: Sight) -> Iterator[str]:
    """What may run once ran once, as its own trace says; a name is never borne by two runs at once."""
    for life in sight.living.values():
        if life.kind in ONCE and sight.traces.get(life.trace, 0) != 1:
            yield f"{life.trace}, which never restarts, ran {sight.traces.get(life.trace, 0)} times"
    for life in sight.dead:
        if life.kind in ONCE and sight.traces.get(life.trace, 0) > 1:
            yield f"{life.trace}, which never restarts and was deleted, ran {sight.traces[life.trace]} times"
    if sight.traces.get("overlaps"):
        yield "two Pods of one name ran at once"


def _statuses(sight: Sight) -> Iterator[str]:
    """The status says what became of the very allocation that it names."""
    allocations = {each["ID"]: each for each in sight.allocations}
    for pod in sight.pods:
        name = pod["metadata"]["name"]
        life = sight.living.get(name)
        if life is None or str(life.generation) != pod["metadata"]["labels"]["generation"]:
            continue
        yield from (f"{life.kind} Pod {name} {problem}" for problem in _untruths(life, pod["status"], allocations))


def _untruths(life: Life, status: Manifest, allocations: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if status.get("phase") != PHASES[life.kind]:
        yield f"is {status.get('phase')} ({status.get('reason', '')}) and not {PHASES[life.kind]}"
        return
    container = status["containerStatuses"][0]
    allocation = allocations.get(container.get("containerID", "").removeprefix("nomad://").partition("/")[0])
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
    elif container["restartCount"]:
        yield f"was restarted {container['restartCount']} times"


def _by_job(sight: Sight) -> Mapping[str, list[Mapping[str, Any]]]:
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for allocation in sight.allocations:
        found[allocation["JobID"]].append(allocation)
    return found
