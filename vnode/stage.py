"""What the servers show: they live as long as the process, the service that looks after the Node only for its term."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from translators.port_addresses import Placement
from translators.records.allocations import Client
from translators.records.pods import Pod, PodUid
from vnode.service import Service


class Stage:
    """The service of the present term, if there is one; in the forms in which the servers ask for it."""

    def __init__(self, holder: Callable[[], str]) -> None:
        self._holder = holder
        self.service: Service | None = None

    @contextmanager
    def showing(self, service: Service) -> Iterator[None]:
        """Show this service while the block lasts."""
        self.service = service
        try:
            yield
        finally:
            self.service = None

    def look_at_all(self) -> None:
        """Ask the service, if there is one, for a round over everything."""
        if self.service is not None:
            self.service.look_at_all()

    def standby(self) -> str:
        """Why nothing about Pods can be said here, as a sentence; empty while we lead."""
        if self.service is not None:
            return ""
        holder = self._holder()
        return f"This replica of vnode stands by; {holder or 'none of them'} looks after the Node now. Try again."

    def not_ready(self) -> str:
        """What is missing before Pods are looked after here; nothing where we stand by."""
        return self.service.not_ready() if self.service is not None else ""

    def pod(self, namespace: str, name: str) -> Pod | None:
        """The Pod that bears this name now."""
        return self.service.view.pods.pod(namespace, name) if self.service is not None else None

    def pods(self) -> Iterable[Pod]:
        """All Pods of the Node."""
        return self.service.view.pods.pods() if self.service is not None else ()

    def placement(self, uid: PodUid) -> Placement | None:
        """Where a Pod runs now; None while it runs nowhere."""
        return self.service.view.placement(uid) if self.service is not None else None

    def clients(self) -> Iterable[Client]:
        """The Nomad clients that the Node stands for."""
        return self.service.view.clients if self.service is not None else ()

    async def wait_until_ended(self, uid: PodUid, container_id: str) -> None:
        """Return when this run is known not to run."""
        if self.service is not None:
            await self.service.runs.wait_until_ended(uid, container_id)
