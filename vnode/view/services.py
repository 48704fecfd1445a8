"""The Services of the cluster, by namespace: the environment of Pods tells of their neighbours."""

from collections import defaultdict
from collections.abc import Callable, Iterable

import structlog

from translators.records.sources import Service
from vnode.errors import Denied

_log = structlog.get_logger(__name__)

#: The API server's own, of which the settings tell tasks.
_OF_THE_API_SERVER = ("default", "kubernetes")


class ServiceStore:
    """A reflector's sink; `synced` is called when all are known for the first time."""

    def __init__(self, synced: Callable[[], None]) -> None:
        self._told = synced
        self._held: defaultdict[str, dict[str, Service]] = defaultdict(dict)
        self.synced = False

    def of(self, namespace: str) -> tuple[Service, ...] | None:
        """The Services of a namespace, sorted by name; None while they are not known."""
        if not self.synced:
            return None
        held = self._held.get(namespace)
        return tuple(held[name] for name in sorted(held)) if held else ()

    def replace(self, objects: Iterable[Service], /) -> None:
        """Take over a complete list."""
        self._held.clear()
        for service in objects:
            self.apply(service)
        if not self.synced:
            self.synced = True
            self._told()

    def hindered(self, problem: object) -> None:
        """Go on without them where we may not read them: Pods do not wait for variables that few of them read."""
        if isinstance(problem, Denied) and not self.synced:
            _log.warning("Services may not be read: tasks have no variables of Services", problem=str(problem))
            self.replace(())

    def apply(self, obj: Service, /) -> None:
        """Take over one that was added or changed; what runs does not notice."""
        if _name(obj) != _OF_THE_API_SERVER:
            self._held[obj.metadata.namespace][obj.metadata.name] = obj

    def remove(self, obj: Service, /) -> None:
        """Forget one that was deleted."""
        held = self._held.get(obj.metadata.namespace, {})
        held.pop(obj.metadata.name, None)
        if not held:
            self._held.pop(obj.metadata.namespace, None)


def _name(service: Service) -> tuple[str, str]:
    return service.metadata.namespace, service.metadata.name
