"""Pods as the Kubernetes API serves them: metadata, the part of the spec that we read, and status.

Source of names and shapes: kubernetes/api core/v1/types.go.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import NewType

from pydantic.dataclasses import dataclass

from translators.records.base import KUBERNETES, Many, Mapped, Text
from translators.records.hooks import Hook, HookKind, Lifecycle
from translators.records.probes import Probe, ProbeKind
from translators.records.sources import EnvFromSource, EnvVar, ObjectReference, Volume, VolumeMount

#: The identity of a Pod, end to end: names are reused, UIDs never.
PodUid = NewType("PodUid", str)


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class OwnerReference:
    """Who owns an object; the one with `controller` set replaces it when it fails."""

    kind: str
    name: str
    uid: str
    controller: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ObjectMeta:
    """Metadata of any Kubernetes object."""

    name: str
    uid: Text = ""
    namespace: Text = ""
    resource_version: Text = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None
    labels: Mapped[str, str] = field(default_factory=dict)
    annotations: Mapped[str, str] = field(default_factory=dict)
    owner_references: Many[OwnerReference] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ContainerPort:
    """A port that a container declares."""

    container_port: int
    name: Text = ""
    host_port: int = 0
    protocol: str = "TCP"
    host_ip: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ResourceRequirements:
    """Requests and limits, as Kubernetes quantities (`250m`, `64Mi`)."""

    requests: Mapped[str, str | int | float] = field(default_factory=dict)
    limits: Mapped[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Capabilities:
    """Linux capabilities, with or without `CAP_`; `ALL` stands for all."""

    add: Many[str] = ()
    drop: Many[str] = ()


_NO_CAPABILITIES = Capabilities()


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class SecurityProfile:
    """A profile of seccomp or AppArmor: RuntimeDefault, Unconfined or Localhost."""

    type: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class SecurityContext:
    """What a container may do, and as whom."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    privileged: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    capabilities: Capabilities = _NO_CAPABILITIES
    seccomp_profile: SecurityProfile | None = None
    app_armor_profile: SecurityProfile | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Sysctl:
    """A parameter of the kernel."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class PodSecurityContext:
    """What all containers of a Pod may do, and as whom, unless they say otherwise."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: Many[int] = ()
    sysctls: Many[Sysctl] = ()
    seccomp_profile: SecurityProfile | None = None
    app_armor_profile: SecurityProfile | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class HostAlias:
    """Names of an address, for /etc/hosts."""

    ip: str
    hostnames: Many[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class DnsOption:
    """An option of a resolver, perhaps with a value."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class DnsConfig:
    """What a resolver is told."""

    nameservers: Many[str] = ()
    searches: Many[str] = ()
    options: Many[DnsOption] = ()


#: Contexts that say nothing, which those of most Pods are: one record serves them all.
_NO_SECURITY, _NO_POD_SECURITY = SecurityContext(), PodSecurityContext()


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Container:
    """A container of a Pod, which becomes one Nomad task.

    `restart_policy` is its own one: `Always` makes an init container a sidecar.
    """

    name: str
    image: Text = ""
    image_pull_policy: Text = ""
    restart_policy: Text = ""
    command: Many[str] = ()
    args: Many[str] = ()
    working_dir: Text = ""
    env: Many[EnvVar] = ()
    env_from: Many[EnvFromSource] = ()
    ports: Many[ContainerPort] = ()
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    volume_mounts: Many[VolumeMount] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_message_path: Text = ""
    termination_message_policy: Text = ""
    security_context: SecurityContext = _NO_SECURITY

    @property
    def is_sidecar(self) -> bool:
        """Whether it runs beside the others; only meaningful among the init containers."""
        return self.restart_policy == "Always"

    @property
    def is_probed(self) -> bool:
        """Whether it has any probe."""
        return (self.liveness_probe or self.readiness_probe or self.startup_probe) is not None

    @property
    def probes(self) -> dict[ProbeKind, Probe]:
        """Its probes."""
        found = {
            ProbeKind.LIVENESS: self.liveness_probe,
            ProbeKind.READINESS: self.readiness_probe,
            ProbeKind.STARTUP: self.startup_probe,
        }
        return {kind: probe for kind, probe in found.items() if probe is not None}

    @property
    def hooks(self) -> Mapping[HookKind, Hook]:
        """Its hooks."""
        return {} if self.lifecycle is None else self.lifecycle.hooks


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ReadinessGate:
    """A condition, written by somebody else, without which a Pod is not Ready."""

    condition_type: str


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Toleration:
    """A taint that a Pod bears, for a time or for ever; an empty key or effect stands for all."""

    key: Text = ""
    operator: Text = ""
    value: Text = ""
    effect: Text = ""
    toleration_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class EphemeralContainer:
    """A container that was added to a Pod while it runs."""

    name: str
    image: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class PodSpec:
    """The part of a Pod's spec that a translation reads."""

    containers: Many[Container] = ()
    init_containers: Many[Container] = ()
    ephemeral_containers: Many[EphemeralContainer] = ()
    volumes: Many[Volume] = ()
    node_name: Text = ""
    restart_policy: str = "Always"
    termination_grace_period_seconds: int = 30
    active_deadline_seconds: int | None = None
    host_network: bool = False
    hostname: Text = ""
    readiness_gates: Many[ReadinessGate] = ()
    tolerations: Many[Toleration] = ()
    runtime_class_name: Text = ""
    priority_class_name: Text = ""
    service_account_name: Text = ""
    image_pull_secrets: Many[ObjectReference] = ()
    enable_service_links: bool = True
    security_context: PodSecurityContext = _NO_POD_SECURITY
    host_aliases: Many[HostAlias] = ()
    dns_policy: Text = ""
    dns_config: DnsConfig | None = None
    resources: ResourceRequirements | None = None

    @property
    def every_container(self) -> tuple[Container, ...]:
        """Init containers and containers: whatever becomes a task."""
        return (*self.init_containers, *self.containers) if self.init_containers else self.containers

    @property
    def lasting_containers(self) -> tuple[Container, ...]:
        """What runs for as long as the Pod does: its containers, and its sidecars beside them."""
        if not self.init_containers:
            return self.containers
        return (*(each for each in self.init_containers if each.is_sidecar), *self.containers)

    def path_of(self, container: str) -> str:
        """Where a container stands, as the Events about it say."""
        kind = "initContainers" if any(each.name == container for each in self.init_containers) else "containers"
        return f"spec.{kind}{{{container}}}"


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class PodCondition:
    """One condition of a Pod."""

    type: str
    status: str
    reason: Text = ""
    message: Text = ""
    last_transition_time: datetime | None = None
    observed_generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ContainerStateWaiting:
    """A container that does not run yet, or not again yet."""

    reason: Text = ""
    message: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ContainerStateRunning:
    """A container that runs."""

    started_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ContainerStateTerminated:
    """A run of a container that ended."""

    exit_code: int
    reason: Text = ""
    message: Text = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    container_id: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ContainerState:
    """Exactly one of the three is set; none means waiting without a reason."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ContainerStatus:
    """What a container does now, did before, and how often it was restarted."""

    name: str
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: Text = ""
    image_id: Text = ""
    container_id: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class PodIp:
    """One address of a Pod."""

    ip: str


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class HostIp:
    """One address of the host that runs a Pod."""

    ip: str


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class PodStatus:
    """The status of a Pod: what the API holds, and what a translation of its allocation says it should be."""

    phase: str = "Pending"
    conditions: Many[PodCondition] = ()
    reason: Text = ""
    message: Text = ""
    host_ip: Text = ""
    host_ips: Many[HostIp] = ()
    pod_ip: Text = ""
    pod_ips: Many[PodIp] = ()
    start_time: datetime | None = None
    container_statuses: Many[ContainerStatus] = ()
    init_container_statuses: Many[ContainerStatus] = ()
    ephemeral_container_statuses: Many[ContainerStatus] = ()
    observed_generation: int | None = None
    qos_class: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Pod:
    """A Pod bound to one of our Nodes.

    `unsupported` holds the paths of the spec fields that `translators.support` does not find honoured
    (`spec.containers[web].livenessProbe`); it is computed when the Pod is decoded, for the rest of the raw
    spec is not kept. `overwritten_by` is the field manager that wrote over the status as it was known before.
    """

    metadata: ObjectMeta
    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)
    unsupported: tuple[str, ...] = ()
    overwritten_by: str = ""

    @property
    def uid(self) -> PodUid:
        """The identity of this Pod."""
        return PodUid(self.metadata.uid)
