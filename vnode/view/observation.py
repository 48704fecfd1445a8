"""What a decision about one Pod rests on: a frozen picture of both sides at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from translators.errors import Finding
from translators.health import Health
from translators.hooks import HookOfRun, HookState
from translators.identity import JobIdentity
from translators.material import NOTHING, Material
from translators.records.allocations import Allocation, AllocationId, Evaluation
from translators.records.jobs import JobId
from translators.records.pods import Pod, PodUid


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """A Nomad job that carries our identity.

    `resolved` says that nothing more will be placed for a stopped job: its stop was evaluated. `job_modify_index` is
    that of its last registration or stop, by which it is replaced and nothing else is; 0 where it is not known.
    """

    id: JobId
    namespace: str
    identity: JobIdentity
    stopped: bool = False
    resolved: bool = False
    modify_index: int = 0
    job_modify_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """How we saw a Pod leave the API: the last grace period it was given, seconds."""

    grace: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What we did and met with a Pod since we started; losing it costs repeats, never harm.

    `attempts` counts placements that came to nothing, `evicted` says that the Pod's deletion was asked for,
    `missing_at` is when the job of a Pod that ran was found to be gone, `stranded_since` that its client was too,
    `killed` names tasks that were sent SIGKILL, `positions` holds by task the containerID, with its log position, of
    the run that began last, and `reread_at` is the index of the evaluation for which the job was read anew. `told`
    counts by allocation and task the failed starts that Events were recorded for. `submitted_to` is the Nomad namespace
    of a registration that was sent, `permitted_in` that of a permit, whatever came of it. `missed_permit` is when the
    tasks of an agent that was restarted began to wait for one, by its clock, and `permitted_again` when they were given
    it. `stop_evaluation` is the evaluation of our own stop. `ending` holds by run when the grace of one ends that is to
    end for its probes or a hook, None once it was killed, and `asked` those that were asked to. `messages` holds by run
    what was read of a container that has ended and that no status tells of yet, `hooks` how far the hooks of its runs
    have come. `turns` names the init containers that were let begin, `hindrance` is what a Pod was last said to wait
    for, `changed` the hash of a spec whose changes are not made, as was told, `renewing` that of the one for which a
    job was last sent in the place of another, `renewed` the allocations in whose place we had another one put for such
    a change, `announced` those whose end for it was told. `delivered` is the stamp of the data that is in Nomad,
    `missed_data` when a task began to wait for it nevertheless, by its client's clock, `recalled` that the tokens in it
    were looked up, `withdrawn` that it was removed. `ended_at` is when an allocation was seen to have come to nothing.
    `heals` counts how often in a row a status was written anew that somebody else had written over, `healed_at` is when
    that was last.
    """

    refusal: Finding | None = None
    attempts: int = 0
    deleted: bool = False
    evicted: bool = False
    missing_at: datetime | None = None
    stranded_since: datetime | None = None
    killed: frozenset[tuple[AllocationId, str]] = frozenset()
    positions: Mapping[str, str] = field(default_factory=dict)
    reread_at: int = 0
    told: Mapping[str, int] = field(default_factory=dict)
    warned: bool = False
    submitted_to: str = ""
    permitted_in: str = ""
    missed_permit: int = 0
    permitted_again: datetime | None = None
    stop_evaluation: str = ""
    ending: Mapping[str, datetime | None] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    messages: Mapping[str, str] = field(default_factory=dict)
    hooks: Mapping[HookOfRun, HookState] = field(default_factory=dict)
    turns: frozenset[tuple[AllocationId, str]] = frozenset()
    hindrance: str = ""
    changed: str = ""
    renewing: str = ""
    renewed: frozenset[AllocationId] = frozenset()
    announced: frozenset[AllocationId] = frozenset()
    delivered: str = ""
    missed_data: int = 0
    recalled: bool = False
    withdrawn: bool = False
    ended_at: datetime | None = None
    heals: int = 0
    healed_at: datetime | None = None

    def shifted(self, step: timedelta) -> "Memory":
        """The same, by a clock that was set by so much."""
        return replace(
            self,
            missing_at=_shifted(self.missing_at, step),
            stranded_since=_shifted(self.stranded_since, step),
            permitted_again=_shifted(self.permitted_again, step),
            ending={run: _shifted(ends, step) for run, ends in self.ending.items()},
            ended_at=_shifted(self.ended_at, step),
            healed_at=_shifted(self.healed_at, step),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerHistory:
    """How often, and when last, Pods of one owner were failed for one reason."""

    failures: int = 0
    last: datetime | None = None

    def shifted(self, step: timedelta) -> "OwnerHistory":
        """The same, by a clock that was set by so much."""
        return replace(self, last=_shifted(self.last, step))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One Pod, or its absence, with everything that belongs to it.

    `allocations` are those of its job, oldest first. `predecessor` is the job of an earlier Pod of the same
    name that may still run. `leaving_for` is for how many seconds the Pod is being deleted, where we saw that begin: no
    clock of another machine tells. `absent` says that the API was asked and knows no such Pod. `permit` is the Nomad
    namespace of its permit, empty while it has none. `material` is what is known of the objects that the Pod names,
    `health` what probes say of its containers. An allocation that is lost while its client may come back is `unknown`
    here: what it was told to run may run. `stranded_at` names the client that ran the job of a Pod, where
    neither the job nor that client is known to Nomad any more: nobody ends there what runs. `left_behind` says that the
    job was found gone while an allocation of it was not known to have ended. `confirmed` says that Nomad
    was asked for this very job, so that what is missing here is missing there, and not from a list alone.
    """

    uid: PodUid
    pod: Pod | None = None
    removal: Removal | None = None
    leaving_for: float | None = None
    absent: bool = False
    job: JobFacts | None = None
    confirmed: bool = False
    allocations: tuple[Allocation, ...] = ()
    evaluation: Evaluation | None = None
    predecessor: JobId | None = None
    host_ip: str = ""
    stranded_at: str = ""
    left_behind: bool = False
    permit: str = ""
    material: Material = NOTHING
    health: Mapping[str, Health] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    owner_history: OwnerHistory = field(default_factory=OwnerHistory)

    @property
    def may_be_permitted(self) -> str:
        """The Nomad namespace of a permit that is there, or may be, for the answer to its writing was lost."""
        return self.permit or self.memory.permitted_in

    @property
    def tells_of_a_job(self) -> bool:
        """Whether an allocation is there of a job that is not known, for the answer to its registration was lost."""
        return self.job is None and any(not allocation.is_terminal for allocation in self.allocations)

    @property
    def may_be_placed_again(self) -> bool:
        """Whether Nomad may put, or has put, another allocation in the place of one: only a job's end prevents it."""
        if self.job is None or (self.job.stopped and self.job.resolved):
            return False
        return any(allocation.was_moved for allocation in self.allocations)

    @property
    def is_over(self) -> bool:
        """Whether no task of this Pod runs or will ever run again, as far as Nomad knows."""
        if self.job is None:
            return True
        if any(not allocation.is_terminal for allocation in self.allocations) or self.may_be_placed_again:
            return False
        return bool(self.allocations) or (self.job.stopped and self.job.resolved)


def _shifted(moment: datetime | None, step: timedelta) -> datetime | None:
    return None if moment is None else moment + step
