from collections import Counter

from tests.faults.machine import ApiServerDies, EtcdDies, Kill, ServerDies, SetClock, Stall, blows


def test_a_seed_replays_what_befell_the_machines() -> None:
    """Whoever changes this changes what every seed that was ever reported means."""
    met = {step: found for step in range(32) if (found := blows(1, step))}
    assert met == {
        9: (SetClock(60),),
        14: (SetClock(-3000),),
        22: (ApiServerDies(0),),
        23: (Stall(3),),
        24: (ApiServerDies(5),),
        26: (ApiServerDies(10),),
    }


def test_everything_befalls_them_now_and_then() -> None:
    met = Counter(type(blow) for seed in range(10) for step in range(60) for blow in blows(seed, step))
    assert set(met) == {Kill, ServerDies, SetClock, Stall, ApiServerDies, EtcdDies}
    assert 10 <= met[Kill] <= 50
