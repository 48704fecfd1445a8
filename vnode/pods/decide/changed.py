"""A Pod whose images were changed while it has a job: it goes on with those that it was submitted with.

A kubelet starts the one container anew. Nomad would replace the whole allocation: all containers, the init containers
too, and what lies in their emptyDir volumes. So that is not done behind anybody's back; it is told, once.
"""

from dataclasses import replace

from translators.allocation_to_status import EventNote
from translators.identity import spec_hash
from translators.records.pods import Pod
from vnode.pods.actions import Decision, Note, Register, Remember
from vnode.pods.decide.look import Look

REASON = "ImageNotChanged"

_WHY = (
    "A Pod keeps its images on this Node while it runs, for Nomad would replace all of its containers and their "
    "emptyDir volumes; delete the Pod, and let its controller make another"
)


def told(look: Look, decision: Decision) -> Decision:
    """What was decided, and that images were changed in vain; one of a Pod that is submitted anew counts."""
    pod, submitted = look.pod, look.job.identity.hash
    # Servers that number a spec's generations begin with 1.
    if pod.metadata.generation == 1 or look.job.stopped or not submitted:
        return decision
    found = spec_hash(pod)
    if found in {submitted, look.observation.memory.changed}:
        return decision
    if any(isinstance(action, Register) for action in decision.actions):
        return decision
    event = Note(EventNote("Warning", REASON, f"{_changes(pod)}. {_WHY}", ""))
    return replace(decision, actions=(*decision.actions, event, Remember({"changed": found})))


def _changes(pod: Pod) -> str:
    """What a status says that an image was, and the spec that it is to be."""
    shown = {each.name: each.image for each in (*pod.status.init_container_statuses, *pod.status.container_statuses)}
    changes = [
        f"{pod.spec.path_of(each.name)} is to run {each.image} and goes on with {shown[each.name]}"
        for each in pod.spec.every_container
        if shown.get(each.name, each.image) not in {"", each.image}
    ]
    return "; ".join(changes) or "Its images were changed after it was submitted"
