"""Where a container's environment and a Pod's volumes take their content from, as the Kubernetes API serves it.

Source of names and shapes: kubernetes/api core/v1/types.go.
"""

from dataclasses import field

from pydantic.dataclasses import dataclass

from translators.records.base import KUBERNETES, Many, Mapped, Text


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ObjectFieldSelector:
    """The field of the Pod itself that a variable or a file shows."""

    field_path: str


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ResourceFieldSelector:
    """A request or a limit of a container, in units of `divisor`; the container is named in volumes only."""

    resource: str
    container_name: Text = ""
    divisor: str | int | float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class KeySelector:
    """One key of a ConfigMap or a Secret; missing is fine when `optional`."""

    name: Text = ""
    key: str
    optional: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ObjectReference:
    """A whole ConfigMap or Secret; missing is fine when `optional`."""

    name: Text = ""
    optional: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class EnvVarSource:
    """Where the value of an environment variable comes from; exactly one is set that we know, or none."""

    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class EnvVar:
    """One environment variable of a container."""

    name: str
    value: Text = ""
    value_from: EnvVarSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class EnvFromSource:
    """All keys of an object as variables, each name behind `prefix`."""

    prefix: Text = ""
    config_map_ref: ObjectReference | None = None
    secret_ref: ObjectReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class KeyToPath:
    """One key as a file at a path below its volume, with a mode of its own or the volume's."""

    key: str
    path: str
    mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ObjectProjection:
    """A ConfigMap or a Secret as files: some keys, or all of them."""

    name: Text = ""
    items: Many[KeyToPath] = ()
    optional: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ConfigMapVolumeSource:
    """A ConfigMap as a volume."""

    name: Text = ""
    items: Many[KeyToPath] = ()
    default_mode: int | None = None
    optional: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class SecretVolumeSource:
    """A Secret as a volume."""

    secret_name: Text = ""
    items: Many[KeyToPath] = ()
    default_mode: int | None = None
    optional: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class DownwardFile:
    """A field of the Pod, or a resource of one of its containers, as a file."""

    path: str
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class DownwardProjection:
    """Fields of the Pod as files."""

    items: Many[DownwardFile] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class DownwardVolumeSource:
    """Fields of the Pod as a volume."""

    items: Many[DownwardFile] = ()
    default_mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class TokenProjection:
    """A token of the Pod's ServiceAccount as a file; without an audience it is for the API server."""

    path: str
    audience: Text = ""
    expiration_seconds: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Projection:
    """One source of a projected volume."""

    config_map: ObjectProjection | None = None
    secret: ObjectProjection | None = None
    downward_api: DownwardProjection | None = None
    service_account_token: TokenProjection | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ProjectedVolumeSource:
    """Several sources in one directory."""

    sources: Many[Projection] = ()
    default_mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class EmptyDirVolumeSource:
    """A directory that lives as long as the Pod, shared by its containers."""

    medium: Text = ""
    size_limit: str | int | float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class HostPathVolumeSource:
    """A file or directory of the machine."""

    path: str
    type: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ClaimVolumeSource:
    """The volume of a PersistentVolumeClaim in the Pod's namespace."""

    claim_name: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class EphemeralVolumeSource:
    """A claim of the Pod's own, which a controller makes out of a template that only it reads."""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Volume:
    """A volume of a Pod; kinds that we do not read are refused by `translators.support`."""

    name: str
    config_map: ConfigMapVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    downward_api: DownwardVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    empty_dir: EmptyDirVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    persistent_volume_claim: ClaimVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None

    def claim(self, pod: str) -> str:
        """The name of the claim that it shows, of a Pod of this name; empty for a volume of another kind.

        Source: kubernetes component-helpers/storage/ephemeral VolumeClaimName.
        """
        if self.persistent_volume_claim is not None:
            return self.persistent_volume_claim.claim_name
        return f"{pod}-{self.name}" if self.ephemeral is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class VolumeMount:
    """Where a volume, or a part of it, appears in a container."""

    name: str
    mount_path: str
    sub_path: Text = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ServicePort:
    """A port of a Service."""

    port: int
    name: Text = ""
    protocol: Text = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ServiceSpec:
    """Where a Service is reached."""

    cluster_ip: Text = ""
    ports: Many[ServicePort] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ObjectName:
    """Name, namespace and version of an object of any kind."""

    name: str
    namespace: Text = ""
    resource_version: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Service:
    """A Service, as far as the environment of Pods tells of it."""

    metadata: ObjectName
    spec: ServiceSpec = field(default_factory=ServiceSpec)


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ConfigMap:
    """A ConfigMap as it is served; `binary_data` is base64."""

    metadata: ObjectName
    data: Mapped[str, str] = field(default_factory=dict, repr=False)
    binary_data: Mapped[str, str] = field(default_factory=dict, repr=False)
    immutable: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Secret:
    """A Secret as it is served; its values are base64, and never shown in a representation."""

    metadata: ObjectName
    data: Mapped[str, str] = field(default_factory=dict, repr=False)
    immutable: bool | None = None
