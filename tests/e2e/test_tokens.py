"""Tokens of ServiceAccounts: bound to their Pod, delivered where they are asked for, and not asked for twice."""

import base64
import json

import pytest

from tests.e2e.bed import audit
from tests.e2e.bed.bed import VNODE_USER, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import LATER, SOON, Namespace

_PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
_SHOWS = f"cd {_PLACE} && cat namespace && echo && base64 -w0 token && echo && wc -l < ca.crt && echo shown; sleep 3600"

pytestmark = pytest.mark.timeout(300, func_only=True)


def _review(bed: Bed, token: str) -> Manifest:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    return dict(bed.control_plane.api("/apis/authentication.k8s.io/v1/tokenreviews", "POST", body)["status"])


def _asked(bed: Bed) -> int:
    """How often vnode asked for a token."""
    lines = bed.audit_log.read_text().splitlines()
    events = (json.loads(line) for line in lines if '"subresource":"token"' in line and VNODE_USER in line)
    return sum(event["verb"] == "create" for event in events)


def test_the_default_token_is_bound_to_its_pod_and_outlives_a_restart_of_ours(
    bed: Bed, vnode: VnodeProcess, namespace: Namespace
) -> None:
    if bed.profile != "secured":
        pytest.skip("in the plain profile vnode is administrator, whose requests are not told apart")
    namespace.create(
        pod("default", container(_SHOWS), driver="docker", automountServiceAccountToken=True),
        pod("raw", container("sleep 3600"), automountServiceAccountToken=True),
    )
    found = namespace.wait_ready("default")
    wait_until("its files", lambda: "shown" in namespace.logs("default"), within=SOON)
    name, encoded, lines, _ = namespace.logs("default").splitlines()
    token = base64.b64decode(encoded).decode()
    assert name == namespace.name
    assert int(lines) > 5
    status = _review(bed, token)
    assert status["authenticated"]
    assert status["user"]["username"] == f"system:serviceaccount:{namespace.name}:default"
    assert status["user"]["extra"]["authentication.kubernetes.io/pod-uid"] == [found["metadata"]["uid"]]
    namespace.wait_ready("raw")
    uid = namespace.pod("raw")["metadata"]["uid"]
    assert uid not in json.dumps(bed.nomad.api("/v1/vars?namespace=*"))
    asked = _asked(bed)
    vnode.stop()
    vnode.start()
    # A change that vnode delivers shows that it has looked at the Pod again.
    namespace.kubectl("patch", "configmap", "kube-root-ca.crt", '--patch={"data":{"more":"x"}}')
    namespace.wait_ready("default")
    assert _asked(bed) == asked
    namespace.delete("default", grace=1)
    namespace.wait_gone("default")
    wait_until("the token to be refused", lambda: not _review(bed, token).get("authenticated"), within=LATER)


def test_the_right_to_make_tokens_is_used_by_nobody_else(bed: Bed) -> None:
    used = audit.used(bed.audit_log, VNODE_USER, agent="vnode/")
    assert audit.Right("create", "", "serviceaccounts/token") in used or bed.profile != "secured"
