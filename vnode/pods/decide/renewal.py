"""A Pod whose image was changed: its container ends and is started anew with it, as on a kubelet.

Its job is registered anew. In the place of its allocation Nomad puts another one, on the same client if that can be,
which starts when the old one has ended; where it finds no place for it, the old one goes on.
"""

from translators.errors import Refused, Waiting
from translators.identity import number_of_variables, spec_hash
from translators.pod_to_job import Translation, placed_where_it_is, translate
from translators.records.allocations import AllocationId
from vnode.pods.actions import Action, Decision, Note, Remember, Reread
from vnode.pods.decide import changes
from vnode.pods.decide.data import missing_tokens, submit, told
from vnode.pods.decide.look import Look
from vnode.pods.decide.publication import publish


def find_what_was_sent(look: Look) -> Decision | None:
    """Look what has become of a registration without an answer, for its change may have been taken back meanwhile."""
    if look.observation.memory.renewing in {"", look.job.identity.hash} or look.job.stopped:
        return None
    read = Reread(look.job.namespace, look.job.id)
    return Decision("a registration whose outcome is unknown", (read, Remember({"renewing": ""})))


def renew(look: Look) -> Decision | None:
    """Register the job anew, once what runs of it is known: one change after the other."""
    if not changes.is_changed(look) or look.observation.memory.changed == spec_hash(look.pod):
        return None
    if not _may_be_replaced(look) or changes.hindrance(look):
        return None
    try:
        translation = translate(look.pod, look.circumstances.job, look.circumstances.policy, look.observation.material)
    except Refused as refused:
        return _beside(look, _kept(look, str(refused.finding)))
    except Waiting as waiting:
        hindrance = waiting.hindrance
        return _beside(
            look, told(look.observation, hindrance) if hindrance.message else missing_tokens(look.observation)
        )
    if number_of_variables(translation.job.meta) != look.job.identity.variables:
        return _beside(look, _kept(look, "Its data is no longer laid out in Nomad as it was"))
    return Decision("its image was changed", _registered(look, placed_where_it_is(translation)))


def _may_be_replaced(look: Look) -> bool:
    """Whether Nomad has placed nothing yet, or has what it placed under control."""
    if not look.job.job_modify_index:
        return False
    current = look.judgement.situation.current
    if current is None:
        return not look.observation.allocations
    return current.desired_status == "run" and current.client_status in {"pending", "running"}


def _registered(look: Look, translation: Translation) -> tuple[Action, ...]:
    observation = look.observation
    replaced = frozenset(AllocationId(each.id) for each in observation.allocations)
    remembered = Remember({"renewed": observation.memory.renewed | replaced, "renewing": spec_hash(look.pod)})
    return remembered, *submit(observation, look.pod, translation, over=look.job.job_modify_index)


def _kept(look: Look, why: str) -> tuple[Action, ...]:
    return Note(changes.kept(look.pod, why)), Remember({"changed": spec_hash(look.pod)})


def _beside(look: Look, actions: tuple[Action, ...]) -> Decision:
    """What else there is to do goes on."""
    published = publish(look)
    return Decision(published.why, (*published.actions, *actions), published.wake_at)
