"""The identity of a Pod in Nomad: the job's ID, and the keys in its Meta by which we know our jobs again.

Meta is also handed to every task as environment, twice a key: it holds identity, how the Pod's data is laid out, and
nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from translators.records.jobs import JobId, JobStub
from translators.records.pods import Container, Pod, PodUid

CLUSTER = "vk_cluster"
NODE = "vk_node"
NAMESPACE = "vk_namespace"
POD = "vk_pod"
UID = "vk_uid"
HASH = "vk_hash"
VARIABLES = "vk_variables"
TURNS = "vk_turns"
LOGINS = "vk_logins"

_PREFIX = "vk-"
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobIdentity:
    """Whose job a job is: cluster and virtual Node that submitted it, and the Pod that it runs.

    `variables` is the number of Nomad Variables in which the Pod's data lies, see `translators.variables`. `turns` says
    that others give its init containers their turns, see `translators.pod_to_job.turns`, `logins` that its tasks have
    credentials of registries, see `translators.pod_to_job.registries`.
    """

    cluster: str
    node: str
    namespace: str
    pod: str
    uid: PodUid
    hash: str
    variables: int = 0
    turns: bool = False
    logins: bool = False

    @property
    def has_own_paths(self) -> bool:
        """Whether something stands at its tasks' own paths, beside the data."""
        return self.turns or self.logins


def job_id(uid: PodUid) -> JobId:
    """The ID of a Pod's job; of the charset that Nomad's variable paths allow."""
    return JobId(_PREFIX + uid)


def uid_of(job_id: str) -> PodUid | None:
    """The UID in the ID of a Pod's job, or None for a job that is surely not one."""
    return PodUid(job_id.removeprefix(_PREFIX)) if job_id.startswith(_PREFIX) else None


def meta(
    pod: Pod, cluster_id: str, node_name: str, *, variables: int = 0, turns: bool = False, logins: bool = False
) -> dict[str, str]:
    """The Meta of a Pod's job; a Pod without data says nothing of Variables, nor one without turns of these."""
    held = {VARIABLES: str(variables)} if variables else {}
    if turns:
        held[TURNS] = "true"
    if logins:
        held[LOGINS] = "true"
    return {
        CLUSTER: cluster_id,
        NODE: node_name,
        NAMESPACE: pod.metadata.namespace,
        POD: pod.metadata.name,
        UID: pod.metadata.uid,
        HASH: spec_hash(pod),
        **held,
    }


def owner_of(stub: JobStub) -> JobIdentity | None:
    """Whose job this is, or None where its ID and Meta do not both say that a virtual Node submitted it."""
    found = stub.meta
    if any(key not in found for key in (CLUSTER, NODE, NAMESPACE, POD, UID)) or stub.id != job_id(PodUid(found[UID])):
        return None
    return JobIdentity(
        cluster=found[CLUSTER],
        node=found[NODE],
        namespace=found[NAMESPACE],
        pod=found[POD],
        uid=PodUid(found[UID]),
        hash=found.get(HASH, ""),
        variables=number_of_variables(found),
        turns=TURNS in found,
        logins=LOGINS in found,
    )


def number_of_variables(meta: Mapping[str, str]) -> int:
    """In how many Nomad Variables the data of a job lies, by its Meta."""
    text = meta.get(VARIABLES, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def spec_hash(pod: Pod) -> str:
    """A hash over the part of a Pod's spec that Kubernetes lets change and that its job carries.

    That is the containers' images and resources: everything else that we translate is immutable under one UID.
    Nothing else enters, so that neither a newer version of ours that reads more fields, nor a Pod that the view
    has stripped, looks changed; a running job would be replaced for it.
    """
    containers = [_changeable(container) for container in pod.spec.every_container]
    return sha256(_CANONICAL.encode(containers).encode()).hexdigest()[:16]


def _changeable(container: Container) -> dict[str, Any]:
    return {
        "name": container.name,
        "image": container.image,
        "requests": {name: str(amount) for name, amount in container.resources.requests.items()},
        "limits": {name: str(amount) for name, amount in container.resources.limits.items()},
    }
