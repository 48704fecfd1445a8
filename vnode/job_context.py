"""What the jobs of one Nomad namespace have in common, by the settings."""

from translators.pod_to_job import JobContext
from vnode.settings import Settings


def job_context(
    settings: Settings, cluster: str, namespace: str, mhz_per_core: float, *, memory_oversubscription: bool
) -> JobContext:
    """The context of translations into the Nomad namespace `namespace`; `cluster` is who owns the jobs there."""
    return JobContext(
        cluster_id=cluster,
        node_name=settings.node_name,
        nomad_namespace=namespace,
        region=settings.nomad_region,
        datacenters=settings.datacenters,
        node_pool=settings.node_pool,
        mhz_per_core=mhz_per_core,
        memory_oversubscription=memory_oversubscription,
        default_driver=settings.default_driver,
        kubernetes_service=settings.kubernetes_endpoint,
        routable_allocations=settings.routable_allocations,
        devices=settings.devices,
        priorities=settings.priorities,
        large_data=settings.nomad_policy_token_file is not None,
    )
