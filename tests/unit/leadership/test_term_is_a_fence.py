from vnode.leadership.clock import Instant
from vnode.leadership.term import Term


class Clock:
    """Both clocks, moved together or one of them."""

    def __init__(self) -> None:
        self.boot, self.day = 50.0, 1e9

    def __call__(self) -> Instant:
        return Instant(self.boot, self.day)


def elected() -> tuple[Clock, Term]:
    clock = Clock()
    term = Term(clock, 10.0)
    term.renewed(clock())
    return clock, term


def test_before_an_election_nothing_is_written() -> None:
    term = Term(Clock(), 10.0)
    assert term.left() == 0
    assert "elected" in term.reason


def test_a_renewal_opens_it_for_the_rest_of_its_seconds() -> None:
    clock, term = elected()
    clock.boot += 4
    assert (term.left(), term.reason) == (6.0, "")


def test_it_shuts_by_itself_though_nothing_of_ours_runs() -> None:
    clock, term = elected()
    clock.boot += 10
    assert term.left() == 0
    assert "could not be renewed" in term.reason


def test_it_counts_from_when_the_renewal_was_sent() -> None:
    clock, term = elected()
    sent = clock()
    clock.boot += 3
    term.renewed(sent)
    assert term.left() == 7.0


def test_a_machine_whose_monotonic_clock_stood_still_is_found_out_by_the_time_of_day() -> None:
    clock, term = elected()
    clock.day += 3600
    assert term.left() == 0


def test_a_time_of_day_that_is_set_back_gives_nobody_more_time() -> None:
    clock, term = elected()
    clock.day -= 3600
    clock.boot += 10
    assert term.left() == 0


def test_a_late_renewal_opens_it_again() -> None:
    clock, term = elected()
    clock.boot += 60
    term.renewed(clock())
    assert (term.left(), term.reason) == (10.0, "")


def test_the_end_says_why() -> None:
    _, term = elected()
    term.end("vnode-2 leads")
    assert (term.left(), term.reason) == (0.0, "vnode-2 leads")
