"""Seeds of faults between vnode and the real servers; scripts/soak tries hundreds."""

from collections.abc import Iterator

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.conftest import Namespaces
from tests.faults.soak import Trial, soak, trial

#: What a seed takes two minutes for, and what it takes half of one for.
_MANY, _LONG = 200, 30.0
_FEW, _SHORT = 40, 10.0


@pytest.fixture(scope="module")
def at(bed: Bed) -> Iterator[Trial]:
    with trial(bed) as found:
        yield found


@pytest.mark.timeout(600, func_only=True)
@pytest.mark.parametrize(
    ("seed", "pods", "seconds"), [(1, _FEW, _SHORT), (2, _MANY, _LONG), *((seed, _FEW, _SHORT) for seed in (3, 4, 5))]
)
def test_every_promise_holds_after_a_soak_in_faults(
    at: Trial, namespaces: Namespaces, seed: int, pods: int, seconds: float
) -> None:
    with namespaces() as namespace:
        print(soak(at, namespace, seed, pods=pods, seconds=seconds))
