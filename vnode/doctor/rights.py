"""The rights that a run needs in Kubernetes, and asking the API server for each whether we have it.

The list is that of deploy/base/vnode/rbac.yaml and, where the cluster signs the serving certificate or claims are
served, of deploy/components/server-tls-bootstrap/rbac.yaml and persistent-volumes/rbac.yaml; a unit test keeps the two
the same.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vnode.doctor.findings import Finding, fine, trouble
from vnode.doctor.problems import Problem
from vnode.errors import PeerError
from vnode.kube.api import Requests, decode_object, encode

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WITHIN = 10.0


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource (`pods`, `pods/status`), in one namespace or everywhere, on one object or all."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        resource, slash, subresource = self.resource.partition("/")
        grouped = f"{resource}.{self.group}" if self.group else resource
        words = [self.verb, grouped + slash + subresource, self.name, f"in {self.namespace}" if self.namespace else ""]
        return " ".join(word for word in words if word)

    def question(self) -> dict[str, object]:
        """The SelfSubjectAccessReview that asks for it; every authenticated user may ask, and nothing is stored."""
        resource, _, subresource = self.resource.partition("/")
        attributes = {
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "verb": self.verb,
            "namespace": self.namespace,
            "name": self.name,
        }
        given = {key: value for key, value in attributes.items() if value}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": given},
        }


def _on(group: str, resource: str, *verbs: str, namespace: str = "", name: str = "") -> Iterator[Right]:
    return (Right(group, resource, verb, namespace, name) for verb in verbs)


def election(namespace: str) -> tuple[Right, ...]:
    """What an election by a Lease in this namespace needs."""
    verbs = ("get", "list", "watch", "create", "update")
    return tuple(_on("coordination.k8s.io", "leases", *verbs, namespace=namespace))


CLIENT_AUTHORITY = tuple(
    _on("", "configmaps", "get", "list", "watch", namespace="kube-system", name="extension-apiserver-authentication")
)
CLUSTER_IDENTITY = Right("", "namespaces", "get", "", "kube-system")
SERVING_CERTIFICATE = tuple(_on("certificates.k8s.io", "certificatesigningrequests", "create", "list", "watch"))
PERSISTENT_VOLUMES = (
    *_on("", "persistentvolumeclaims", "list", "watch"),
    *_on("", "persistentvolumes", "get", "list", "watch", "create", "delete"),
    *_on("storage.k8s.io", "storageclasses", "get"),
)

RIGHTS = (
    *_on("", "nodes", "get", "list", "watch", "create", "patch"),
    *_on("", "nodes/status", "patch"),
    *_on("", "pods", "get", "list", "watch", "delete"),
    *_on("", "pods/status", "patch"),
    *_on("", "events", "create", "patch"),
    *_on("", "services", "list", "watch"),
    CLUSTER_IDENTITY,
    *_on("authentication.k8s.io", "tokenreviews", "create"),
    *_on("authorization.k8s.io", "subjectaccessreviews", "create"),
    *_on("coordination.k8s.io", "leases", "get", "create", "update", namespace="kube-node-lease"),
    *CLIENT_AUTHORITY,
    *election("vnode"),
    *SERVING_CERTIFICATE,
    *PERSISTENT_VOLUMES,
)


async def examine(kubernetes: Requests, rights: Iterable[Right], user: str) -> tuple[Finding, ...]:
    """One finding for each right that is missing or could not be asked for, or one that says that there is none."""
    async with asyncio.TaskGroup() as group:
        asked = {right: group.create_task(_allowed(kubernetes, right)) for right in rights}
    found = tuple(
        trouble(Problem.RBAC, f"right to {right}", _words(task.result(), user), user=user)
        for right, task in asked.items()
        if task.result() is not True
    )
    return found or (fine("rights in Kubernetes", f"{user} has all {len(asked)}"),)


async def _allowed(kubernetes: Requests, right: Right) -> bool | PeerError:
    try:
        body = await kubernetes.request("POST", _REVIEWS, body=encode(right.question()), within=_WITHIN)
        return (decode_object(body).get("status") or {}).get("allowed") is True
    except PeerError as error:
        return error


def _words(answer: bool | PeerError, user: str) -> str:  # noqa: FBT001 - an answer, not a switch
    return str(answer) if isinstance(answer, PeerError) else f"{user} does not have it"
