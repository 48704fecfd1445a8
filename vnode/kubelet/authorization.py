"""What a caller may do: SubjectAccessReview on this Node's subresources.

The map of paths to subresources is a kubelet's (pkg/kubelet/server/auth.go, with the fine-grained ones of
KubeletFineGrainedAuthz). Stricter in one point: exec, attach, run and portForward demand `create` for every
method, for a WebSocket exec is a GET and `get nodes/proxy` must not suffice to run commands.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from vnode.kube.api import Requests, decode_object
from vnode.kubelet.authentication import Caller
from vnode.kubelet.expiring_cache import ExpiringCache

#: Seconds, a kubelet's (authorization.webhook in pkg/kubelet/apis/config/v1beta1/defaults.go): a right that was
#: withdrawn works that much longer at most, one that was given works after that at the latest.
ALLOWED_LASTS, REFUSED_LASTS = 300.0, 30.0

#: Callers times subresources; a few hundred bytes each.
_KEPT = 1024

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_RUNS_COMMANDS = {"exec", "attach", "run", "portForward"}
_SUBRESOURCES = {
    "pods": ("pods", "proxy"),
    "runningpods": ("pods", "proxy"),
    "healthz": ("healthz", "proxy"),
    "configz": ("configz", "proxy"),
    "stats": ("stats",),
    "metrics": ("metrics",),
    "logs": ("log",),
    "checkpoint": ("checkpoint",),
    "statusz": ("statusz",),
    "flagz": ("configz",),
}


@dataclass(frozen=True, slots=True)
class Access:
    """A verb and the subresources of the Node of which any one suffices; an unknown verb is allowed nobody."""

    verb: str
    subresources: tuple[str, ...]


def needed_access(method: str, path: str) -> Access:
    """What a request needs; `path` is decoded."""
    root = path.lstrip("/").partition("/")[0]
    if root in _RUNS_COMMANDS:
        return Access("create", ("proxy",))
    return Access(_VERBS.get(method, ""), _SUBRESOURCES.get(root, ("proxy",)))


class Authorizer:
    """Asks the API server, and believes its answers for as long as a kubelet does."""

    def __init__(self, kubernetes: Requests, node: str, clock: Callable[[], float]) -> None:
        self._kubernetes = kubernetes
        self._node = node
        self._answers = ExpiringCache[tuple[Caller, str, str], bool](size=_KEPT, clock=clock)

    async def allows(self, caller: Caller, access: Access) -> bool:
        """Whether the caller has one of the rights. Raises vnode.errors when that cannot be asked."""
        if not access.verb:
            return False
        for subresource in access.subresources:
            if await self._allows(caller, access.verb, subresource):
                return True
        return False

    async def _allows(self, caller: Caller, verb: str, subresource: str) -> bool:
        key = (caller, verb, subresource)
        answer = self._answers.get(key)
        if answer is None:
            answer = await self._review(caller, verb, subresource)
            self._answers.put(key, answer, ALLOWED_LASTS if answer else REFUSED_LASTS)
        return answer

    async def _review(self, caller: Caller, verb: str, subresource: str) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": caller.name,
                "uid": caller.uid,
                "groups": caller.groups,
                "extra": dict(caller.extra),
                "resourceAttributes": {
                    "verb": verb,
                    "version": "v1",
                    "resource": "nodes",
                    "subresource": subresource,
                    "name": self._node,
                },
            },
        }
        body = await self._kubernetes.request(
            "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=json.dumps(review).encode()
        )
        status = decode_object(body).get("status")
        return isinstance(status, dict) and status.get("allowed") is True and status.get("denied") is not True
