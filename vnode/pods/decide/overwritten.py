"""A status that somebody else writes too: it is written anew, and who wrote it is told.

While that goes on, each writing anew waits longer than the one before, so that two writers do not drive each other.
What a Pod comes to in the end is written at once all the same.
"""

from datetime import datetime, timedelta

from translators.allocation_to_status import EventNote
from vnode.pods.actions import Action, Note, Remember
from vnode.pods.decide.look import Look

REASON = "StatusOverwritten"

#: After so long without another writer all is as if there had been none.
_QUIET = timedelta(minutes=5)
_FIRST, _LONGEST = timedelta(seconds=1), timedelta(minutes=1)
_DOUBLINGS = 6


def left_until(look: Look) -> datetime | None:
    """Until when the status is left as somebody else wrote it; None when it is to be written now."""
    memory = look.observation.memory
    healed_at = memory.healed_at
    if not look.pod.overwritten_by or healed_at is None or look.status.phase in {"Succeeded", "Failed"}:
        return None
    due = healed_at + min(_LONGEST, _FIRST * 2 ** min(_DOUBLINGS, memory.heals - 1))
    return due if healed_at <= look.now < due else None


def told(look: Look) -> tuple[Action, ...]:
    """Say who wrote over the status that is about to be written anew; nothing when nobody did."""
    by, memory = look.pod.overwritten_by, look.observation.memory
    if not by:
        return ()
    again = memory.healed_at is not None and look.now - memory.healed_at < _QUIET
    counted = Remember({"heals": memory.heals + 1 if again else 1, "healed_at": look.now})
    return (note(look, "it is written anew"), counted)


def note(look: Look, outcome: str) -> Note:
    """Who wrote over the status, and what follows from that."""
    text = f"Its status was overwritten by {look.pod.overwritten_by!r}, though it is its Node's to write; {outcome}"
    return Note(EventNote("Warning", REASON, text))
