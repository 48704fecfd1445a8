"""Nomad allocations as the status of a Pod.

`pod_status` says what the API should hold, `status_patch` how to write it, `pod_events` which Events the
change is worth, and `outcome` what has become of the Pod, for whoever decides what to do next. `status_of` and
`outcome_of` read both from one judgement.
"""

from translators.allocation_to_status.conditions import NODE_LOST, disruption
from translators.allocation_to_status.containers import has_passed_post_start
from translators.allocation_to_status.endings import change_of_the_job
from translators.allocation_to_status.events import EventNote, pod_events
from translators.allocation_to_status.facts import Facts
from translators.allocation_to_status.judgement import Judgement, judge
from translators.allocation_to_status.outcomes import Outcome, Stage, outcome, outcome_of
from translators.allocation_to_status.overwriting import overwriter
from translators.allocation_to_status.patch import status_patch
from translators.allocation_to_status.reasons import FailureKind
from translators.allocation_to_status.situation import runs_up
from translators.allocation_to_status.status import failed_status, final_status, pod_status, status_of, stranded_status
from translators.allocation_to_status.termination_messages import UnreadMessage, unread_messages

__all__ = [
    "NODE_LOST",
    "EventNote",
    "Facts",
    "FailureKind",
    "Judgement",
    "Outcome",
    "Stage",
    "UnreadMessage",
    "change_of_the_job",
    "disruption",
    "failed_status",
    "final_status",
    "has_passed_post_start",
    "judge",
    "outcome",
    "outcome_of",
    "overwriter",
    "pod_events",
    "pod_status",
    "runs_up",
    "status_of",
    "status_patch",
    "stranded_status",
    "unread_messages",
]
