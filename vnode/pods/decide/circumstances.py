"""What a decision needs to know beside the Pod itself, the same for all Pods of a namespace."""

from dataclasses import dataclass
from datetime import timedelta

from translators.allocation_to_status import Facts
from translators.errors import Finding, Hindrance
from translators.pod_to_job import JobContext, address
from translators.policy import Policy
from translators.records.pods import Pod
from vnode.view.observation import Observation

#: A Pod that is placed at once gets one status write, not two: that it is being created is told after this time, or
#: later while very many are, for every write costs the API server more than all else that a start does.
SETTLING = timedelta(seconds=2)
SETTLING_OF_MANY = timedelta(seconds=10)

_FIRST_RETRY = timedelta(seconds=10)
_LONGEST_RETRY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Settings and facts of the cluster that a decision rests on.

    `placeable` says that the clients are known well enough for new jobs: how fast a CPU is. `settling` is how long
    the status of a Pod that is only being started may be held back.
    """

    job: JobContext
    policy: Policy
    placeable: bool = True
    settling: timedelta = SETTLING


def retry_delay(failures: int) -> timedelta:
    """The kubelet's back-off curve: 10 s, doubled by each failure, at most 5 min."""
    return min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(failures, 10))


def facts(
    observation: Observation,
    pod: Pod,
    circumstances: Circumstances,
    *,
    refusal: Finding | None = None,
    hindrance: Hindrance | None = None,
) -> Facts:
    """The observation as the translation of statuses wants it."""
    return Facts(
        allocations=observation.allocations,
        evaluation=observation.evaluation,
        host_ip=observation.host_ip,
        submitted=observation.job is not None,
        # Until its start was told, the permit of a Pod that runs once tells that there may have been one.
        unseen=observation.job is None and pod.spec.restart_policy == "Never" and observation.may_be_permitted != "",
        reached_at=address(pod, circumstances.job) if observation.allocations else "",
        refusal=refusal,
        hindrance=hindrance,
        run_positions=observation.memory.positions,
        health=observation.health,
        messages=observation.memory.messages,
        hooks=observation.memory.hooks,
    )
