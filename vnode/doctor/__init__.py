"""`vnode doctor`: everything that a run needs, checked from the outside in; what to do about each failure.

Nothing is written into either system, and no secret is shown.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from vnode.doctor.findings import Finding
from vnode.doctor.kubernetes import KubernetesExamination, namespaces_of_pods, unusable
from vnode.doctor.nomad import NomadExamination
from vnode.errors import Denied, PeerError
from vnode.kube.connection import Connection, connect
from vnode.settings import Settings

__all__ = ["Finding", "examine"]


def _now() -> datetime:
    return datetime.now(UTC)


async def examine(settings: Settings, now: Callable[[], datetime] = _now) -> Sequence[Finding]:
    """Check both peers with the settings of a run; `now` is our wall clock."""
    kubernetes, namespaces = await _kubernetes(settings, now)
    return *kubernetes, *await NomadExamination(settings, namespaces, now).run()


async def _kubernetes(settings: Settings, now: Callable[[], datetime]) -> tuple[tuple[Finding, ...], frozenset[str]]:
    try:
        async with connect(str(settings.kubeconfig) if settings.kubeconfig else None) as connection:
            found = await KubernetesExamination(settings, connection, now).run()
            return found, await _used_namespaces(connection, settings.node_name)
    except Denied as error:
        return await unusable(settings, error), frozenset()


async def _used_namespaces(connection: Connection, node: str) -> frozenset[str]:
    try:
        return await namespaces_of_pods(connection, node)
    except PeerError:
        # What it means has been said: a right or the API itself is missing.
        return frozenset()
