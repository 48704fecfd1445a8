"""Whether our clock agrees with a peer's."""

from datetime import datetime, timedelta

from vnode.doctor.findings import Finding, fine, trouble
from vnode.doctor.problems import Problem, Status

TOLERATED = timedelta(seconds=5)
BEARABLE = timedelta(seconds=60)
#: Both peers tell whole seconds, cut off.
_RESOLUTION = timedelta(seconds=1)


def compare(peer: str, theirs: datetime, asked: datetime, answered: datetime) -> Finding:
    """Judge the time that `peer` told between `asked` and `answered`, both by our clock."""
    checked = f"clock of {peer}"
    earliest, latest = theirs - answered, theirs + _RESOLUTION - asked
    if earliest <= timedelta() <= latest:
        return fine(checked, "agrees with ours")
    ahead = earliest > timedelta()
    skew = earliest if ahead else -latest
    text = f"{skew.total_seconds():.0f} s {'ahead of' if ahead else 'behind'} ours"
    if skew <= TOLERATED:
        return fine(checked, text)
    return trouble(Problem.CLOCK_SKEW, checked, text, status=Status.WARNING if skew <= BEARABLE else Status.FAILURE)
