"""Claims for storage, volumes and classes as the Kubernetes API serves them, and Nomad's dynamic host volumes.

Source of names and shapes: kubernetes/api core/v1 and storage/v1 types.go; nomad/api host_volumes.go.
"""

from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from translators.records.base import KUBERNETES, NOMAD, Many, Mapped, Text
from translators.records.pods import ObjectMeta


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class VolumeResources:
    """How large a volume shall be, as quantities."""

    requests: Mapped[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class DataSource:
    """What a new volume shall be a copy of."""

    kind: Text = ""
    name: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ClaimSpec:
    """What is claimed; `volume_name` is the volume that the claim was bound to."""

    access_modes: Many[str] = ()
    resources: VolumeResources = field(default_factory=VolumeResources)
    storage_class_name: Text = ""
    volume_mode: Text = "Filesystem"
    volume_name: Text = ""
    data_source: DataSource | None = None
    data_source_ref: DataSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ClaimStatus:
    """Whether a claim is bound."""

    phase: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Claim:
    """A PersistentVolumeClaim."""

    metadata: ObjectMeta
    spec: ClaimSpec = field(default_factory=ClaimSpec)
    status: ClaimStatus = field(default_factory=ClaimStatus)


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ClaimReference:
    """The claim that a volume is bound to; names are reused, UIDs never."""

    name: Text = ""
    namespace: Text = ""
    uid: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class CsiSource:
    """Who knows a volume (`driver`), by which name (`volume_handle`), and what else it wants to know of it."""

    driver: str
    volume_handle: str
    read_only: bool = False
    volume_attributes: Mapped[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class PersistentVolumeSpec:
    """Where a volume is, and whose; `csi` is None for one of another kind."""

    csi: CsiSource | None = None
    claim_ref: ClaimReference | None = None
    persistent_volume_reclaim_policy: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class PersistentVolumeStatus:
    """Whether a volume is bound, or was and is not any more."""

    phase: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class PersistentVolume:
    """A volume of the cluster."""

    metadata: ObjectMeta
    spec: PersistentVolumeSpec = field(default_factory=PersistentVolumeSpec)
    status: PersistentVolumeStatus = field(default_factory=PersistentVolumeStatus)


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class StorageClass:
    """How volumes of a kind are made."""

    metadata: ObjectMeta
    provisioner: str
    parameters: Mapped[str, str] = field(default_factory=dict)
    reclaim_policy: Text = "Delete"
    mount_options: Many[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class HostVolumeCapability:
    """A way in which a volume may be used."""

    access_mode: str
    attachment_mode: str = "file-system"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class HostVolume:
    """A dynamic host volume that shall be made on a client, by a plugin of it; the capacities are bytes."""

    namespace: str
    name: str
    plugin_id: Annotated[str, Field(alias="PluginID")]
    node_id: Annotated[str, Field(alias="NodeID")]
    requested_capacity_min_bytes: int
    requested_capacity_max_bytes: int
    requested_capabilities: tuple[HostVolumeCapability, ...]
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class HostVolumeStub:
    """A dynamic host volume that is there; `capacity_bytes` is 0 where its plugin does not say.

    `state` is pending until its client has told the servers that it has the volume: nothing is placed there before.
    """

    id: Annotated[str, Field(alias="ID")]
    name: str
    node_id: Annotated[Text, Field(alias="NodeID")] = ""
    capacity_bytes: int = 0
    state: Text = ""
    create_index: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether the scheduler knows where it is."""
        return self.state == "ready"
