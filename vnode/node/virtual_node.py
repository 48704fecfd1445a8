"""The record of one virtual Node: what is decided about it before anything is known of Nomad."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from translators.clients_to_node import PROVIDER_TAINT
from translators.records.nodes import Taint
from vnode.settings import Settings

_WEBSOCKETS = "ExtendWebSocketsToKubelet"
_ZONE_LABEL = "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNode:
    """One Node and the part of Nomad behind it.

    `address` and `port` are where its kubelet API answers. `zone`, if set, overrules the zone that follows from region
    and node pool; never put a virtual Node into a zone of real ones, for the controller manager stops evictions in a
    zone most of whose Nodes are down. With `websocket_streaming` the API server hands WebSockets of exec, attach and
    port-forward on instead of translating them to SPDY. `devices` are its extended resources, and the devices of Nomad
    behind them. `labels` and `annotations` come on top of those that every virtual Node has.
    """

    name: str
    address: str
    port: int = 10250
    region: str = "global"
    datacenters: tuple[str, ...] = ("*",)
    node_pool: str = "default"
    zone: str = ""
    taints: tuple[Taint, ...] = (PROVIDER_TAINT,)
    websocket_streaming: bool = True
    devices: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def declared_features(self) -> tuple[str, ...]:
        """What of a kubelet's optional features an API server may make use of (KEP-5328, KEP-4006).

        One that does not know a feature, or the field, leaves it out.
        """
        return (_WEBSOCKETS,) if self.websocket_streaming else ()

    @property
    def provider_id(self) -> str:
        """`spec.providerID`, which can never be changed once it is set."""
        return f"nomad://{self.region}/{self.name}"

    @property
    def own_labels(self) -> dict[str, str]:
        """The configured labels, which overrule those that follow from Nomad's facts."""
        return {**({_ZONE_LABEL: self.zone} if self.zone else {}), **self.labels}


def virtual_node(settings: Settings) -> VirtualNode:
    """The Node that the settings describe."""
    return VirtualNode(
        name=settings.node_name,
        address=settings.node_address,
        port=settings.kubelet_port,
        region=settings.nomad_region,
        datacenters=settings.datacenters,
        node_pool=settings.node_pool,
        zone=settings.zone,
        websocket_streaming=settings.websocket_streaming,
        taints=(PROVIDER_TAINT,) if settings.taint else (),
        devices=settings.devices,
    )
