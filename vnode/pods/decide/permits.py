"""Withdrawing a permit, see `translators.pod_to_job.permit`."""

from translators.identity import job_id
from vnode.pods.actions import Action, Forbid, Remember
from vnode.view.observation import Observation


def forbid(observation: Observation) -> tuple[Action, ...]:
    """Withdraw the permit that is there, or may be."""
    namespace = observation.may_be_permitted
    if not namespace:
        return ()
    forgotten = (Remember({"permitted_in": ""}),) if observation.memory.permitted_in else ()
    return (Forbid(namespace, job_id(observation.uid)), *forgotten)
