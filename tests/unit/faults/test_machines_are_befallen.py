from collections import Counter

from tests.faults.machine import ApiServerDies, EtcdDies, Kill, NomadForgets, ServerDies, SetClock, Stall, blows


def test_a_seed_replays_what_befell_the_machines() -> None:
    """Whoever changes this changes what every seed that was ever reported means."""
    met = {step: found for step in range(32) if (found := blows(1, step, losses=True))}
    assert met == {
        9: (SetClock(60),),
        14: (SetClock(-3000),),
        22: (ApiServerDies(0),),
        23: (Stall(3),),
        24: (ApiServerDies(5),),
        26: (ApiServerDies(10),),
    }


def test_what_is_not_to_be_lost_is_kept_and_all_else_happens_all_the_same() -> None:
    for step in range(60):
        kept = tuple(blow for blow in blows(4, step, losses=True) if not isinstance(blow, NomadForgets))
        assert blows(4, step, losses=False) == kept
    assert NomadForgets(0) in blows(4, 3, losses=True)


def test_everything_befalls_them_now_and_then() -> None:
    met = Counter(type(blow) for seed in range(10) for step in range(60) for blow in blows(seed, step, losses=True))
    assert set(met) == {Kill, ServerDies, SetClock, Stall, ApiServerDies, EtcdDies, NomadForgets}
    assert 10 <= met[Kill] <= 50
