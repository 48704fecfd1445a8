import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnode.kubelet.stats.cpu_counter import LEAST_SECONDS, CpuCounter, begun

SECOND = 10**9


def test_a_steady_load_is_counted_exactly() -> None:
    counter = begun(0.25, 0, None)
    for at in (15, 31, 44):
        counter = counter.advanced(0.25, at * SECOND)
    assert counter.seconds == pytest.approx(LEAST_SECONDS + 0.25 * 44)


def test_a_load_that_changes_counts_with_the_mean_of_both_looks() -> None:
    counter = begun(0.0, 0, None).advanced(1.0, 10 * SECOND)
    assert counter == CpuCounter(LEAST_SECONDS + 5.0, 1.0, 10 * SECOND)


@pytest.mark.parametrize(
    ("age", "counted"),
    [(12, 6.0), (60, 30.0), (61, 0.0), (86_400, 0.0), (0, 0.0), (-3, 0.0)],
)
def test_only_a_young_task_is_counted_from_its_beginning(age: int, counted: float) -> None:
    counter = begun(0.5, 100_000 * SECOND, (100_000 - age) * SECOND)
    assert counter.seconds == pytest.approx(LEAST_SECONDS + counted)


def test_an_idle_task_has_a_counter_that_is_not_zero() -> None:
    assert begun(0.0, SECOND, 0).advanced(0.0, 20 * SECOND).seconds == LEAST_SECONDS > 0


def test_the_same_measurement_seen_twice_counts_once() -> None:
    counter = begun(1.0, 0, None).advanced(1.0, SECOND)
    assert counter.advanced(1.0, SECOND) == counter


def test_a_clock_that_is_set_back_costs_one_interval_and_no_more() -> None:
    counter = begun(1.0, 1000 * SECOND, None).advanced(1.0, 10 * SECOND)
    assert counter.seconds == LEAST_SECONDS
    assert counter.advanced(1.0, 11 * SECOND).seconds == pytest.approx(LEAST_SECONDS + 1.0)


@given(st.lists(st.tuples(st.floats(0, 256), st.integers(0, 10**6)), min_size=1))
def test_it_never_goes_back(looks: list[tuple[float, int]]) -> None:
    counter = begun(*looks[0], None)
    for cores, at in looks:
        after = counter.advanced(cores, at * SECOND)
        assert after.seconds >= counter.seconds
        counter = after
