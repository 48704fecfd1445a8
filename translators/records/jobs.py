"""Nomad jobs: what we register (`Job` and its parts) and what a list of jobs says (`JobStub`).

Durations are integer nanoseconds. Source of names and shapes: nomad/api jobs.go and tasks.go.
"""

from dataclasses import field
from typing import Annotated, Any, NewType

from pydantic import Field
from pydantic.dataclasses import dataclass

from translators.records.base import NOMAD, Mapped, Text

#: `vk-<pod uid>`; unique in a (region, namespace).
JobId = NewType("JobId", str)

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Constraint:
    """A condition that a client must meet."""

    l_target: Annotated[str, Field(alias="LTarget")] = ""
    r_target: Annotated[str, Field(alias="RTarget")] = ""
    operand: str = "="


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Affinity:
    """A preference among clients, weight -100 to 100."""

    l_target: Annotated[str, Field(alias="LTarget")] = ""
    r_target: Annotated[str, Field(alias="RTarget")] = ""
    operand: str = "="
    weight: int = 50


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class RestartPolicy:
    """How a client restarts a task in place."""

    attempts: int
    interval: int
    delay: int
    mode: str
    render_templates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class ReschedulePolicy:
    """Whether the scheduler replaces a failed allocation; for Pods it never does."""

    attempts: int = 0
    interval: int = 0
    delay: int = 0
    delay_function: str = "constant"
    max_delay: int = 0
    unlimited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Disconnect:
    """What happens to an allocation whose client is lost."""

    lost_after: int
    replace: bool = False
    reconcile: str = "keep_original"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class EphemeralDisk:
    """The scratch disk of an allocation."""

    size_mb: int = 300
    sticky: bool = False
    migrate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Port:
    """A port of a group; `value` 0 lets Nomad choose."""

    label: str
    value: int = 0
    to: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Dns:
    """The resolver of tasks, instead of their host's."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Network:
    """The network that all tasks of a group share; only docker's can be given a `hostname`."""

    mode: str = "host"
    dynamic_ports: tuple[Port, ...] = ()
    reserved_ports: tuple[Port, ...] = ()
    hostname: str | None = None
    dns: Annotated[Dns | None, Field(alias="DNS")] = None


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class LogConfig:
    """Rotation of a task's logs, per stream."""

    max_files: int = 5
    max_file_size_mb: Annotated[int, Field(alias="MaxFileSizeMB")] = 10
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class RequestedDevice:
    """So many devices for a task, by type, vendor/type or vendor/type/name."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Resources:
    """What a task reserves: CPU in MHz, memory in MiB; `secrets_mb` is its tmpfs, 1 MiB where nothing is said."""

    cpu: Annotated[int, Field(alias="CPU")]
    memory_mb: int
    memory_max_mb: int | None = None
    secrets_mb: int | None = None
    devices: tuple[RequestedDevice, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Artifact:
    """A download that stands in the task directory before the task starts."""

    getter_source: str
    getter_options: dict[str, str] = field(default_factory=dict)
    getter_mode: str = "any"
    relative_dest: str = "local/"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Wait:
    """How long a client gathers changes before it writes a file again."""

    min: int
    max: int


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Template:
    """A file, or an environment, that the client renders; the text never holds user data as template text."""

    embedded_tmpl: str
    dest_path: str
    envvars: bool = False
    change_mode: str = "noop"
    once: bool = True
    perms: str = "0600"
    wait: Wait | None = None
    uid: int | None = None
    gid: int | None = None
    left_delim: str | None = None
    right_delim: str | None = None
    err_missing_key: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Vault:
    """How the client logs in to Vault for a task; the task itself gets no token unless it wants one as a file."""

    role: str
    namespace: str = ""
    env: bool = False
    disable_file: bool = True
    change_mode: str = "noop"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Identity:
    """A workload identity that Nomad signs for a task and keeps fresh in a file; `ttl` in nanoseconds."""

    name: str
    audience: tuple[str, ...]
    ttl: Annotated[int, Field(alias="TTL")]
    file: bool = True
    env: bool = False
    change_mode: str = "noop"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class TaskLifecycle:
    """When a task runs: before the main tasks, and with `sidecar` on beside them."""

    hook: str
    sidecar: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class VolumeRequest:
    """A volume of Nomad that a group needs; `type` is host or csi, `source` the volume's name (host) or ID (csi)."""

    name: str
    type: str
    source: str
    read_only: bool = False
    access_mode: str = ""
    attachment_mode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class VolumeMount:
    """Where a task finds a volume of its group."""

    volume: str
    destination: str
    read_only: bool = False
    propagation_mode: str = "private"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class TaskSecret:
    """A Nomad Variable whose items fill the driver's configuration, as `${secret.<name>.<item>}`, and nothing else."""

    name: str
    path: str
    provider: str = "nomad"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Task:
    """One container of a Pod."""

    name: str
    driver: str
    config: dict[str, Any]
    resources: Resources
    user: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    kill_timeout: int = 30 * SECOND
    kill_signal: str = ""
    log_config: LogConfig = field(default_factory=LogConfig)
    restart_policy: RestartPolicy | None = None
    lifecycle: TaskLifecycle | None = None
    artifacts: tuple[Artifact, ...] = ()
    templates: tuple[Template, ...] = ()
    vault: Vault | None = None
    identities: tuple[Identity, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    secrets: tuple[TaskSecret, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class TaskGroup:
    """The one group of a job; its allocation is the Pod."""

    name: str
    tasks: tuple[Task, ...]
    restart_policy: RestartPolicy
    count: int = 1
    reschedule_policy: ReschedulePolicy = field(default_factory=ReschedulePolicy)
    disconnect: Disconnect | None = None
    ephemeral_disk: EphemeralDisk = field(default_factory=EphemeralDisk)
    networks: tuple[Network, ...] = ()
    volumes: dict[str, VolumeRequest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Link:
    """A link that Nomad's UI shows beside a job."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class JobUi:
    """What Nomad's UI says about a job; the description is Markdown of at most 1000 characters."""

    description: str = ""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class UpdateStrategy:
    """`max_parallel` 0 keeps Nomad from running a deployment for a service job."""

    max_parallel: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Job:
    """One Pod as a Nomad job."""

    id: Annotated[str, Field(alias="ID")]
    name: str
    type: str
    namespace: str
    region: str
    datacenters: tuple[str, ...]
    node_pool: str
    meta: dict[str, str]
    task_groups: tuple[TaskGroup, ...]
    priority: int = 50
    constraints: tuple[Constraint, ...] = ()
    affinities: tuple[Affinity, ...] = ()
    update: UpdateStrategy | None = None
    ui: Annotated[JobUi | None, Field(alias="UI")] = None


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class JobStub:
    """A job as a list or a read shows it; `stop` means somebody asked for its end."""

    id: Annotated[str, Field(alias="ID")]
    name: Text = ""
    namespace: Text = "default"
    type: Text = ""
    status: Text = ""
    stop: bool = False
    meta: Mapped[str, str] = field(default_factory=dict)
    version: int = 0
    job_modify_index: int = 0
    modify_index: int = 0
    create_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class JobRegistration:
    """Nomad's answer to a registration or a stop; `eval_id` is empty where nothing was there to stop."""

    eval_id: Annotated[Text, Field(alias="EvalID")] = ""
    job_modify_index: int = 0
    warnings: Text = ""
    index: int = 0
