"""The rights that a run needs in Kubernetes, and asking the API server for each whether we have it.

The list is that of deploy/base/vnode/rbac.yaml; a unit test keeps the two the same.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vnode.doctor.findings import Finding, fine, trouble
from vnode.doctor.problems import Problem
from vnode.errors import PeerError
from vnode.kube.api import Requests, decode_object, encode

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


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


CLIENT_AUTHORITY = Right("", "configmaps", "get", "kube-system", "extension-apiserver-authentication")
CLUSTER_IDENTITY = Right("", "namespaces", "get", "", "kube-system")

RIGHTS = (
    *_on("", "nodes", "get", "list", "watch", "create", "patch"),
    *_on("", "nodes/status", "patch"),
    *_on("", "pods", "get", "list", "watch", "delete"),
    *_on("", "pods/status", "patch"),
    *_on("", "events", "create", "patch"),
    CLUSTER_IDENTITY,
    *_on("authentication.k8s.io", "tokenreviews", "create"),
    *_on("authorization.k8s.io", "subjectaccessreviews", "create"),
    *_on("coordination.k8s.io", "leases", "get", "create", "update", namespace="kube-node-lease"),
    CLIENT_AUTHORITY,
)


async def missing(kubernetes: Requests, rights: Iterable[Right]) -> tuple[Right, ...]:
    """Those of the rights that we do not have; raises `vnode.errors.PeerError`."""

    async def ask(right: Right) -> bool:
        answer = decode_object(await kubernetes.request("POST", _REVIEWS, body=encode(right.question())))
        return (answer.get("status") or {}).get("allowed") is True

    asked = tuple(rights)
    allowed = await asyncio.gather(*(ask(right) for right in asked))
    return tuple(right for right, granted in zip(asked, allowed, strict=True) if not granted)


async def examine(kubernetes: Requests, rights: Iterable[Right], user: str) -> tuple[Finding, ...]:
    """One finding for each missing right, or one that says that there is none."""
    needed = tuple(rights)
    try:
        lacking = await missing(kubernetes, needed)
    except PeerError as error:
        return (trouble(Problem.RBAC, "rights in Kubernetes", str(error), user=user),)
    found = (trouble(Problem.RBAC, f"right to {right}", f"{user} does not have it", user=user) for right in lacking)
    return tuple(found) or (fine("rights in Kubernetes", f"{user} has all {len(needed)}"),)
