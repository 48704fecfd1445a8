"""One look at a Pod, and the rules by which it is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from translators.allocation_to_status import Facts, Judgement, Outcome, judge, outcome_of, status_of
from translators.records.pods import Pod, PodStatus
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

    __slots__ = ("_facts", "_judgement", "_outcome", "circumstances", "now", "observation", "pod")

    def __init__(self, observation: Observation, pod: Pod, circumstances: Circumstances, now: datetime) -> None:
        self.observation = observation
        self.pod = pod
        self.circumstances = circumstances
        self.now = now
        self._facts: Facts | None = None
        self._judgement: Judgement | None = None
        self._outcome: Outcome | None = None

    @property
    def job(self) -> JobFacts:
        """The Pod's job; only for rules about Pods that have one."""
        if self.observation.job is None:
            raise AssertionError(f"a rule about a job was asked without one: {self.observation.uid}")
        return self.observation.job

    @property
    def ends(self) -> datetime | None:
        """When the grace period of a Pod is over that is being deleted.

        Counted from when we saw the deletion, as a kubelet does, so that neither another machine's clock nor one that
        is set shortens it. Of one that was being deleted when we came only the API tells.
        """
        metadata, leaving_for = self.pod.metadata, self.observation.leaving_for
        if leaving_for is not None:
            return self.now + timedelta(seconds=(metadata.deletion_grace_period_seconds or 0) - leaving_for)
        return metadata.deletion_timestamp

    @property
    def outcome(self) -> Outcome:
        """What has become of the Pod in Nomad."""
        if self._outcome is None:
            self._outcome = outcome_of(self.judgement)
        return self._outcome

    @property
    def status(self) -> PodStatus:
        """What the API should hold now."""
        return status_of(self.judgement, self.now)

    @property
    def facts(self) -> Facts:
        """What the statuses are translated from."""
        if self._facts is None:
            self._facts = facts(self.observation, self.pod, self.circumstances)
        return self._facts

    @property
    def judgement(self) -> Judgement:
        """What the Pod and its allocations amount to, told once for both readings of it."""
        if self._judgement is None:
            self._judgement = judge(self.pod, self.facts)
        return self._judgement
