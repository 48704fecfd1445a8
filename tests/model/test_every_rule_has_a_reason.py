"""Without any one of the rules of `decide`, a promise is broken: what each rule is there for."""

from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from tests.model import promises
from tests.model.exploring import Exploration, PromiseBroken
from tests.model.observing import Scenario
from vnode.pods.decide import RULES, Rules

pytestmark = pytest.mark.timeout(300)


_KINDS = ("deaf", "finalizer", "impossible", "owner", "images")


@dataclass(frozen=True)
class Reason:
    """The promise that is broken without a rule, and where that shows: a Pod, and one disturbance or none."""

    promise: str
    policy: str = "Never"
    disturbance: str = ""
    running: bool = False
    reuse: bool = False
    deaf: bool = False
    finalizer: bool = False
    impossible: bool = False
    owner: str = ""
    images: bool = False

    def explore(self, rules: Rules) -> None:
        """Raises PromiseBroken."""
        kind: dict[str, Any] = {name: getattr(self, name) for name in _KINDS}
        scenario = Scenario(self.policy, rules, **kind)
        budget = 1 if self.disturbance else 0
        Exploration(scenario, budget, reuse=self.reuse, running=self.running, only=self.disturbance, most=20_000).run()


REASONS: dict[tuple[str, str], Reason] = {
    ("orphaned", "find a job whose registration had no answer"): Reason(
        promises.NOTHING_LOST, disturbance="answer is lost"
    ),
    ("orphaned", "forget what is gone"): Reason(promises.NOTHING_LOST),
    ("orphaned", "confirm an absence"): Reason(promises.NOTHING_LOST, disturbance="lacks the Pod"),
    ("orphaned", "remove an orphan that ended"): Reason(promises.NOTHING_LOST),
    ("orphaned", "stop an orphan"): Reason(promises.NOTHING_LOST),
    ("orphaned", "read a stopped orphan"): Reason(promises.NOTHING_LOST, disturbance="purges"),
    ("orphaned", "kill an orphan without grace"): Reason(promises.NOTHING_LOST, "Always", deaf=True),
    ("deleting", "ask before a Pod without a job leaves"): Reason(promises.TRUE_STATUS, disturbance="lacks the job"),
    ("deleting", "wait for the object to leave"): Reason(promises.NOT_TWICE_WRITTEN, finalizer=True),
    ("deleting", "wait for what may run on before it leaves"): Reason(
        promises.LEAVES_IN_TIME, "Always", "purges", running=True
    ),
    ("deleting", "finish"): Reason(promises.LEAVES_IN_TIME),
    ("deleting", "stop what is deleted"): Reason(promises.LEAVES_IN_TIME),
    ("deleting", "read a stopped job"): Reason(promises.LEAVES_IN_TIME, disturbance="purges"),
    ("deleting", "kill at the end of a shorter grace"): Reason(promises.LEAVES_IN_TIME, "Always", deaf=True),
    ("deleting", "publish while it ends"): Reason(promises.TRUE_STATUS, "Always", "client a is lost", running=True),
    ("ended", "forbid further starts"): Reason(promises.NOTHING_LOST, disturbance="purges"),
    ("ended", "remove what was refused"): Reason(promises.NOTHING_LOST, "Always", impossible=True),
    ("ended", "stop what runs on"): Reason(promises.NOTHING_LOST, "Always", "writes phase Failed"),
    ("unsubmitted", "refuse again"): Reason(promises.NOT_TWICE_WRITTEN, impossible=True, owner="ReplicaSet"),
    ("unsubmitted", "ask before a job is taken for lost"): Reason(promises.TRUE_STATUS, disturbance="lacks the job"),
    ("unsubmitted", "never run twice"): Reason(promises.NEVER_TWICE, disturbance="purges", running=True),
    ("unsubmitted", "wait for the predecessor"): Reason(promises.ONE_JOB, "Always", running=True, reuse=True),
    ("unsubmitted", "wait for what may run on"): Reason(promises.ONE_JOB, "Always", "purges", running=True),
    ("unsubmitted", "register"): Reason(promises.NOTHING_LOST),
    ("submitted", "read what somebody ended"): Reason(promises.NOTHING_LOST, disturbance="purges"),
    ("submitted", "fail what somebody stopped"): Reason(promises.NOTHING_LOST, disturbance="stops the job"),
    ("submitted", "ask for an allocation that is missing"): Reason(
        promises.NO_HARM, "Always", "lacks the allocation", running=True
    ),
    ("submitted", "forbid further starts"): Reason(promises.NEVER_TWICE),
    ("submitted", "let the first start"): Reason(promises.NOTHING_LOST),
    ("submitted", "keep from being placed again"): Reason(promises.NOTHING_LOST, disturbance="client a is lost"),
    ("submitted", "fail what can never start"): Reason(promises.CONVERGES, impossible=True),
    ("submitted", "try again"): Reason(promises.NOTHING_LOST, disturbance="cannot start for now"),
    ("submitted", "evict from a lost client"): Reason(promises.CONVERGES, disturbance="client a is lost"),
    ("submitted", "find a change whose registration had no answer"): Reason(
        promises.CONVERGES, "Always", "Register, the answer is lost", images=True
    ),
    ("submitted", "renew what was changed"): Reason(promises.CONVERGES, "Always", running=True, images=True),
    ("submitted", "publish"): Reason(promises.NOTHING_LOST),
}

#: Rules whose reason is no promise of ours, and what it is.
OTHERS = {
    ("submitted", "let the next init container begin"): "init containers run one after the other",
    ("submitted", "end at its deadline"): "a Pod is active for as long as it says and no longer",
    ("unsubmitted", "fail at its deadline"): "a Pod is active for as long as it says and no longer",
    ("submitted", "run what follows a start"): "a container runs only when its postStart hook is done",
    ("submitted", "end what fails its probes"): "a container that failed its liveness probe is to be started again",
    ("unsubmitted", "wait for a client"): "a job keeps the speed of a CPU that it was registered with, for ever",
}


def test_every_rule_is_named_here_once() -> None:
    names = [(table.name, rule.name) for table in fields(RULES) for rule in getattr(RULES, table.name)]
    assert sorted(names) == sorted([*REASONS, *OTHERS])


@pytest.mark.parametrize("rule", REASONS, ids=": ".join)
def test_without_it_a_promise_is_broken(rule: tuple[str, str]) -> None:
    table, name = rule
    reason = REASONS[rule]
    others = tuple(each for each in getattr(RULES, table) if each.name != name)
    with pytest.raises(PromiseBroken) as caught:
        reason.explore(replace(RULES, **{table: others}))
    assert caught.value.promise == reason.promise
