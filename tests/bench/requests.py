"""Requests by kind, and which kinds are the background of a vnode that has nothing to do."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

#: Requests by kind: "patch pods/status" or "get configmaps in kube-system" for Kubernetes, "PUT /v1/jobs" for Nomad.
Requests = Counter[str]

#: Of vnode.kube.connection.
VNODE_AGENT = "vnode/"

_ID = re.compile(r"(?:vk-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BACKGROUND_RESOURCES = {"leases", "nodes", "nodes/status"}
# The slow resync, and what comes before a watch.
_RESYNC = {
    "list pods",
    "list namespaces",
    "GET /v1/jobs",
    "GET /v1/allocations",
    "GET /v1/vars",
    "GET /v1/nodes",
    "GET /v1/namespaces",
}
_IN_SYSTEM = " in kube-system"
_STREAMS = {"GET /v1/event/stream"}
# How vnode judges a caller of its kubelet API: the bench, reading the metrics, is one.
_CAUSED_BY_THE_BENCH = {"create tokenreviews", "create subjectaccessreviews"}
_KUBERNETES_READS = {"get", "list"}


class AuditTrail:
    """vnode's requests as the API server wrote them down. A position is a place in the file, and so a moment."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def position(self) -> int:
        """Now."""
        return self._log.stat().st_size

    def since(self, position: int) -> Requests:
        """The requests that were answered since then; a watch counts when it begins."""
        return Counter(_kind(event) for event in self._events(position))

    def refused_since(self, position: int) -> Requests:
        """Those of them that were answered with an error, with its code."""
        codes = ((_kind(event), event.get("responseStatus", {}).get("code", 0)) for event in self._events(position))
        return Counter(f"{kind} {code}" for kind, code in codes if code >= 400)

    def _events(self, position: int) -> Iterator[dict[str, Any]]:
        with self._log.open("rb") as log:
            log.seek(position)
            for line in log:
                # The last line may be half written.
                if line.endswith(b"\n") and VNODE_AGENT.encode() in line and _counts(event := json.loads(line)):
                    yield event


def nomad_kind(method: str, path: str) -> str:
    """The kind of a request to Nomad: IDs are left out."""
    return f"{method} {_ID.sub(':id', path)}"


def is_background(kind: str) -> bool:
    """Whether a request belongs to no Pod: leases, Node status, watches, streams and the slow resync."""
    verb, _, resource = kind.partition(" ")
    return (
        verb == "watch"
        or resource in _BACKGROUND_RESOURCES
        or kind in _RESYNC
        or kind in _STREAMS
        or kind in _CAUSED_BY_THE_BENCH
    )


def is_read(kind: str) -> bool:
    """Whether a request only reads."""
    verb = kind.partition(" ")[0]
    return verb in _KUBERNETES_READS or verb == "GET"


def foreground(requests: Requests) -> Requests:
    """The requests that are made for Pods."""
    return Counter({kind: number for kind, number in requests.items() if not is_background(kind)})


def reads(requests: Requests) -> int:
    """The reads made for Pods; what lies in kube-system is about the cluster."""
    return sum(
        number for kind, number in foreground(requests).items() if is_read(kind) and not kind.endswith(_IN_SYSTEM)
    )


def writes(requests: Requests) -> int:
    """The writes made for Pods."""
    return sum(number for kind, number in foreground(requests).items() if not is_read(kind))


def _counts(event: Mapping[str, Any]) -> bool:
    wanted = "ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"
    agent: str = event.get("userAgent", "")
    return agent.startswith(VNODE_AGENT) and event["stage"] == wanted


def _kind(event: Mapping[str, Any]) -> str:
    reference = event.get("objectRef", {})
    resource = reference.get("resource") or event["requestURI"].partition("?")[0]
    if subresource := reference.get("subresource"):
        resource = f"{resource}/{subresource}"
    return f"{event['verb']} {resource}{_IN_SYSTEM if reference.get('namespace') == 'kube-system' else ''}"
