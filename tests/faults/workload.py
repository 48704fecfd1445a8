"""Pods with short lives that leave traces, so that it can be told afterwards what really ran."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from tests.e2e.manifests import Manifest, container, pod, settings

_MOCK = "mock_driver"
#: Where a Pod says that another one of its name held the lock when it began.
OVERLAPS = "overlaps"


class Kind(StrEnum):
    """What a Pod does."""

    #: Appends to its file, once, and succeeds.
    SUCCEEDS = "succeeds"
    #: Appends to its file, once, and fails with 3.
    FAILS = "fails"
    #: Holds the lock of its name for as long as it runs, and says so when somebody else holds it.
    LOCKS = "locks"
    #: Runs for ever, and costs nothing.
    SERVES = "serves"
    #: Ends by itself, and costs nothing.
    ENDS = "ends"


ONCE = frozenset({Kind.SUCCEEDS, Kind.FAILS})
#: The phase that each comes to.
PHASES = {
    Kind.SUCCEEDS: "Succeeded",
    Kind.FAILS: "Failed",
    Kind.LOCKS: "Running",
    Kind.SERVES: "Running",
    Kind.ENDS: "Succeeded",
}
_WEIGHTS = {Kind.SUCCEEDS: 4, Kind.FAILS: 2, Kind.LOCKS: 2, Kind.SERVES: 8, Kind.ENDS: 4}


@dataclass(frozen=True, slots=True)
class Life:
    """One Pod object: of those that bear one name, the `generation`-th."""

    name: str
    generation: int
    kind: Kind
    seconds: float

    @property
    def trace(self) -> str:
        """The file that it appends to."""
        return f"{self.name}.{self.generation}"


def lives(dice: Random, names: int) -> "dict[str, Life]":
    """The first generation."""
    return {name: _life(dice, name, 1) for name in (f"soak-{number:03}" for number in range(names))}


def reborn(dice: Random, life: Life) -> Life:
    """Another Pod of the same name, and of the same kind where that is about names."""
    kind = life.kind if life.kind is Kind.LOCKS else None
    return _life(dice, life.name, life.generation + 1, kind)


def _life(dice: Random, name: str, generation: int, kind: Kind | None = None) -> Life:
    chosen = kind or dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    return Life(name, generation, chosen, dice.uniform(0.0, 3.0))


def manifest(life: Life, node: str, traces: Path) -> Manifest:
    """The Pod, bound straight to the Node: the scheduler's time is not ours."""
    once = "Never" if life.kind in {*ONCE, Kind.ENDS} else "Always"
    if life.kind in {Kind.SERVES, Kind.ENDS}:
        seconds = "6h" if life.kind is Kind.SERVES else f"{life.seconds:.1f}s"
        annotations = settings(_MOCK, task_config=json.dumps({"run_for": seconds}))
        found = pod(life.name, container(), driver=_MOCK, restart=once, nodeName=node)
    else:
        annotations = settings("raw_exec")
        found = pod(life.name, _script(life, traces), restart=once, nodeName=node)
    found["metadata"]["annotations"] = annotations
    found["metadata"]["labels"] = {"generation": str(life.generation)}
    del found["spec"]["nodeSelector"]
    found["spec"]["terminationGracePeriodSeconds"] = 2
    return found


def _script(life: Life, traces: Path) -> str:
    if life.kind is Kind.LOCKS:
        lock, overlaps = traces / f"{life.name}.lock", traces / OVERLAPS
        return f"exec 9>>{lock}; flock -n 9 || echo {life.trace} >> {overlaps}; exec sleep 3600"
    code = 3 if life.kind is Kind.FAILS else 0
    return f"echo ran >> {traces / life.trace}; sleep {life.seconds:.1f}; exit {code}"
