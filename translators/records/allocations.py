"""Nomad allocations, evaluations and clients, as the event stream and the lists carry them.

Nomad leaves out empty fields of allocations and evaluations, prints zero times as year 1, and counts
`*_time` in nanoseconds. Source of names and shapes: nomad/nomad/structs/structs.go.
"""

from dataclasses import field
from typing import Annotated, NewType

from pydantic import Field
from pydantic.dataclasses import dataclass

from translators.records.base import NOMAD, Many, Mapped, Text

AllocationId = NewType("AllocationId", str)
ClientId = NewType("ClientId", str)

# Texts of nomad/scheduler/structs: StatusAllocNotNeeded (its job was stopped), StatusAllocUpdating.
_NOT_NEEDED = "alloc not needed due to job update"
_UPDATED = "alloc is being updated due to job update"

#: The year that Nomad prints for a time that never came.
_NEVER = "0001-"

#: The status of a client that Nomad does not know any more; none of its own.
GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class TaskEvent:
    """Something that happened to a task; only the last ten are kept, so nothing may be counted from them."""

    type: str
    time: int = 0
    display_message: Text = ""
    message: Text = ""
    details: Mapped[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class TaskState:
    """One task of an allocation; `state` is pending, running or dead."""

    state: str = "pending"
    failed: bool = False
    restarts: int = 0
    started_at: str | None = None
    finished_at: str | None = None
    events: Many[TaskEvent] = ()

    @property
    def was_started(self) -> bool:
        """Whether it runs, or ever ran."""
        return self.state == "running" or not (self.started_at or _NEVER).startswith(_NEVER)


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AllocatedPort:
    """A port of a group as it was placed."""

    label: Text = ""
    value: int = 0
    to: int = 0
    host_ip: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AllocatedNetwork:
    """The network that an allocation was given."""

    mode: Text = ""
    ip: Annotated[Text, Field(alias="IP")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AllocatedSharedResources:
    """What the tasks of an allocation share."""

    ports: Many[AllocatedPort] = ()
    networks: Many[AllocatedNetwork] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AllocatedCpu:
    """CPU of one task, MHz."""

    cpu_shares: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AllocatedMemory:
    """Memory of one task, MiB."""

    memory_mb: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AllocatedTaskResources:
    """Resources of one task."""

    cpu: AllocatedCpu = field(default_factory=AllocatedCpu)
    memory: AllocatedMemory = field(default_factory=AllocatedMemory)


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AllocatedResources:
    """Resources of an allocation; absent in lists unless asked for."""

    tasks: Mapped[str, AllocatedTaskResources] = field(default_factory=dict)
    shared: AllocatedSharedResources = field(default_factory=AllocatedSharedResources)


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class NetworkStatus:
    """The address inside a bridge or CNI network; absent in host mode and in lists."""

    address: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class DesiredTransition:
    """`migrate` is set when a drain moves the allocation away."""

    migrate: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Allocation:
    """One placement of a Pod on a client.

    `client_status` is what the client says (pending, running, complete, failed) or the server about a lost
    client (lost, unknown); `desired_status` is run, stop or evict.
    """

    id: Annotated[str, Field(alias="ID")]
    job_id: Annotated[str, Field(alias="JobID")]
    namespace: Text = "default"
    node_id: Annotated[Text, Field(alias="NodeID")] = ""
    node_name: Text = ""
    client_status: Text = "pending"
    client_description: Text = ""
    desired_status: Text = "run"
    desired_description: Text = ""
    desired_transition: DesiredTransition = field(default_factory=DesiredTransition)
    task_states: Mapped[str, TaskState] = field(default_factory=dict)
    network_status: NetworkStatus | None = None
    allocated_resources: AllocatedResources | None = None
    preempted_by_allocation: Text = ""
    create_index: int = 0
    modify_index: int = 0
    create_time: int = 0
    modify_time: int = 0

    @property
    def is_terminal(self) -> bool:
        """Whether no task of it runs or will run again, as far as Nomad knows; `unknown` is not terminal."""
        return self.client_status in {"complete", "failed", "lost"}

    @property
    def was_moved(self) -> bool:
        """Whether Nomad ended it for another reason than its job's end, and may put another one in its place."""
        return self.desired_status != "run" and self.desired_description != _NOT_NEEDED

    @property
    def was_changed(self) -> bool:
        """Whether Nomad ended it because its job was registered anew, and otherwise than it was."""
        return self.desired_status == "stop" and self.desired_description == _UPDATED


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AllocationMetric:
    """Why the scheduler did not place a group; counts are numbers of clients."""

    nodes_evaluated: int = 0
    nodes_filtered: int = 0
    nodes_in_pool: int = 0
    node_pool: Text = ""
    nodes_available: Mapped[str, int] = field(default_factory=dict)
    class_filtered: Mapped[str, int] = field(default_factory=dict)
    constraint_filtered: Mapped[str, int] = field(default_factory=dict)
    nodes_exhausted: int = 0
    class_exhausted: Mapped[str, int] = field(default_factory=dict)
    dimension_exhausted: Mapped[str, int] = field(default_factory=dict)
    quota_exhausted: Many[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Evaluation:
    """One decision of the scheduler about a job; `status` is pending, blocked, complete, failed or canceled."""

    id: Annotated[str, Field(alias="ID")]
    job_id: Annotated[Text, Field(alias="JobID")] = ""
    namespace: Text = "default"
    type: Text = ""
    triggered_by: Text = ""
    status: Text = "pending"
    status_description: Text = ""
    blocked_eval: Text = ""
    failed_tg_allocs: Annotated[Mapped[str, AllocationMetric], Field(alias="FailedTGAllocs")] = field(
        default_factory=dict
    )
    create_index: int = 0
    modify_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class DriverInfo:
    """A task driver of a client."""

    detected: bool = False
    healthy: bool = False
    health_description: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class ClientCpu:
    """CPU of a client: MHz in all, and its cores."""

    cpu_shares: int = 0
    total_cpu_cores: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class ClientMemory:
    """Memory of a client, MiB."""

    memory_mb: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class ClientDisk:
    """Disk of a client, MiB."""

    disk_mb: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class DeviceInstance:
    """One device of a client."""

    healthy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class ClientDevice:
    """The devices of one kind of a client."""

    vendor: Text = ""
    type: Text = ""
    name: Text = ""
    instances: Many[DeviceInstance] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class ClientResources:
    """Resources of a client, or the part of them that it reserves for itself."""

    cpu: ClientCpu = field(default_factory=ClientCpu)
    memory: ClientMemory = field(default_factory=ClientMemory)
    disk: ClientDisk = field(default_factory=ClientDisk)
    devices: Many[ClientDevice] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Client:
    """A Nomad client (its API says Node; that word is kept for Kubernetes here).

    Lists carry `address` (its HTTP host) and `version`; reads and events carry `attributes` and `http_addr`.
    """

    id: Annotated[str, Field(alias="ID")]
    name: Text = ""
    datacenter: Text = ""
    node_pool: Text = "default"
    node_class: Text = ""
    status: Text = "initializing"
    scheduling_eligibility: Text = "eligible"
    drain: bool = False
    address: Text = ""
    http_addr: Annotated[Text, Field(alias="HTTPAddr")] = ""
    version: Text = ""
    attributes: Mapped[str, str] = field(default_factory=dict)
    drivers: Mapped[str, DriverInfo] = field(default_factory=dict)
    node_resources: ClientResources | None = None
    reserved_resources: ClientResources | None = None
    node_max_allocs: int = 0
    create_index: int = 0
    modify_index: int = 0

    @property
    def is_schedulable(self) -> bool:
        """Whether the scheduler may place a new allocation here."""
        return self.status == "ready" and self.scheduling_eligibility == "eligible" and not self.drain
