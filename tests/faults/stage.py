"""A namespace with a workload in it: what is done to its Pods, and what is seen of them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.manifests import Manifest
from tests.e2e.namespace import Namespace
from tests.faults.locks import held
from tests.faults.promises import Sight, broken
from tests.faults.workload import OVERLAPS, Life, manifest, reborn

_LOOK_SECONDS = 0.5
#: Grace periods that Pods are deleted with; 0 is by force, and the object is gone at once.
_GRACES = (None, None, 1, 0)


class Stage:
    """The Pods of one run. What the tasks append to lies in `traces`."""

    def __init__(self, bed: Bed, namespace: Namespace, node: str, dice: Random, traces: Path) -> None:
        """A folder for the traces is made."""
        self.namespace = namespace
        self.living: dict[str, Life] = {}
        self.dead: list[Life] = []
        self._bed = bed
        self._node = node
        self._dice = dice
        self._traces = traces
        #: Every job that there may ever have been.
        self._jobs: set[str] = set()
        self._forgotten: frozenset[str] = frozenset()
        #: Names of which one was deleted by force, so that the API remembers no run of it.
        self._forced: set[str] = set()
        #: Names of which it was told nobody that one had started, when Nomad lost its data: vnode alone knows.
        self._untold: frozenset[str] = frozenset()
        self._doubtful: frozenset[str] = frozenset()
        self._losses = 0
        traces.mkdir()
        # Tasks of other users write there.
        traces.chmod(0o777)

    @property
    def created(self) -> int:
        """How many Pods there were in all."""
        return len(self.living) + len(self.dead)

    def create(self, life: Life) -> bool:
        """Create a Pod; False while one that is being deleted still bears its name."""
        try:
            path = f"/api/v1/namespaces/{self.namespace.name}/pods"
            made = self._bed.control_plane.api(path, "POST", manifest(life, self._node, self._traces))
        except BedError as problem:
            if "AlreadyExists" in str(problem):
                return False
            raise
        self.living[life.name] = life
        self._jobs.add(f"vk-{made['metadata']['uid']}")
        return True

    def delete_some(self, share: float) -> list[Life]:
        """Delete a share of the Pods, each with a grace period of the dice; gives what is to come after them."""
        chosen = [life for life in self.living.values() if self._dice.random() < share]
        for life in chosen:
            grace = self._dice.choice(_GRACES)
            self.namespace.delete(life.name, grace=grace)
            if grace == 0:
                self._forced.add(life.name)
            self.dead.append(self.living.pop(life.name))
        return [reborn(self._dice, life) for life in chosen]

    def forget(self, *, answers: bool, known: bool) -> None:
        """Nomad has lost every job that there was.

        Whether the API server answers what it was told by then, and whether vnode knew the rest.
        """
        self._forgotten = frozenset(self._jobs)
        self._losses += 1
        self._doubtful |= self._forced
        told = {pod["metadata"]["name"] for pod in self.namespace.pods() if _is_told(pod)} if answers else set()
        self._untold = frozenset({life.name for life in (*self.living.values(), *self.dead)} - told)
        if not known:
            self.doubt()

    def doubt(self) -> None:
        """What vnode alone knew is known to nobody any more, for it was killed before what runs was found again."""
        self._doubtful |= self._untold

    def sight(self) -> Sight:
        """Both sides now."""
        allocations = self._bed.nomad.api("/v1/allocations?namespace=*")
        return Sight(
            living=self.living,
            dead=self.dead,
            pods=self.namespace.pods(),
            jobs=self.namespace.nomad_jobs(),
            allocations=[each for each in allocations if each["JobID"] in self._jobs],
            forgotten=self._forgotten,
            losses=self._losses,
            doubtful=self._doubtful,
            overlaps=frozenset(self._overlaps()),
            held=frozenset(file.stem for file in held(self._traces.glob("*.lock"))),
            traces={file.name: len(file.read_text().splitlines()) for file in self._traces.iterdir()},
        )

    def _overlaps(self) -> Iterator[str]:
        told = self._traces / OVERLAPS
        if told.exists():
            yield from (line.partition(".")[0] for line in told.read_text().splitlines())

    def settle(self, within: float, still: Callable[[], object]) -> None:
        """Wait until every promise holds; `still` raises when waiting is in vain."""
        deadline = time.monotonic() + within
        while problems := broken(self.sight()):
            still()
            if time.monotonic() > deadline:
                raise BedError(f"after {within:g} s of calm:\n" + "\n".join(problems))
            time.sleep(_LOOK_SECONDS)


def _is_told(pod: Manifest) -> bool:
    return any(each.get("containerID") for each in pod["status"].get("containerStatuses", ()))
