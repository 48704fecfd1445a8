"""What an API server's answers mean, without one."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from vnode.doctor.kubernetes import KubernetesExamination, needed_rights, unreachable
from vnode.doctor.problems import Problem, Status
from vnode.doctor.rights import (
    CLIENT_AUTHORITY,
    CLUSTER_IDENTITY,
    PERSISTENT_VOLUMES,
    RIGHTS,
    SERVING_CERTIFICATE,
    election,
)
from vnode.errors import Denied, NotFound, PeerError, Unavailable
from vnode.kube.api import JSON
from vnode.settings import Settings

_OF_COMPONENTS = {*SERVING_CERTIFICATE, *PERSISTENT_VOLUMES}
NOW = datetime(2026, 11, 23, 6, 0, 0, 500_000, tzinfo=UTC)
REVIEW = {
    "metadata": {"creationTimestamp": "2026-11-23T06:00:00Z"},
    "status": {"userInfo": {"username": "system:serviceaccount:vnode:vnode"}},
}
CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"


class Server:
    """Answers from a table; a row that is an error is raised."""

    def __init__(self, **answers: Any) -> None:
        self.denied: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.answers: dict[str, Any] = {
            "version": {"gitVersion": "v1.36.3"},
            "selfsubjectreviews": REVIEW,
            "extension-apiserver-authentication": {"data": {"client-ca-file": "PEM"}},
            "kube-root-ca.crt": Denied("no"),
            **answers,
        }

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,  # noqa: ARG002 - the protocol's
        body: bytes | None = None,
        content_type: str = JSON,  # noqa: ARG002 - the protocol's
        within: float = 60.0,  # noqa: ARG002 - the protocol's
    ) -> bytes:
        self.asked.append((method, path))
        if path.endswith("selfsubjectaccessreviews"):
            attributes = json.loads(body or b"")["spec"]["resourceAttributes"]
            return json.dumps({"status": {"allowed": attributes["resource"] not in self.denied}}).encode()
        answer = self.answers[path.rpartition("/")[2]]
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode()


async def examined(server: Server, **settings: Any) -> dict[str, Any]:
    examination = KubernetesExamination(Settings(**settings), server, lambda: NOW)
    return {finding.checked: finding for finding in await examination.run()}


async def test_a_healthy_server() -> None:
    found = await examined(Server(), leader_elect=True)
    assert not any(finding.fails for finding in found.values())
    assert found["identity in Kubernetes"].found == "system:serviceaccount:vnode:vnode"
    assert found["rights in Kubernetes"].found == (
        f"system:serviceaccount:vnode:vnode has all {len(set(RIGHTS) - _OF_COMPONENTS)}"
    )


async def test_a_certificate_that_the_cluster_signs_waits_for_somebody() -> None:
    found = await examined(Server(), server_tls_bootstrap=True)
    assert found["serving certificate"].problem is Problem.SERVING_APPROVAL


async def test_a_review_is_all_that_is_posted() -> None:
    server = Server()
    await examined(server)
    posted = {path.rpartition("/")[2] for method, path in server.asked if method != "GET"}
    assert posted == {"selfsubjectreviews", "selfsubjectaccessreviews"}


async def test_each_right_that_is_missing_is_named() -> None:
    server = Server()
    server.denied = {"leases"}
    found = await examined(server)
    named = [name for name, finding in found.items() if finding.problem is Problem.RBAC]
    assert named == [f"right to {verb} leases.coordination.k8s.io in kube-node-lease" for verb in
                     ("get", "create", "update")]  # fmt: skip


@pytest.mark.parametrize("answer", [Denied("403"), {"data": {}}, NotFound("404")])
async def test_without_the_client_authority_logs_cannot_work(answer: object) -> None:
    found = await examined(Server(**{"extension-apiserver-authentication": answer}))
    assert found["authority of the API server's client certificate"].problem is Problem.CLIENT_CA


async def test_a_server_without_self_reviews_is_only_too_old() -> None:
    found = await examined(Server(version={"gitVersion": "v1.27.1"}, selfsubjectreviews=NotFound("404")))
    assert [finding.problem for finding in found.values() if finding.fails] == [Problem.KUBERNETES_VERSION]
    assert found["clock of Kubernetes"].status is Status.SKIPPED


async def test_nothing_is_asked_of_a_server_that_is_down() -> None:
    server = Server(version=Unavailable("GET /version: no answer in time"))
    found = await examined(server)
    assert len(server.asked) == 1
    assert found["Kubernetes API"].problem is Problem.KUBERNETES_ADDRESS
    assert found["rights in Kubernetes"].status is Status.SKIPPED


@pytest.mark.parametrize(
    ("error", "problem"),
    [(Denied("401"), Problem.KUBERNETES_CREDENTIALS), (Unavailable("refused"), Problem.KUBERNETES_ADDRESS)],
)
def test_a_refusal_is_of_the_credentials_and_silence_of_the_address(error: PeerError, problem: Problem) -> None:
    assert unreachable(error).problem is problem


@pytest.mark.parametrize(
    ("settings", "spared"),
    [
        ({}, set()),
        ({"server_tls_bootstrap": False}, set(SERVING_CERTIFICATE)),
        ({"persistent_volumes": False}, set(PERSISTENT_VOLUMES)),
        ({"cluster_id": "mine"}, {CLUSTER_IDENTITY}),
        ({"client_ca_file": "/ca.crt"}, set(CLIENT_AUTHORITY)),
        ({"leader_elect": False}, set(election("vnode"))),
    ],
)
def test_rights_that_settings_make_needless_are_not_asked_for(settings: dict[str, Any], spared: set[Any]) -> None:
    everything = {"leader_elect": True, "server_tls_bootstrap": True, "persistent_volumes": True}
    assert set(RIGHTS) - set(needed_rights(Settings(**{**everything, **settings}))) == spared
