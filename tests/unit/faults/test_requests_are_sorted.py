import pytest

from tests.faults.routes import Kind, Peer, Route, route_of

NOMAD, KUBERNETES = Peer.NOMAD, Peer.KUBERNETES


@pytest.mark.parametrize(
    ("method", "path", "query", "kind", "name"),
    [
        ("GET", "/version", {}, Kind.READ, "GET version"),
        ("GET", "/api/v1/pods", {}, Kind.LIST, "LIST pods"),
        ("GET", "/api/v1/pods", {"watch": "true"}, Kind.STREAM, "WATCH pods"),
        ("GET", "/api/v1/namespaces/a/configmaps", {"watch": "true"}, Kind.STREAM, "WATCH configmaps"),
        ("GET", "/api/v1/namespaces/kube-system", {}, Kind.READ, "GET namespaces"),
        ("GET", "/api/v1/namespaces/a/pods/b", {}, Kind.READ, "GET pods"),
        ("PATCH", "/api/v1/namespaces/a/pods/b/status", {}, Kind.WRITE, "PATCH pods/status"),
        ("DELETE", "/api/v1/namespaces/a/pods/b", {}, Kind.WRITE, "DELETE pods"),
        ("POST", "/api/v1/namespaces/a/events", {}, Kind.WRITE, "POST events"),
        ("PATCH", "/api/v1/nodes/n/status", {}, Kind.WRITE, "PATCH nodes/status"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/n", {}, Kind.WRITE, "PUT leases"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {}, Kind.WRITE, "POST tokenreviews"),
    ],
)
def test_kubernetes(method: str, path: str, query: dict[str, str], kind: Kind, name: str) -> None:
    assert route_of(KUBERNETES, method, path, query) == Route(KUBERNETES, kind, name)


@pytest.mark.parametrize(
    ("method", "path", "query", "kind", "name"),
    [
        ("PUT", "/v1/jobs", {}, Kind.WRITE, "PUT /v1/jobs"),
        ("GET", "/v1/jobs", {"prefix": "vk-"}, Kind.LIST, "GET /v1/jobs"),
        ("GET", "/v1/job/vk-1", {}, Kind.READ, "GET /v1/job"),
        ("GET", "/v1/job/vk-1/allocations", {}, Kind.LIST, "GET /v1/job/allocations"),
        ("DELETE", "/v1/job/vk-1", {"purge": "false"}, Kind.WRITE, "DELETE /v1/job"),
        ("DELETE", "/v1/job/vk-1", {"purge": "true"}, Kind.WRITE, "DELETE /v1/job?purge"),
        ("PUT", "/v1/client/allocation/a/signal", {}, Kind.WRITE, "PUT /v1/client/allocation/signal"),
        ("GET", "/v1/client/fs/ls/a", {}, Kind.READ, "GET /v1/client/fs/ls"),
        ("PUT", "/v1/var/nomad/jobs/vk-1", {}, Kind.WRITE, "PUT /v1/var"),
        ("GET", "/v1/node/pool/default", {}, Kind.READ, "GET /v1/node/default"),
        ("GET", "/v1/vars", {"prefix": "nomad/jobs/vk-"}, Kind.LIST, "GET /v1/vars"),
        ("GET", "/v1/event/stream", {"topic": "Node"}, Kind.STREAM, "GET /v1/event/stream"),
    ],
)
def test_nomad(method: str, path: str, query: dict[str, str], kind: Kind, name: str) -> None:
    assert route_of(NOMAD, method, path, query) == Route(NOMAD, kind, name)
