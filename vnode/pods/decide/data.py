"""The data of a Pod: when it is written beside the job, renewed, and removed.

Order of writes: everything is known and fits, then the job is registered, then its data is written, for which its
tasks wait. At the end the tasks are dead, then the data is removed, then the end is told. So data never lies in Nomad
without a job, and a Pod never seems ended while its secrets still lie there.
"""

from dataclasses import replace
from datetime import datetime

from translators import variables
from translators.allocation_to_status import EventNote
from translators.errors import Hindrance, Refused, Waiting
from translators.identity import job_id, number_of_variables
from translators.pod_to_job import Translation, data_items
from translators.records.allocations import TaskState
from translators.records.pods import Pod
from vnode.pods.actions import (
    Action,
    Decision,
    Deliver,
    Layout,
    Note,
    Recall,
    Register,
    Remember,
    RequestTokens,
    Withdraw,
)
from vnode.pods.decide.circumstances import Circumstances
from vnode.pods.decide.look import Look
from vnode.view.objects import jitter
from vnode.view.observation import JobFacts, Observation

_MISSING = "Its data was removed from Nomad, and not by Kubernetes; it is written again, for Nomad waits for it"


def submit(observation: Observation, pod: Pod, translation: Translation, *, over: int = 0) -> tuple[Action, ...]:
    """Register the job, in the place of the one with the job_modify_index `over`, and write its data."""
    job = translation.job
    sent = Remember({"submitted_to": job.namespace})
    if not translation.items:
        renewed = (Remember({"withdrawn": False}),) if observation.memory.withdrawn else ()
        return sent, Register(job, over), *renewed
    layout = Layout(job.namespace, job_id(pod.uid), _tasks(pod), number_of_variables(job.meta))
    deliver = Deliver(layout, translation.items, observation.material.stamp, fresh=True)
    return sent, Register(job, over), Remember({"delivered": "", "recalled": True, "withdrawn": False}), deliver


def beside(look: Look, decision: Decision) -> Decision:
    """What was decided about a Pod that has a job, and what is to be done about its data."""
    observation = look.observation
    identity = look.job.identity
    if not (identity.variables or identity.has_own_paths) or any(
        isinstance(action, Register) for action in decision.actions
    ):
        return decision
    if observation.is_over:
        # Before the end is told.
        return replace(decision, actions=(*withdrawal(observation), *decision.actions))
    if not identity.variables:
        return decision
    # Behind what is told: a peer that fails here must not keep the status back.
    kept = _restore(observation, look.pod, look.job, look.circumstances) or _keep(
        observation, look.pod, look.job, look.circumstances, look.now
    )
    return replace(decision, actions=(*decision.actions, *kept)) if kept else decision


def _restore(observation: Observation, pod: Pod, job: JobFacts, circumstances: Circumstances) -> tuple[Action, ...]:
    """Write what somebody removed; as it is now, which is what a kubelet starts a container with, too."""
    layout = Layout(job.namespace, job.id, _tasks(pod), job.identity.variables)
    missed = _missed_since(observation, layout)
    if job.stopped or missed in {0, observation.memory.missed_data}:
        return ()
    try:
        items = data_items(pod, circumstances.job, observation.material)
        variables.pack(items, layout.job, layout.tasks, layout.count)
    except (Waiting, Refused, ValueError):
        return ()
    told = Note(EventNote("Warning", "NomadVariableMissing", _MISSING, ""))
    return (told, Remember({"missed_data": missed}), Deliver(layout, items, observation.material.stamp, fresh=False))


def _missed_since(observation: Observation, layout: Layout) -> int:
    """When, in nanoseconds of its client's clock, a task began to wait for data that had been there; 0 where none does.

    So does one that moves elsewhere, and one that runs on while its client's agent is restarted, whose end is not
    noticed before. One that waits for the first time may have waited for us.
    """
    paths = [f"({path}@" for path in variables.paths(layout.job, layout.tasks, layout.count)]
    waiting = (
        _waits_since(state, paths)
        for allocation in observation.allocations[-1:]
        for state in allocation.task_states.values()
        if state.was_started or len(observation.allocations) > 1
    )
    return max(waiting, default=0)


def _waits_since(state: TaskState, paths: list[str]) -> int:
    since = 0
    for event in state.events:
        if event.type == "Started":
            since = 0
        elif event.type == "Template" and any(path in event.display_message for path in paths):
            since = event.time
    return since


def _keep(
    observation: Observation, pod: Pod, job: JobFacts, circumstances: Circumstances, now: datetime
) -> tuple[Action, ...]:
    """Keep the data of a Pod as its sources are."""
    memory, material = observation.memory, observation.material
    if not job.identity.variables or job.stopped:
        return ()
    layout = Layout(job.namespace, job.id, _tasks(pod), job.identity.variables)
    renewed = frozenset(
        need
        for need in material.needs
        if need not in material.tokens or material.tokens[need].is_due(now, jitter(pod.uid))
    )
    if material.needs - set(material.tokens) and not memory.recalled:
        return (Recall(layout, material.needs),)
    if memory.delivered == material.stamp or not (material.live or _awaits_data(observation)):
        return (RequestTokens(renewed),) if renewed else ()
    try:
        items = data_items(pod, circumstances.job, material)
        variables.pack(items, job.id, layout.tasks, layout.count)
    except Waiting as waiting:
        told = _told_once(observation, waiting.hindrance) if _awaits_data(observation) else ()
        return (*told, RequestTokens(renewed)) if renewed else told
    except (Refused, ValueError) as error:
        outgrown = Hindrance("DataTooLarge", f"the changed data of the Pod is not delivered: {error}")
        return _told_once(observation, outgrown)
    deliver = Deliver(layout, items, material.stamp, fresh=False)
    return (deliver, RequestTokens(renewed)) if renewed else (deliver,)


def missing_tokens(observation: Observation) -> tuple[Action, ...]:
    """Ask for the tokens without which a Pod cannot be submitted."""
    missing = observation.material.needs - set(observation.material.tokens)
    return (RequestTokens(frozenset(missing)),) if missing else ()


def withdrawal(observation: Observation, circumstances: Circumstances | None = None) -> tuple[Action, ...]:
    """Remove the data of a Pod of which no task runs any more.

    A job that somebody purged leaves its data behind, of which only our memory tells.
    """
    job, memory = observation.job, observation.memory
    if memory.withdrawn:
        return ()
    tasks = _tasks(observation.pod) if observation.pod is not None else ()
    if job is not None and (job.identity.variables or job.identity.has_own_paths):
        # Turns and logins stand at the tasks' own paths, as data of more than one Variable does.
        count = max(variables.THREE, job.identity.variables) if job.identity.has_own_paths else job.identity.variables
        return (Withdraw(Layout(job.namespace, job.id, tasks, count)),)
    if job is None and memory.delivered and circumstances is not None:
        layout = Layout(circumstances.job.nomad_namespace, job_id(observation.uid), tasks, variables.THREE)
        return (Withdraw(layout),)
    return ()


def told(observation: Observation, hindrance: Hindrance) -> tuple[Action, ...]:
    """The Event about a volume that cannot be set up; that of a container follows from its status."""
    return _told_once(observation, hindrance) if not hindrance.container else ()


def _told_once(observation: Observation, hindrance: Hindrance) -> tuple[Action, ...]:
    if not hindrance.message or observation.memory.hindrance == hindrance.message:
        return ()
    event = EventNote("Warning", hindrance.reason, hindrance.message, "")
    return Note(event), Remember({"hindrance": hindrance.message})


def _awaits_data(observation: Observation) -> bool:
    """Whether no task of the newest allocation has started, which may be for want of its data."""
    if not observation.allocations:
        return True
    states = observation.allocations[-1].task_states.values()
    return not any(state.started_at is not None for state in states)


def _tasks(pod: Pod) -> tuple[str, ...]:
    return tuple(container.name for container in pod.spec.every_container)
