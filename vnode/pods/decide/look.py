"""One look at a Pod, and the rules by which it is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from translators.allocation_to_status import Outcome, outcome
from translators.records.pods import Pod
from vnode.pods.actions import Decision
from vnode.pods.decide.circumstances import Circumstances, facts
from vnode.view.observation import JobFacts, Observation

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True)
class Rule(Generic[Subject]):
    """One rule: a name, and the judgement that gives a decision, or None where the rule does not apply."""

    name: str
    judge: Callable[[Subject], Decision | None]


class Look:
    """A Pod that the API holds, as it was observed, and when; what follows from that is found out when it is asked."""

    __slots__ = ("_outcome", "circumstances", "now", "observation", "pod")

    def __init__(self, observation: Observation, pod: Pod, circumstances: Circumstances, now: datetime) -> None:
        self.observation = observation
        self.pod = pod
        self.circumstances = circumstances
        self.now = now
        self._outcome: Outcome | None = None

    @property
    def job(self) -> JobFacts:
        """The Pod's job; only for rules about Pods that have one."""
        if self.observation.job is None:
            raise AssertionError(f"a rule about a job was asked without one: {self.observation.uid}")
        return self.observation.job

    @property
    def outcome(self) -> Outcome:
        """What has become of the Pod in Nomad."""
        if self._outcome is None:
            self._outcome = outcome(self.pod, facts(self.observation, self.pod, self.circumstances))
        return self._outcome
