"""The states of the simulated world: what Kubernetes and Nomad hold, what really runs, and what vnode knows.

Everything is a tuple of small values: states are looked up in a set, hundreds of thousands of times.
"""

from typing import NamedTuple

#: No permit, no deletion, no reason to look again.
NONE = -1
#: How a Pod left the API, when vnode did not see it leave, or does not know with which grace.
NOT_SEEN = -2
#: What an allocation can be at its end.
OVER = frozenset({"complete", "failed", "lost"})
GRACE_UNKNOWN = -1


class ApiPod(NamedTuple):
    """A Pod as the API server holds it: its status by number, its deletion (grace in seconds and tick), its image."""

    status: int
    grace: int = NONE
    deleted_at: int = 0
    image: int = 0


class Task(NamedTuple):
    """What a task does.

    `state`: told (its client knows of it; it waits for its permit), may start (it fetches, for example), runs, waits
    (to be started again), ended.
    """

    state: str = "told"
    starts: int = 0
    code: int = NONE
    killed: bool = False
    failure: str = ""

    @property
    def lives(self) -> bool:
        """Whether it is not over."""
        return self.state != "ended"


class Allocation(NamedTuple):
    """An allocation of one task: what is true at its client, and what the servers believe.

    `image` is that of the job that it was made of, `after` the allocation whose end it waits for.
    """

    number: int
    client: str
    task: Task = Task()
    told: Task = Task()
    status: str = "pending"
    desired: str = "run"
    why: str = ""
    modified_at: int = 0
    image: int = 0
    after: int = NONE


class Job(NamedTuple):
    """A job; `evaluated` says that the scheduler has acted upon its registration or its stop.

    `version` is its job_modify_index, `image` what it runs.
    """

    stopped: bool = False
    evaluated: bool = False
    version: int = 1
    image: int = 0


class Nomad(NamedTuple):
    """What Nomad's servers hold for one Pod; `events` counts what happened to the job."""

    job: Job | None = None
    allocations: tuple[Allocation, ...] = ()
    permit: int = NONE
    events: int = 0


class Seen(NamedTuple):
    """What vnode's view holds of one Pod: both sides as they were at some time.

    `ending` is the index of the newest evaluation of the job's end that was seen, and whether that was finished. `left`
    is the client of an allocation that was not known to have ended when its job was found gone.
    """

    pod: ApiPod | None = None
    removal: int = NOT_SEEN
    absent: bool = False
    job: Job | None = None
    allocations: tuple[Allocation, ...] = ()
    permit: bool = False
    ending: tuple[int, bool] = (0, False)
    client: str = "ready"
    stale: bool = False
    partial: bool = False
    confirmed: bool = False
    left: str = ""

    @property
    def lasting(self) -> str:
        """The client of the newest allocation that is not known to have ended."""
        return next((each.client for each in reversed(self.allocations) if each.status not in OVER), "")


class Vnode(NamedTuple):
    """vnode's work on one Pod: what it knows and remembers, what it is about to do, and when it has reason to look."""

    seen: Seen
    memory: int
    decision: int = NONE
    step: int = 0
    dirty: bool = True
    wake: int = NONE


class Life(NamedTuple):
    """One Pod in Kubernetes and in Nomad, and vnode's work on it.

    `ghosts` counts processes that run though Nomad forgot them, `starts` all starts of processes. `history` names what
    happened from outside.
    """

    pod: ApiPod | None
    nomad: Nomad
    vnode: Vnode
    removal: int = NOT_SEEN
    ghosts: int = 0
    starts: int = 0
    history: frozenset[str] = frozenset()

    @property
    def running(self) -> int:
        """How many processes of it run."""
        return self.ghosts + sum(each.task.state == "runs" for each in self.nomad.allocations)


class World(NamedTuple):
    """Everything: Pods of one name, the client that may be lost, the time in ticks, disturbances that may come."""

    lives: tuple[Life, ...]
    client: str = "ready"
    tick: int = 0
    budget: int = 0

    def reaches(self, allocation: Allocation) -> bool:
        """Whether the servers and the allocation's client hear each other."""
        return allocation.client == "b" or self.client == "ready"
