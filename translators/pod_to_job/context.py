"""What a translation knows beside the Pod: settings, and facts of the two clusters."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """The circumstances under which Pods of one Kubernetes namespace are translated.

    They are frozen into a job when it is submitted: a later change of them touches no running Pod.
    `mhz_per_core` is what one CPU of Kubernetes is worth, the same number as in the Node's capacity.
    `memory_oversubscription` says whether the scheduler lets a task use more than it reserves.
    `kubernetes_service` is host and port at which tasks reach the API server, where there is such an address.
    `routable_allocations` says whether the cluster reaches the addresses that Nomad gives to allocations in a
    bridge or CNI network; out of the box it does not.
    `devices` are the extended resources that Pods may ask for, and the devices of Nomad behind them.
    `priorities` are those of Nomad that PriorityClasses stand for, by their names.
    `large_data` says that more data than the tasks of a job may read by themselves may be put before them by a policy.
    `pod_link` is the address of a page about a Pod, with `{namespace}` and `{pod}`, shown in Nomad's UI.
    """

    cluster_id: str
    node_name: str
    nomad_namespace: str
    region: str
    datacenters: tuple[str, ...]
    node_pool: str
    mhz_per_core: float
    memory_oversubscription: bool
    default_driver: str
    kubernetes_service: tuple[str, int] | None = None
    routable_allocations: bool = False
    devices: Mapping[str, str] = field(default_factory=dict)
    priorities: Mapping[str, int] = field(default_factory=dict)
    large_data: bool = False
    pod_link: str = ""
