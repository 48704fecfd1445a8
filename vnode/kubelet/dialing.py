"""How a port of a Pod is reached: directly where its allocation publishes it, else by whoever can from inside."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from translators.port_addresses import Endpoint, Placement, has_own_network, port_addresses
from translators.records.pods import Pod, PodUid
from vnode.kubelet.forwarded_connections import ByteStream, Dialer, PortUnreachable
from vnode.kubelet.tcp import connected

#: Where a Pod runs now; None while it has no allocation that could.
Placements = Callable[[PodUid], Placement | None]


class DirectDialer:
    """A `Dialer` over TCP; `inside` is tried where no address answers, for Pods with a network of their own.

    On the host's network it would reach what the machine itself keeps on its loopback.
    """

    def __init__(
        self, placements: Placements, *, default_driver: str, routable: bool, inside: Dialer | None = None
    ) -> None:
        self._placements = placements
        self._default_driver = default_driver
        self._routable = routable
        self._inside = inside

    @asynccontextmanager
    async def dial(self, pod: Pod, port: int) -> AsyncIterator[ByteStream]:
        """A connection for the length of the block. Raises PortUnreachable on entry."""
        async with AsyncExitStack() as stack:
            yield await self._enter(stack, pod, port)

    async def _enter(self, stack: AsyncExitStack, pod: Pod, port: int) -> ByteStream:
        try:
            return await stack.enter_async_context(connected(self._addresses(pod, port)))
        except PortUnreachable:
            if self._inside is None or not has_own_network(pod, default_driver=self._default_driver):
                raise
        return await stack.enter_async_context(self._inside.dial(pod, port))

    def _addresses(self, pod: Pod, port: int) -> tuple[Endpoint, ...]:
        placement = self._placements(pod.uid)
        if placement is None:
            raise PortUnreachable(f'pod "{pod.metadata.name}" does not run on any Nomad client now')
        found = port_addresses(pod, placement, port, default_driver=self._default_driver, routable=self._routable)
        if not found:
            raise PortUnreachable(f"Nomad publishes no port {port} of this Pod: declare it as a containerPort")
        return found
