"""Tokens of ServiceAccounts: bound to their Pod, delivered where they are asked for, and not asked for twice."""

import base64
import json
import time

import pytest

from tests.e2e.bed import audit
from tests.e2e.bed.bed import VNODE_USER, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import LATER, SOON, Namespace

_PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
_SHOWS = f"cd {_PLACE} && cat namespace && echo && base64 -w0 token && echo && wc -l < ca.crt && echo shown; sleep 3600"

_ASKED_SECONDS = 600

pytestmark = pytest.mark.timeout(300, func_only=True)


def _review(bed: Bed, token: str, *audiences: str) -> Manifest:
    spec = {"token": token, "audiences": list(audiences)}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    return dict(bed.control_plane.api("/apis/authentication.k8s.io/v1/tokenreviews", "POST", body)["status"])


def _life(token: str) -> int:
    """The seconds for which a token says that it counts."""
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return int(claims["exp"] - claims["iat"])


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
    before = _asked(bed)
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
    assert _asked(bed) == before + 1
    variable = bed.nomad.api(f"/v1/var/nomad/jobs/vk-{found['metadata']['uid']}")
    assert variable["ModifyIndex"] == variable["CreateIndex"], "one write carries everything"
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


def test_an_old_token_is_renewed_in_place(bed: Bed, vnode: VnodeProcess, namespace: Namespace) -> None:
    """The clock is driven by the token: one that tells of an earlier time stands in for ten minutes of waiting."""
    script = 'while sleep 0.2; do now=$(cat $VNODE_MOUNT_T/token); [ "$now" = "$last" ] || echo "$now"; last=$now; done'
    source = {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": _ASKED_SECONDS}}
    main = container(script, volumeMounts=[{"name": "t", "mountPath": "/t"}])
    namespace.create(pod("renewed", main, volumes=[{"name": "t", "projected": {"sources": [source]}}]))
    found = namespace.wait_ready("renewed")
    path = f"/v1/var/nomad/jobs/vk-{found['metadata']['uid']}"
    vnode.stop()
    held = bed.nomad.api(path)
    [item] = [name for name in held["Items"] if name.startswith("token-")]
    now = int(time.time())
    claims = base64.urlsafe_b64encode(json.dumps({"iat": now - 590, "exp": now + 10}).encode()).decode().rstrip("=")
    old = f"e30.{claims}.c2ln"
    held["Items"][item] = base64.b64encode(old.encode()).decode()
    bed.nomad.api(path, "PUT", held)
    vnode.start()
    shown: list[str] = []

    def renewed() -> bool:
        shown[:] = namespace.logs("renewed").split()
        return old in shown and shown[-1] != old

    wait_until("the old token and then another in the file", renewed, within=SOON)
    status = _review(bed, shown[-1], "vault")
    assert status["authenticated"], status
    assert status["audiences"] == ["vault"]
    # It opens nothing that the Pod did not ask for, nor longer.
    assert not _review(bed, shown[-1]).get("authenticated")
    assert _life(shown[-1]) == _ASKED_SECONDS
    assert namespace.pod("renewed")["status"]["containerStatuses"][0]["restartCount"] == 0


def test_the_right_to_make_tokens_is_used_by_nobody_else(bed: Bed) -> None:
    used = audit.used(bed.audit_log, VNODE_USER, agent="vnode/")
    assert audit.Right("create", "", "serviceaccounts/token") in used or bed.profile != "secured"
