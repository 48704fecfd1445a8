"""What a decision can ask for: one record a kind of write or read, carried out in order by the reconciler."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from translators.allocation_to_status import EventNote, UnreadMessage
from translators.container_id import ContainerId
from translators.material import TokenNeed
from translators.records.allocations import AllocationId
from translators.records.hooks import HookKind
from translators.records.jobs import Job, JobId


@dataclass(frozen=True, slots=True)
class Register:
    """Create the Pod's job, or replace the one whose job_modify_index is `over`.

    It is an error of no consequence if it exists already, or is another one by now.
    """

    job: Job
    over: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask Nomad to end the job's tasks with their kill timeout."""

    namespace: str
    job: JobId


@dataclass(frozen=True, slots=True)
class Purge:
    """Remove a job whose tasks have all ended, and with it its allocations and logs."""

    namespace: str
    job: JobId


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL to one task, because a grace period shorter than its kill timeout is over."""

    allocation: AllocationId
    task: str


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal to one task; one that has ended meanwhile is fine."""

    allocation: AllocationId
    task: str
    signal: str


@dataclass(frozen=True, slots=True)
class PatchStatus:
    """Write the Pod's status; `failed_for` names the reason when it fails the Pod, for its owner's back-off."""

    body: Mapping[str, Any]
    failed_for: str = ""


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Let the Pod object leave the API, with grace period 0."""


@dataclass(frozen=True, slots=True)
class EvictPod:
    """Ask for the Pod's deletion with its own grace, as the taint controller does for a Node that is lost."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Let one allocation of a Pod that runs once start, see `translators.pod_to_job.permit`."""

    namespace: str
    job: JobId
    allocation: AllocationId


@dataclass(frozen=True, slots=True)
class Forbid:
    """Withdraw the permit: nothing of the Pod is started from now on."""

    namespace: str
    job: JobId


@dataclass(frozen=True, slots=True)
class TakeTurn:
    """Let an init container begin in an allocation, see `translators.pod_to_job.turns`."""

    namespace: str
    job: JobId
    allocation: AllocationId
    task: str


@dataclass(frozen=True, slots=True)
class Note:
    """Record an Event about the Pod."""

    event: EventNote


@dataclass(frozen=True, slots=True)
class Remember:
    """Change what we remember of the Pod, see `vnode.view.observation.Memory`."""

    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ConfirmAbsence:
    """Ask the API for the Pod of a job, before its absence from a list is believed."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class MeasureLogs:
    """Find where the next run of a task begins in its log files, while nothing is written to them."""

    allocation: AllocationId
    task: str
    run: int


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """Read what a container that has ended left to say; where that fails, its message says so."""

    message: UnreadMessage


@dataclass(frozen=True, slots=True)
class RunHook:
    """Begin a hook of a run and do not wait for it; it is given up after `within` seconds, or never."""

    container: str
    run: ContainerId
    kind: HookKind
    within: float | None = None


@dataclass(frozen=True, slots=True)
class Reread:
    """Read the job, its allocations and evaluations, for what we know of them is incomplete."""

    namespace: str
    job: JobId


@dataclass(frozen=True, slots=True)
class RequestTokens:
    """Ask the API server for tokens of the Pod's ServiceAccount, bound to the Pod."""

    needs: frozenset[TokenNeed]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the data of a job lies in Nomad; see `translators.variables` for `count`."""

    namespace: str
    job: JobId
    tasks: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Write the Pod's data; `fresh` when the job was registered a moment ago and nothing is there yet."""

    layout: Layout
    items: Mapping[str, bytes] = field(repr=False)
    stamp: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Recall:
    """Look up which tokens the Pod's data holds: they were asked for before we started."""

    layout: Layout
    needs: frozenset[TokenNeed]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Remove the Pod's data from Nomad, for no task runs any more that reads it."""

    layout: Layout


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop what we know of a UID that is gone on both sides."""


Action = (
    Register
    | Stop
    | Purge
    | Kill
    | Signal
    | PatchStatus
    | DeletePod
    | EvictPod
    | Permit
    | Forbid
    | TakeTurn
    | Note
    | Remember
    | ConfirmAbsence
    | MeasureLogs
    | ReadMessage
    | RunHook
    | Reread
    | RequestTokens
    | Deliver
    | Recall
    | Withdraw
    | Forget
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Actions in order, when to look again if nothing happens until then, and why in a few words for the log."""

    why: str
    actions: tuple[Action, ...] = ()
    wake_at: datetime | None = None
