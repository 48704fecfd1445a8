from collections import Counter

from tests.faults.machine import Kill, ServerDies, SetClock, Stall, blows


def test_a_seed_replays_what_befell_the_machine() -> None:
    """Whoever changes this changes what every seed that was ever reported means."""
    met = {step: found for step in range(60) if (found := blows(1, step))}
    assert met == {9: (SetClock(60),), 14: (SetClock(-3000),), 23: (Stall(3),)}


def test_everything_befalls_it_now_and_then() -> None:
    met = Counter(type(blow) for seed in range(10) for step in range(60) for blow in blows(seed, step))
    assert set(met) == {Kill, ServerDies, SetClock, Stall}
    assert 10 <= met[Kill] <= 50
