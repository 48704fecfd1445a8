"""Seeds of faults between vnode and the real servers; scripts/soak tries hundreds."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.conftest import Namespaces
from tests.e2e.namespace import Namespace
from tests.faults.soak import Trial, soak, trial

#: What a seed takes two minutes for, and what it takes half of one for.
_MANY, _LONG = 200, 30.0
_FEW, _SHORT = 40, 10.0
#: In its first seconds Nomad loses its data, etcd is killed, and the API server with vnode.
_LOSING = 4

pytestmark = pytest.mark.timeout(600, func_only=True)


@pytest.fixture(scope="module")
def at(bed: Bed) -> Iterator[Trial]:
    with trial(bed) as found:
        yield found


@pytest.fixture
def own() -> Iterator[Bed]:
    """A bed for this alone: what its servers forget, others need."""
    directory = Path(tempfile.mkdtemp(prefix="hashinetes-soak-"))
    with Bed.start(directory) as running:
        yield running
    shutil.rmtree(directory)


@pytest.mark.parametrize(
    ("seed", "pods", "seconds"), [(1, _FEW, _SHORT), (2, _MANY, _LONG), *((seed, _FEW, _SHORT) for seed in (3, 5))]
)
def test_every_promise_holds_after_a_soak_in_faults(
    at: Trial, namespaces: Namespaces, seed: int, pods: int, seconds: float
) -> None:
    with namespaces() as namespace:
        print(soak(at, namespace, seed, pods=pods, seconds=seconds))


def test_every_promise_holds_after_a_soak_in_which_nomad_loses_its_data(own: Bed) -> None:
    with trial(own) as found, Namespace.created(own, "scene-soak-losses") as namespace:
        print(soak(found, namespace, _LOSING, pods=_FEW, seconds=_SHORT, losses=True))
