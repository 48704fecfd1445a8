"""vnode dies at the worst moments, and nobody but the Lease notices."""

from collections.abc import Iterator

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.conftest import Namespaces
from tests.faults.kills import kill_often
from tests.faults.soak import Trial, trial

_SEED = 1
_KILLS = 104


@pytest.fixture(scope="module")
def at(bed: Bed) -> Iterator[Trial]:
    with trial(bed, "mortal") as found:
        yield found


@pytest.mark.timeout(900, func_only=True)
def test_over_a_hundred_kills_lose_nothing_double_nothing_and_leave_nothing(at: Trial, namespaces: Namespaces) -> None:
    with namespaces() as namespace:
        last = kill_often(at, namespace, _SEED, kills=_KILLS)
    print(f"{_KILLS} kills; at failpoints: {dict(last)}")
    between_two_writes = sum(count for route, count in last.items() if route)
    assert between_two_writes >= 20
    assert len(last) > 4
