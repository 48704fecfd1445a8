"""What a request is about, as far as faults care: the peer, the kind of exchange, and its target without names."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Peer(StrEnum):
    """Whose API it is."""

    KUBERNETES = "kubernetes"
    NOMAD = "nomad"


class Kind(StrEnum):
    """What is at stake: a write has an effect, a list is believed to be whole, a stream has no end."""

    READ = "read"
    LIST = "list"
    WRITE = "write"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Route:
    """Requests that are alike, e.g. `PATCH pods/status` or `DELETE /v1/job?purge`."""

    peer: Peer
    kind: Kind
    name: str


_NOMAD_LISTS = frozenset({"jobs", "allocations", "evaluations", "nodes", "namespaces", "vars"})
_NOMAD_STREAM = "/v1/event/stream"


def route_of(peer: Peer, method: str, path: str, query: Mapping[str, str]) -> Route:
    """Sort a request."""
    return _kubernetes(method, path, query) if peer is Peer.KUBERNETES else _nomad(method, path, query)


def _kubernetes(method: str, path: str, query: Mapping[str, str]) -> Route:
    # /version, /api/v1/…, /apis/<group>/<version>/…
    parts = path.strip("/").split("/")
    below = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else parts
    if below[:1] == ["namespaces"] and len(below) > 2:
        below = below[2:]
    resource = "/".join((below[0], *below[2:]))
    if method != "GET":
        return Route(Peer.KUBERNETES, Kind.WRITE, f"{method} {resource}")
    if query.get("watch") == "true":
        return Route(Peer.KUBERNETES, Kind.STREAM, f"WATCH {resource}")
    listed = len(below) == 1 and parts[0] in {"api", "apis"}
    return Route(Peer.KUBERNETES, Kind.LIST if listed else Kind.READ, f"{'LIST' if listed else 'GET'} {resource}")


def _nomad(method: str, path: str, query: Mapping[str, str]) -> Route:
    if path == _NOMAD_STREAM:
        return Route(Peer.NOMAD, Kind.STREAM, f"{method} {path}")
    _, version, *rest = path.split("/")
    name = f"{method} /{version}/{'/'.join(_without_names(rest))}"
    if method != "GET":
        purge = "?purge" if query.get("purge") == "true" else ""
        return Route(Peer.NOMAD, Kind.WRITE, name + purge)
    return Route(Peer.NOMAD, Kind.LIST if rest[-1] in _NOMAD_LISTS else Kind.READ, name)


def _without_names(rest: list[str]) -> list[str]:
    """`job/<id>/allocations` as `job/allocations`, `client/fs/ls/<id>` as `client/fs/ls`, `var/<path>` as `var`."""
    match rest:
        case ["var", *_]:
            return ["var"]
        case ["job" | "allocation" | "evaluation" | "node" as one, _, *below]:
            return [one, *below]
        case ["client", "allocation", _, what]:
            return ["client", "allocation", what]
        case ["client", "fs", what, *_]:
            return ["client", "fs", what]
    return rest
