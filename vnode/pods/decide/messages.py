"""What a container left to say is read before a status tells of its end, for an end is told once."""

from datetime import timedelta

from translators.allocation_to_status import unread_messages
from translators.pod_to_job.drivers import driver_of
from vnode.pods.actions import Decision, PatchStatus, ReadMessage
from vnode.pods.decide.look import Look

#: A second after a task's end its log collector has written all; its end is told without the fraction of its second.
_LOG_SETTLES = timedelta(seconds=2)


def read_first(look: Look, decision: Decision) -> Decision:
    """The decision; or the reading of messages, where it tells of ends without knowing them.

    Whatever was decided is decided again with the next look. A log is given the time in which it becomes whole, but
    only as long as the clock of its client makes sense beside ours.
    """
    if not any(isinstance(action, PatchStatus) for action in decision.actions):
        return decision
    default, pod = look.circumstances.job.default_driver, look.pod
    unread = unread_messages(look.judgement, lambda name: driver_of(pod, name, default), look.facts)
    if not unread:
        return decision
    settled = [
        each.ended + _LOG_SETTLES
        for each in unread
        if each.from_log and each.ended is not None and each.ended <= look.now < each.ended + _LOG_SETTLES
    ]
    if settled:
        return Decision("the log of what has ended is still written", wake_at=max(settled))
    return Decision("reads what its containers left to say", tuple(map(ReadMessage, unread)), look.now)
