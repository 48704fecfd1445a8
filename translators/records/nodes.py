"""Kubernetes Nodes: what we read of a Node, and the status that we write.

Source of names and shapes: kubernetes/api core/v1/types.go. `spec.unschedulable` belongs to administrators:
it is read and never written.
"""

from dataclasses import field
from datetime import datetime
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from translators.records.base import KUBERNETES, Many, Mapped, Text
from translators.records.pods import ObjectMeta


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Taint:
    """What keeps Pods away that do not tolerate it; `effect` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    effect: str
    value: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class NodeSpec:
    """The specification of a Node."""

    taints: Many[Taint] = ()
    unschedulable: bool = False
    provider_id: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class NodeCondition:
    """One condition of a Node; the heartbeat is the time of the last report."""

    type: str
    status: str
    reason: Text = ""
    message: Text = ""
    last_heartbeat_time: datetime | None = None
    last_transition_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class NodeAddress:
    """One address; `type` is InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS."""

    type: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class NodeSystemInfo:
    """What runs the Pods of a Node."""

    machine_id: Text = ""
    system_uuid: Annotated[Text, Field(alias="systemUUID")] = ""
    boot_id: Text = ""
    kernel_version: Text = ""
    os_image: Text = ""
    container_runtime_version: Text = ""
    kubelet_version: Text = ""
    kube_proxy_version: Text = ""
    operating_system: Text = ""
    architecture: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class DaemonEndpoint:
    """A port of a daemon; the API spells it with a capital letter."""

    port: Annotated[int, Field(alias="Port")] = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class NodeDaemonEndpoints:
    """Where the API server finds the kubelet's API."""

    kubelet_endpoint: DaemonEndpoint = field(default_factory=DaemonEndpoint)


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class NodeStatus:
    """The status of a Node; capacity and allocatable are totals for Kubernetes, as quantities."""

    capacity: Mapped[str, str] = field(default_factory=dict)
    allocatable: Mapped[str, str] = field(default_factory=dict)
    conditions: Many[NodeCondition] = ()
    addresses: Many[NodeAddress] = ()
    daemon_endpoints: NodeDaemonEndpoints = field(default_factory=NodeDaemonEndpoints)
    node_info: NodeSystemInfo = field(default_factory=NodeSystemInfo)
    declared_features: Many[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Node:
    """A Node of Kubernetes; a Nomad client is called so, never a node."""

    metadata: ObjectMeta
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)
