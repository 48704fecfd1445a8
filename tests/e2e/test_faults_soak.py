"""Seeds of faults between vnode and the real servers; scripts/soak tries hundreds."""

from collections.abc import Iterator

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.conftest import Namespaces
from tests.faults.soak import Trial, soak, trial

_PODS = 40
_SECONDS = 10.0


@pytest.fixture(scope="module")
def at(bed: Bed) -> Iterator[Trial]:
    with trial(bed) as found:
        yield found


@pytest.mark.timeout(600, func_only=True)
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_every_promise_holds_after_a_soak_in_faults(at: Trial, namespaces: Namespaces, seed: int) -> None:
    with namespaces() as namespace:
        print(soak(at, namespace, seed, pods=_PODS, seconds=_SECONDS))
