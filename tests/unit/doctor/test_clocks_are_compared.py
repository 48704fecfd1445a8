from datetime import UTC, datetime, timedelta

import pytest

from vnode.doctor.clocks import compare
from vnode.doctor.problems import Problem, Status

ASKED = datetime(2026, 11, 23, 6, 0, 0, 400_000, tzinfo=UTC)
ANSWERED = ASKED + timedelta(seconds=0.2)


@pytest.mark.parametrize(
    ("theirs", "status", "text"),
    [
        (0, Status.OK, "agrees with ours"),
        (-1, Status.OK, "0 s behind ours"),
        (4, Status.OK, "3 s ahead of ours"),
        (7, Status.WARNING, "6 s ahead of ours"),
        (-8, Status.WARNING, "7 s behind ours"),
        (90, Status.FAILURE, "89 s ahead of ours"),
        (-90, Status.FAILURE, "89 s behind ours"),
    ],
)
def test_a_difference_counts_beyond_what_whole_seconds_explain(theirs: int, status: Status, text: str) -> None:
    told = ASKED.replace(microsecond=0) + timedelta(seconds=theirs)
    finding = compare("Nomad", told, ASKED, ANSWERED)
    assert (finding.status, finding.found) == (status, text)
    assert (finding.problem is Problem.CLOCK_SKEW) == (status is not Status.OK)
