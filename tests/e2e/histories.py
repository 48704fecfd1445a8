"""The history of a Pod: all statuses that were published of it, as the order of what they say.

A status is level-triggered. Whoever publishes it may lack what passes between two looks, and a kubelet looks once a
second: so two true histories of one life may differ by what one of them did not see. What later statuses themselves
tell of is therefore put where it must have been: a run that has ended had begun, one that is probed begins unready and
has started up before it is ready, a Pod whose containers have all run was Running. What nothing tells of is not made
up.

ContainersReady and Ready have no order of their own: that they say what the containers are is a law of every single
status (`contradictions`), and whether one was written while short-lived containers were all ready is luck.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.e2e.comparison import RESTARTS, state_of
from tests.e2e.manifests import Manifest

#: Nothing has been done yet, which is what a status that is not there says, too.
_NOTHING_YET = ({"waiting": {"reason": "ContainerCreating"}}, {"waiting": {"reason": "PodInitializing"}})
_ORDER = ("Pending", "Running", "Succeeded", "Failed")
_ENDS = ("Succeeded", "Failed")
_CONDITIONS = frozenset({"PodReadyToStartContainers", "Initialized", "PodScheduled"})
_SANDBOX = "PodReadyToStartContainers"


def history(versions: Sequence[Manifest], *, apart_from: frozenset[str]) -> dict[str, Any]:
    """The order of phases, of each container's states and of each condition's values.

    `apart_from` are reasons of waiting containers and types of conditions that are left out. With `RESTARTS` it is
    told what a container went through, and not how often.
    """
    pod = versions[-1]
    statuses = [each["status"] for each in versions]
    lives = {each["name"]: _Life(pod, each, apart_from).of(statuses) for each in _containers(pod["spec"])}
    begun = any(lives.values())
    ran = all(any("running" in each for each in lives[main["name"]]) for main in pod["spec"]["containers"])
    return {
        "phases": _once(_phases([str(each.get("phase")) for each in statuses], ran=ran)),
        "containers": lives,
        "conditions": {kind: _once(_values(statuses, kind, begun=begun)) for kind in sorted(_CONDITIONS - apart_from)},
        "graces": _once(map(str, filter(None, map(_grace, versions)))),
    }


def _grace(version: Manifest) -> int | None:
    """The seconds of a deletion; the last request, of the node itself, leaves none."""
    grace: int | None = version["metadata"].get("deletionGracePeriodSeconds")
    return grace


class _Life:
    """The states of one container, in order."""

    def __init__(self, pod: Manifest, container: Manifest, apart_from: frozenset[str]) -> None:
        self._name = str(container["name"])
        self._pod = str(pod["metadata"]["name"])
        self._init = container in pod["spec"].get("initContainers", ()) and "restartPolicy" not in container
        self._starts_up = "startupProbe" in container
        self._gets_ready = self._starts_up or "readinessProbe" in container
        self._apart_from = apart_from
        self._told: list[str] = []
        self._begun: set[str] = set()
        self._ended: set[str] = set()

    def of(self, statuses: Iterable[Manifest]) -> list[str]:
        for status in statuses:
            found = _status_of(status, self._name)
            if found is not None:
                self._before(found)
                self._now(found)
        if RESTARTS in self._apart_from:
            return list(dict.fromkeys(each.partition(": ")[2] for each in self._told))
        return _once(self._told)

    def _before(self, found: Manifest) -> None:
        """The run before, as far as it was not seen to end."""
        last = found.get("lastState", {}).get("terminated")
        if last is None or last.get("containerID", "") in self._ended:
            return
        own = found.get("containerID") == last.get("containerID")
        self._end(last, found["restartCount"] - (0 if own else 1))

    def _now(self, found: Manifest) -> None:
        state = found.get("state", {})
        restarts = found["restartCount"]
        if ended := state.get("terminated"):
            self._end(ended, restarts)
        elif "running" in state:
            self._begin(str(found.get("containerID", "")), restarts)
            self._run(restarts, started=bool(found.get("started")), ready=found["ready"])
        elif not (self._told == [] and state in _NOTHING_YET):
            seen = state_of(state, self._pod)
            if seen.get("waiting", {}).get("reason") not in self._apart_from:
                self._told.append(_text(restarts, seen))

    def _run(self, restarts: int, *, started: bool, ready: bool) -> None:
        if ready and self._told[-1:] == [_running(restarts, started=False, ready=False)]:
            self._told.append(_running(restarts, started=True, ready=False))
        self._told.append(_running(restarts, started=started, ready=ready))

    def _begin(self, run: str, restarts: int) -> None:
        if run and run not in self._begun:
            self._begun.add(run)
            ready = not (self._gets_ready or self._init)
            self._told.append(_running(restarts, started=not self._starts_up, ready=ready))

    def _end(self, ended: Manifest, restarts: int) -> None:
        run = str(ended.get("containerID", ""))
        if _has_run(ended):
            self._begin(run, restarts)
        self._ended.add(run)
        self._told.append(_text(restarts, state_of({"terminated": ended}, self._pod)))


def _running(restarts: int, *, started: bool, ready: bool) -> str:
    return f"{restarts}: running{', started' if started else ''}{', ready' if ready else ''}"


def _text(restarts: int, state: Manifest) -> str:
    return f"{restarts}: {state}"


def _has_run(ended: Manifest) -> bool:
    """Whether a container that ended had begun; one that cannot be created has no time of its own."""
    return bool(ended.get("containerID")) and not str(ended.get("startedAt", "1970")).startswith("1970")


def _phases(seen: Sequence[str], *, ran: bool) -> Iterator[str]:
    before = ""
    for phase in seen:
        if ran and phase in _ENDS and before not in _ENDS:
            yield "Running"
        yield phase
        before = phase


def _values(statuses: Sequence[Manifest], kind: str, *, begun: bool) -> Iterator[str]:
    """What a condition said; there was a sandbox before a container began, and none at first."""
    told = [
        " ".join(filter(None, (each["status"], each.get("reason", ""))))
        for status in statuses
        for each in status.get("conditions", ())
        if each["type"] == kind
    ]
    if kind == _SANDBOX:
        yield "False"
    if kind == _SANDBOX and begun and "True" not in told:
        yield "True"
    yield from told


def contradictions(versions: Iterable[Manifest]) -> list[str]:
    """What one status says against itself, or against the one before; a true history has none."""
    found: list[str] = []
    before: Manifest = {}
    for version in versions:
        status = version["status"]
        wrong = (*_against_itself(version["spec"], status), *_against_the_past(version["spec"], before, status))
        found += [f"version {version['metadata']['resourceVersion']}: {each}" for each in wrong]
        before = status
    return found


def _against_itself(spec: Manifest, status: Manifest) -> Iterator[str]:
    conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
    lasting = [each["name"] for each in _containers(spec) if _lasts(spec, each)]
    known = {name: _status_of(status, name) or {} for name in lasting}
    ready = status.get("phase") == "Running" and all(each.get("ready") for each in known.values())
    if conditions.get("ContainersReady", "False") != str(ready):
        yield f"ContainersReady is {conditions.get('ContainersReady')} and its containers are {known}"
    if conditions.get("Ready") == "True" != conditions.get("ContainersReady"):
        yield "it is Ready without its containers"
    for name, each in known.items():
        if each.get("ready") and "running" not in each["state"]:
            yield f"{name} is ready and does not run"
    if status.get("phase") in _ENDS and any("running" in each.get("state", {}) for each in known.values()):
        yield "it has ended and runs"


def _against_the_past(spec: Manifest, before: Manifest, status: Manifest) -> Iterator[str]:
    old, new = before.get("phase", "Pending"), status.get("phase", "Pending")
    if old != new and (old in _ENDS or _ORDER.index(new) < _ORDER.index(old)):
        yield f"its phase went from {old} to {new}"
    if before.get("startTime") not in {None, status.get("startTime")}:
        yield "it began at another time"
    for container in _containers(spec):
        name = container["name"]
        was, now = _status_of(before, name), _status_of(status, name)
        if was is None:
            continue
        if now is None or now["restartCount"] < was["restartCount"]:
            yield f"{name} was restarted {was['restartCount']} times, and then {now and now['restartCount']}"
        elif "terminated" in was["state"] and "terminated" not in now["state"] and not _restarts(spec, container, was):
            yield f"{name} had ended for good"


def _restarts(spec: Manifest, container: Manifest, status: Manifest) -> bool:
    policy = container.get("restartPolicy", spec["restartPolicy"])
    return policy == "Always" or (policy == "OnFailure" and status["state"]["terminated"]["exitCode"] != 0)


def _lasts(spec: Manifest, container: Manifest) -> bool:
    return container in spec["containers"] or container.get("restartPolicy") == "Always"


def _containers(spec: Manifest) -> list[Manifest]:
    return [*spec.get("initContainers", ()), *spec["containers"]]


def _status_of(status: Manifest, name: str) -> Manifest | None:
    listed = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    return next((each for each in listed if each["name"] == name), None)


def _once(told: Iterable[str]) -> list[str]:
    """Without what is said again at once."""
    kept: list[str] = []
    for each in told:
        if kept[-1:] != [each]:
            kept.append(each)
    return kept
