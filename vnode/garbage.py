"""`vnode gc`: what an uninstall leaves in Nomad, collected by the same decisions that a run takes."""

import asyncio
from collections.abc import Callable, Iterable

from translators.identity import JobIdentity, owner_of
from translators.records.jobs import JobStub
from translators.support import decode_pod
from vnode.cluster import Cluster, cluster_of
from vnode.collected import Collected
from vnode.connections import connections
from vnode.errors import Unavailable
from vnode.following import namespaces_in_use
from vnode.kube.patches import PodWriter
from vnode.metrics import Metrics
from vnode.nomad.client import NomadClient
from vnode.service import Service
from vnode.settings import Settings

#: Seconds that the tasks of collected jobs may take to end.
WITHIN = 600.0


async def collect(settings: Settings, *, everything: bool, dry_run: bool) -> list[str]:
    """Remove the jobs of this Node whose Pods are gone, or all of them; says which.

    Raises the kinds of `vnode.errors`, Unavailable also when the tasks do not end in time.
    """
    async with connections(settings) as (kubernetes, transport):
        cluster = await cluster_of(kubernetes, settings.cluster_id)
        owned = await _jobs(NomadClient(transport), settings.namespace_map, _of_this_node(cluster, settings))
        if not everything:
            owned = await _without_pods(PodWriter(kubernetes, decode_pod), owned)
        if owned and not dry_run:
            collected = Collected(frozenset(owner.uid for _, owner in owned))
            await _within(
                Service(settings, cluster, kubernetes, transport, metrics=Metrics(), collected=collected), collected
            )
        return [f"{'would remove' if dry_run else 'removed'} {stub.name} ({stub.id})" for stub, _ in owned]


def _of_this_node(cluster: Cluster, settings: Settings) -> Callable[[JobIdentity], bool]:
    return lambda owner: (owner.cluster, owner.node) == (cluster.id, settings.node_name)


async def _jobs(
    client: NomadClient, pattern: str, is_ours: Callable[[JobIdentity], bool]
) -> list[tuple[JobStub, JobIdentity]]:
    stubs = [
        stub for namespace in await namespaces_in_use(client, is_ours, pattern) for stub in await client.jobs(namespace)
    ]
    owned = [(stub, owner) for stub in stubs if (owner := owner_of(stub)) is not None]
    return [(stub, owner) for stub, owner in owned if is_ours(owner)]


async def _without_pods(
    pods: PodWriter, owned: Iterable[tuple[JobStub, JobIdentity]]
) -> list[tuple[JobStub, JobIdentity]]:
    gone = []
    for stub, owner in owned:
        pod = await pods.get(owner.namespace, owner.pod)
        if pod is None or pod.uid != owner.uid:
            gone.append((stub, owner))
    return gone


async def _within(service: Service, collected: Collected) -> None:
    try:
        async with asyncio.timeout(WITHIN):
            await service.collect(collected)
    except TimeoutError:
        raise Unavailable(f"some tasks did not end within {WITHIN:.0f} s; run `vnode gc` again") from None
