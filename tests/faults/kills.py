"""vnode is killed again and again while Pods come and go: at any time, and between two writes of one sequence."""

import itertools
import time
from collections import Counter
from random import Random

from tests.e2e.bed.errors import BedError
from tests.e2e.namespace import Namespace
from tests.faults.director import Director
from tests.faults.faults import Fault, Killed
from tests.faults.plan import Plan, calm
from tests.faults.routes import Route
from tests.faults.soak import SETTLE_SECONDS, Trial, judge
from tests.faults.stage import Stage
from tests.faults.workload import Life, lives

#: The writes that follow each other when a Pod begins or ends.
_SEQUENCES = frozenset(
    {
        "PUT /v1/jobs",
        "PUT /v1/var",
        "PATCH pods/status",
        "DELETE /v1/job",
        "DELETE /v1/var",
        "DELETE pods",
        "DELETE /v1/job?purge",
    }
)
#: A failpoint is one of so many writes.
_WRITES_AT_MOST = 8
#: Seconds that the write of a failpoint may take to come; then vnode is killed all the same.
_PATIENCE = 6.0
_LONGEST_LIFE = 1.2
_NEW_PODS = 2
_DELETED = 0.1
_LOOK_SECONDS = 0.1


def kill_often(at: Trial, namespace: Namespace, seed: int, *, kills: int) -> Counter[str]:
    """Kill so many times, half of them at failpoints; gives how often which write was the last, "" for none."""
    dice, read = Random(f"kills {seed}"), len(at.vnode.log)
    stage = Stage(at.bed, namespace, at.vnode.node, dice, at.bed.directory / f"traces-{namespace.name}")
    coming, last = list(lives(dice, kills * _NEW_PODS).values()), Counter[str]()
    director = at.between.director
    director.kill = at.vnode.shoot
    try:
        for number in range(kills):
            director.begin(_failpoint(dice) if number % 2 else calm)
            at.vnode.start()
            coming = _create(stage, coming) + stage.delete_some(_DELETED)
            last[_killed(at, director, dice)] += 1
        director.begin(calm)
        at.vnode.start()
        # A name that is still borne comes free when vnode has done its work.
        deadline = time.monotonic() + SETTLE_SECONDS
        while coming and time.monotonic() < deadline:
            coming = _create(stage, coming)
            time.sleep(_LOOK_SECONDS)
        stage.settle(SETTLE_SECONDS, at.must_run)
    except BedError as problem:
        problem.add_note(f"seed {seed}; the end of vnode's log:\n{at.vnode.log[-3000:]}")
        raise
    judge(at, read)
    return last


def _create(stage: Stage, coming: list[Life]) -> list[Life]:
    """Create some Pods; gives those that are still to come."""
    now, later = coming[:_NEW_PODS], coming[_NEW_PODS:]
    return [*later, *(life for life in now if not stage.create(life))]


def _failpoint(dice: Random) -> Plan:
    """Die as soon as one of the next writes was applied, or was about to be."""
    left, killed = itertools.count(dice.randrange(_WRITES_AT_MOST), -1), Killed(after_effect=dice.random() < 0.8)

    def plan(route: Route, _: int) -> Fault | None:
        return killed if route.name in _SEQUENCES and next(left) == 0 else None

    return plan


def _killed(at: Trial, director: Director, dice: Random) -> str:
    if director.plan is calm:
        time.sleep(dice.uniform(0.05, _LONGEST_LIFE))
        at.must_run()
    elif at.vnode.wait_end(within=_PATIENCE):
        if not director.given:
            at.must_run()
        return director.given[0][0].name
    # Where a failpoint was met, the answer that it waits for may be as late as the machine is busy.
    director.plan = calm
    at.vnode.kill()
    return ""
