"""Scene 5: whoever calls the kubelet API without the right to learns nothing of the Pods, not even that they exist."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.e2e import kubelet_api
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.certificates import Authority
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import pod
from tests.e2e.namespace import SOON, Namespace

_SECRET = "the words of the Pod"
_POD = "hush"


class Target(NamedTuple):
    """A Pod that somebody wants to know about."""

    namespace: Namespace
    uid: str

    @property
    def log(self) -> str:
        return f"/containerLogs/{self.namespace.name}/{_POD}/main"

    @property
    def paths(self) -> tuple[str, ...]:
        container = f"{self.namespace.name}/{_POD}/main"
        listed = ("/pods", "/runningpods/", "/metrics", "/configz", "/healthz", "/stats/summary", "/nothing")
        return (self.log, f"/exec/{container}?command=id&output=1", f"/attach/{container}", *listed)


@pytest.fixture(scope="module")
def target(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Target]:
    vnode.child.must_live()
    with namespaces() as namespace:
        namespace.create(pod(_POD, f"echo {_SECRET}; sleep 600"))
        found = namespace.wait_ready(_POD)
        wait_until("its log", lambda: namespace.logs(_POD) == f"{_SECRET}\n", within=SOON)
        yield Target(namespace, found["metadata"]["uid"])


@pytest.fixture(scope="module")
def account(bed: Bed, target: Target) -> str:
    """A ServiceAccount without any right; its token."""
    bed.kubectl("create", "serviceaccount", "stranger", f"--namespace={target.namespace.name}")
    return _token(bed, target.namespace)


def test_nobody(bed: Bed, vnode: VnodeProcess, target: Target) -> None:
    with kubelet_api.client(bed, vnode) as api:
        _learns_nothing(api, target, 401)


def test_a_certificate_of_another_authority(bed: Bed, vnode: VnodeProcess, target: Target, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "pki", "hashinetes-bed-kubernetes")
    forged = stranger.issue("forged", "kube-apiserver-kubelet-client", organization="system:masters")
    with kubelet_api.client(bed, vnode, pair=forged) as api:
        for path in target.paths:
            with pytest.raises(httpx2.TransportError):
                api.get(path)


@pytest.mark.parametrize("word", ["expired", "forged", "foreign", "nonsense"])
def test_a_token_that_is_not_valid(bed: Bed, vnode: VnodeProcess, target: Target, account: str, word: str) -> None:
    tokens = {
        "expired": _expired(account, bed.control_plane.token_key),
        "forged": account[:-8] + "AAAAAAAA",
        "foreign": _token(bed, target.namespace, "--audience=vault"),
        "nonsense": "open sesame",
    }
    with kubelet_api.client(bed, vnode, token=tokens[word]) as api:
        _learns_nothing(api, target, 401)


def test_the_expired_token_was_good_but_for_its_time(bed: Bed, account: str) -> None:
    """The forgery of the test above: with a time in the future it is good."""
    token = _expired(account, bed.control_plane.token_key, lifetime=10**9)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = bed.control_plane.api("/apis/authentication.k8s.io/v1/tokenreviews", "POST", review)
    assert answer["status"]["authenticated"] is True


def test_a_user_without_rights_by_token(bed: Bed, vnode: VnodeProcess, target: Target, account: str) -> None:
    with kubelet_api.client(bed, vnode, token=account) as api:
        _learns_nothing(api, target, 403)


def test_a_user_without_rights_by_certificate(bed: Bed, vnode: VnodeProcess, target: Target) -> None:
    pair = bed.control_plane.authority.issue("nobody", "nobody", organization="nobodies")
    with kubelet_api.client(bed, vnode, pair=pair) as api:
        _learns_nothing(api, target, 403)


_OPENED = {
    "metrics": {"/metrics", "/metrics/resource", "/metrics/cadvisor"},
    "stats": {"/stats/summary"},
    "pods": {"/pods", "/runningpods/"},
    "healthz": {"/healthz"},
    "configz": {"/configz"},
}


@pytest.mark.parametrize("right", _OPENED)
def test_a_right_opens_what_it_names_and_nothing_else(
    bed: Bed, vnode: VnodeProcess, target: Target, right: str
) -> None:
    """Each by somebody of its own, for an answer is believed for a while."""
    name = f"reads-{right}"
    user = f"system:serviceaccount:{target.namespace.name}:{name}"
    bed.kubectl("create", "serviceaccount", name, f"--namespace={target.namespace.name}")
    bed.kubectl("create", "clusterrole", name, "--verb=get", f"--resource=nodes/{right}")
    bed.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--user={user}")
    token = bed.kubectl("create", "token", name, f"--namespace={target.namespace.name}").stdout.strip()
    may = ("auth", "can-i", "get", "nodes", f"--subresource={right}", f"--as={user}")
    wait_until("the new right", lambda: bed.kubectl(*may, check=False).returncode == 0, within=SOON)
    try:
        with kubelet_api.client(bed, vnode, token=token) as api:
            paths = {*(path for opened in _OPENED.values() for path in opened), target.log, "/nothing"}
            answers = {path: api.get(path).status_code for path in paths}
            assert {path for path, status in answers.items() if status == 200} == _OPENED[right]
            assert {status for path, status in answers.items() if path not in _OPENED[right]} == {403}
    finally:
        bed.kubectl("delete", f"clusterrolebinding/{name}", f"clusterrole/{name}")


def test_the_api_server_is_let_in(bed: Bed, vnode: VnodeProcess, target: Target) -> None:
    with kubelet_api.client(bed, vnode, pair=bed.control_plane.admin) as api:
        assert api.get(target.log).text == f"{_SECRET}\n"
        assert target.uid in api.get("/pods").text


def _learns_nothing(api: httpx2.Client, target: Target, status: int) -> None:
    for path in target.paths:
        for method in ("GET", "POST"):
            answer = api.request(method, path)
            assert answer.status_code == status, f"{method} {path}"
            for word in (_SECRET, target.uid, _POD, "containerStatuses"):
                assert word not in answer.text
                assert word not in str(answer.headers)


def _token(bed: Bed, namespace: Namespace, *options: str) -> str:
    command = ("create", "token", "stranger", f"--namespace={namespace.name}", *options)
    return bed.kubectl(*command).stdout.strip()


def _expired(token: str, key_file: Path, *, lifetime: int = 600) -> str:
    """The same token, signed by the cluster's own key, for a time that began in 2020."""
    header, payload, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    began = 1_600_000_000
    claims |= {"iat": began, "nbf": began, "exp": began + lifetime}
    signed = f"{header}.{_base64(json.dumps(claims).encode())}"
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64(b''.join(number.to_bytes(32, 'big') for number in signature))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
