"""All judgement about a Pod and its job, as pure functions of one observation."""

from datetime import datetime

from vnode.pods.actions import Decision
from vnode.pods.decide.circumstances import Circumstances
from vnode.pods.decide.ended import decide_ended
from vnode.pods.decide.orphan import decide_orphan
from vnode.pods.decide.running import decide_running
from vnode.pods.decide.submission import decide_submission
from vnode.pods.decide.termination import decide_termination
from vnode.view.observation import Observation

__all__ = ["Circumstances", "decide"]


def decide(observation: Observation, circumstances: Circumstances, now: datetime) -> Decision:
    """Say what is to be done about one Pod now; the same observation always gives the same answer."""
    pod = observation.pod
    if pod is None:
        return decide_orphan(observation)
    if pod.metadata.deletion_timestamp is not None:
        return decide_termination(observation, pod, circumstances, now)
    if pod.status.phase in {"Succeeded", "Failed"}:
        return decide_ended(observation)
    if observation.job is None:
        return decide_submission(observation, pod, circumstances, now)
    return decide_running(observation, pod, observation.job, circumstances, now)
