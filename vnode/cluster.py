"""Which Kubernetes cluster we are in: the identity that our jobs carry, and the version that our Node reports."""

from dataclasses import dataclass

from vnode.kube.api import Requests, decode_as


@dataclass(frozen=True, slots=True)
class Cluster:
    """`id` tells clusters apart that share one Nomad; `version` is the API server's, such as v1.36.3."""

    id: str
    version: str


async def cluster_of(kubernetes: Requests, configured_id: str) -> Cluster:
    """Ask the API server; the UID of namespace kube-system lives as long as the cluster does."""
    answer = await kubernetes.request("GET", "/version")
    version = decode_as("version", lambda raw: str(raw["gitVersion"]), answer)
    if configured_id:
        return Cluster(configured_id, version)
    answer = await kubernetes.request("GET", "/api/v1/namespaces/kube-system")
    return Cluster(decode_as("Namespace", lambda raw: str(raw["metadata"]["uid"]), answer), version)
