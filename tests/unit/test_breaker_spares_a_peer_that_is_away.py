import pytest

from vnode.breaker import FIRST_PAUSE, LONGEST_PAUSE, OPENS_AFTER, Breaker
from vnode.errors import NoAnswer

REFUSED = NoAnswer("connection refused")


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def opened() -> tuple[Clock, Breaker]:
    clock = Clock()
    breaker = Breaker("Nomad", clock)
    for _ in range(OPENS_AFTER):
        breaker.ask()
        breaker.failed(REFUSED)
    return clock, breaker


def test_a_few_failures_are_no_outage() -> None:
    breaker = Breaker("Nomad", Clock())
    for _ in range(OPENS_AFTER - 1):
        breaker.failed(REFUSED)
    assert not breaker.is_open
    breaker.answered()
    breaker.failed(REFUSED)
    assert not breaker.is_open


def test_while_it_is_open_requests_fail_with_the_last_reason_and_are_not_sent() -> None:
    _, breaker = opened()
    assert breaker.is_open
    with pytest.raises(NoAnswer, match="connection refused"):
        breaker.ask()


def test_one_at_a_time_may_try() -> None:
    clock, breaker = opened()
    clock.seconds += FIRST_PAUSE
    breaker.ask()
    with pytest.raises(NoAnswer):
        breaker.ask()


def test_tries_become_rarer_up_to_a_bound() -> None:
    clock, breaker = opened()
    pauses = []
    for _ in range(8):
        with pytest.raises(NoAnswer) as refusal:
            breaker.ask()
        assert refusal.value.retry_after is not None
        pauses.append(refusal.value.retry_after)
        clock.seconds += refusal.value.retry_after
        breaker.ask()
        breaker.failed(REFUSED)
    assert pauses[:4] == [FIRST_PAUSE, 1.0, 2.0, 4.0]
    assert set(pauses[4:]) == {LONGEST_PAUSE}


def test_an_answer_closes_it_and_whoever_waits_is_told() -> None:
    _, breaker = opened()
    told: list[str] = []
    with breaker.telling(lambda: told.append("look again")):
        breaker.answered()
        breaker.answered()
    assert (breaker.is_open, told) == (False, ["look again"])
    breaker.ask()


def test_an_answer_from_a_peer_that_was_never_away_tells_nobody() -> None:
    breaker = Breaker("Nomad", Clock())
    told: list[str] = []
    with breaker.telling(lambda: told.append("look again")):
        breaker.answered()
    assert told == []
