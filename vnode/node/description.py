"""What the Node's status should be now, out of the clients that it stands for and what others use of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from translators.clients_to_node import NodeFacts, Reserved, node_labels, node_status
from translators.records.allocations import Client
from translators.records.nodes import NodeStatus
from vnode.node.virtual_node import VirtualNode
from vnode.view.neighbours import Use


class Reachability(Protocol):
    """Whether Nomad answers, and why it does not."""

    @property
    def reachable(self) -> bool:
        """Whether it does."""

    @property
    def asked(self) -> bool:
        """Whether that is known at all."""

    @property
    def problem(self) -> str:
        """Why it does not, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Describes one virtual Node; asked for often, so it computes and asks nobody."""

    node: VirtualNode
    clients: Iterable[Client]
    neighbours: Iterable[Use]
    link: Reachability
    mhz_per_core: Callable[[], float]
    kubelet_version: str
    pods_per_client: int

    def status(self, now: datetime, held: NodeStatus | None) -> NodeStatus:
        """The status, given the one that the API holds."""
        clients = tuple(self.clients)
        facts = NodeFacts(
            name=self.node.name,
            address=self.node.address,
            kubelet_port=self.node.port,
            kubelet_version=self.kubelet_version,
            mhz_per_core=self.mhz_per_core(),
            node_pool=self.node.node_pool,
            reachable=self.link.reachable,
            asked=self.link.asked,
            unreachable_message=self.link.problem,
            pods_per_client=self.pods_per_client,
            previous=held,
            declared_features=self.node.declared_features,
            devices=self.node.devices,
        )
        return node_status(clients, self._reserved(clients), facts, now)

    def labels(self) -> dict[str, str]:
        """Labels that follow from the clients."""
        return node_labels(self.node.name, self.node.region, self.node.node_pool, tuple(self.clients))

    def _reserved(self, clients: tuple[Client, ...]) -> Reserved:
        schedulable = {client.id for client in clients if client.is_schedulable}
        used = [use for use in self.neighbours if use.client in schedulable]
        return Reserved(
            cpu_mhz=sum(use.mhz for use in used),
            memory_mb=sum(use.mib for use in used),
            allocations=len(used),
        )
