"""Rights: vnode has all that it uses and uses all that it has, on both sides; one that is missing is told.

Collected last, for the audit log of the whole run is compared with the manifests.
"""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

import pytest

from tests.e2e import kubelet_api
from tests.e2e.bed import audit
from tests.e2e.bed.bed import REPOSITORY, RIGHTS, VNODE_USER, Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.nomad import POLICY
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, claiming, container, pod, volume_claim
from tests.e2e.namespace import LATER, SOON, Namespace, condition, container_status, phase
from tests.e2e.objects import config_map, secret
from tests.e2e.signing import approve

_STORAGE_CLASS = REPOSITORY / "deploy" / "components" / "persistent-volumes" / "storageclass.yaml"
_DENIED = "Permission denied"
_POOR = "poor"
_THRIFTY = "thrifty"
_RUNS = "echo here; sleep 3600"
_IGNORES = "trap '' TERM; echo here; while true; do sleep 0.1; done"
_ATTEMPTS = 10

pytestmark = pytest.mark.timeout(400, func_only=True)


@pytest.fixture(autouse=True)
def _secured(bed: Bed) -> None:
    if bed.profile != "secured":
        pytest.skip("in the plain profile everybody may do everything")


@dataclass(frozen=True, slots=True)
class Poor:
    """A vnode whose token lacks something, and the namespace of its Pods."""

    bed: Bed
    vnode: VnodeProcess
    namespace: Namespace

    def create(self, name: str, script: str = _RUNS, **spec: Any) -> None:
        """Bind a Pod to the Node, whether the scheduler would or not."""
        self.namespace.create(pod(name, script, nodeName=_POOR, node=_POOR, **spec))

    def wait_log(self, words: str) -> None:
        """Wait until vnode's own log has these words."""
        wait_until(f"{words} in vnode's log", lambda: words in self.vnode.log.read_text(), within=SOON)

    def may(self, rules: str) -> None:
        """Give its token other rights; they count from the next request on."""
        _write_policy(self.bed, rules)


def _pod_waits(poor: Poor) -> None:
    poor.create("main")
    poor.namespace.wait_event("main", "NomadUnavailable", _DENIED)
    assert phase(poor.namespace.pod("main")) == "Pending"


def _nomad_is_unreachable(poor: Poor) -> None:
    wait_until("NomadReachable to say why not", lambda: _DENIED in _reachable(poor.bed)["message"], within=SOON)
    assert _reachable(poor.bed)["status"] == "False"
    poor.create("main")
    assert phase(poor.namespace.pod("main")) == "Pending"


def _log_is_denied(poor: Poor) -> None:
    poor.create("main")
    poor.namespace.wait_ready("main")
    done = poor.namespace.kubectl("logs", "main", check=False)
    assert done.returncode != 0
    assert _DENIED in done.stderr
    assert "read-fs" in done.stderr
    assert "here" not in done.stdout


def _exec_is_denied(poor: Poor) -> None:
    poor.create("main")
    poor.namespace.wait_ready("main")
    done = poor.namespace.kubectl("exec", "main", "--", "echo", "inside", check=False)
    assert done.returncode != 0
    assert _DENIED in done.stderr
    assert "alloc-exec" in done.stderr
    assert "inside" not in done.stdout


def _grace_is_not_shortened(poor: Poor) -> None:
    poor.create("deaf", _IGNORES, terminationGracePeriodSeconds=300)
    wait_until("its trap", lambda: poor.namespace.logs("deaf") == "here\n", within=SOON)
    poor.namespace.delete("deaf", grace=1)
    poor.wait_log(_DENIED)
    assert poor.namespace.holds("deaf")
    poor.create("main")


def _one_that_runs_once_waits(poor: Poor) -> None:
    poor.create("main", restart="Never")
    poor.namespace.wait_event("main", "NomadUnavailable", _DENIED)
    assert phase(poor.namespace.pod("main")) == "Pending"


def _a_change_is_not_delivered(poor: Poor) -> None:
    poor.namespace.create(config_map("conf", {"word": "one"}))
    conf = {"name": "conf", "configMap": {"name": "conf"}}
    reads = container(_RUNS, volumeMounts=[{"name": "conf", "mountPath": "/conf"}])
    poor.namespace.create(pod("main", reads, nodeName=_POOR, node=_POOR, volumes=[conf]))
    poor.namespace.wait_ready("main")
    poor.namespace.kubectl("patch", "configmap", "conf", '--patch={"data":{"word":"two"}}')
    poor.namespace.wait_event("main", "NomadUnavailable", _DENIED)


def _a_permit_is_not_withdrawn(poor: Poor) -> None:
    poor.create("main", restart="Never")
    poor.wait_log(_DENIED)


#: What is seen when a capability is missing.
_MISSING: dict[str, Callable[[Poor], None]] = {
    "list-jobs": _pod_waits,
    "read-job": _pod_waits,
    "submit-job": _pod_waits,
    "node:read": _nomad_is_unreachable,
    "read-fs": _log_is_denied,
    "alloc-exec": _exec_is_denied,
    "alloc-lifecycle": _grace_is_not_shortened,
    "read": _a_change_is_not_delivered,
    "write": _one_that_runs_once_waits,
    "destroy": _a_permit_is_not_withdrawn,
}


def test_every_capability_has_a_scenario() -> None:
    granted = {name for each in re.findall(r"capabilities = \[(.*)\]", POLICY.read_text()) for name in _words(each)}
    assert granted | {"node:read"} == set(_MISSING)


@pytest.mark.parametrize("capability", _MISSING)
def test_a_capability_that_is_missing_is_told_and_its_return_is_enough(
    bed: Bed, namespaces: Namespaces, capability: str
) -> None:
    with _poor(bed, namespaces, _without(capability)) as poor:
        _MISSING[capability](poor)
        poor.may(POLICY.read_text())
        poor.namespace.wait_ready("main", within=LATER)
        wait_until("its log", lambda: poor.namespace.logs("main") == "here\n", within=SOON)
        poor.namespace.empty()


@contextmanager
def _poor(bed: Bed, namespaces: Namespaces, rules: str) -> Iterator[Poor]:
    _write_policy(bed, rules)
    made = bed.nomad.api("/v1/acl/token", "POST", {"Name": _POOR, "Type": "client", "Policies": [_POOR]})
    environment = {"NOMAD_TOKEN": str(made["SecretID"])}
    with (
        bed.vnode("--node-pool=all", node_name=_POOR, environment=environment) as vnode,
        namespaces() as namespace,
    ):
        try:
            yield Poor(bed, vnode, namespace)
        finally:
            # Whatever was found, what it left is removed.
            _write_policy(bed, POLICY.read_text())
            namespace.empty()
    bed.kubectl("delete", "node", _POOR)


def _write_policy(bed: Bed, rules: str) -> None:
    bed.nomad.api(f"/v1/acl/policy/{_POOR}", "POST", {"Name": _POOR, "Rules": rules})


def _without(capability: str) -> str:
    """The policy that we ship, less one capability."""
    rules = POLICY.read_text()
    if capability == "node:read":
        return re.sub(r"node \{[^}]*\}", "", rules)
    return re.sub(
        r"\[(.*)\]", lambda found: json.dumps([each for each in _words(found[1]) if each != capability]), rules
    )


def _words(listed: str) -> list[str]:
    return re.findall(r"[\w-]+", listed)


def _reachable(bed: Bed) -> Manifest:
    found: Manifest = bed.control_plane.api(f"/api/v1/nodes/{_POOR}")
    return condition(found, "NomadReachable")


def test_rights_in_kubernetes_are_those_that_are_used(bed: Bed, namespaces: Namespaces) -> None:
    """One small life of a Node and its Pods needs every right, so this holds without other tests, too."""
    flags = ("--leader-elect", "--leader-elect-namespace=vnode", f"--leader-identity={_THRIFTY}")
    bootstrap = bed.vnode(
        "--node-pool=all",
        "--server-tls-bootstrap",
        "--persistent-volumes",
        *flags,
        node_name=_THRIFTY,
        with_certificate=False,
    )
    with bootstrap as vnode, namespaces() as namespace:
        approve(bed, _THRIFTY)
        _stand_by(bed)
        token = {"serviceAccountToken": {"path": "token", "audience": "vault"}}
        data = {"sources": [token, {"configMap": {"name": "data"}}, {"secret": {"name": "data"}}]}
        mounted = container(_RUNS, volumeMounts=[{"name": "data", "mountPath": "/data"}])
        bed.kubectl("apply", f"--filename={_STORAGE_CLASS}")
        namespace.apply(volume_claim("claim"))
        namespace.create(
            pod("claims", mounted, driver="docker", node=_THRIFTY, volumes=[claiming("claim")]),
            config_map("data", {"a": ""}),
            secret("data", {"b": ""}),
            pod("data", mounted, node=_THRIFTY, volumes=[{"name": "data", "projected": data}]),
            pod("runs", _RUNS, node=_THRIFTY),
            pod("forced", _RUNS, node=_THRIFTY),
            # Each restart repeats the Events about the container.
            pod("restarts", "exit 3", node=_THRIFTY),
        )
        _read_log(bed, vnode, namespace)
        _use_up(bed, namespace, "claims", "claim")
        namespace.wait_ready("forced")
        namespace.wait(
            "restarts", "to restart", lambda found: container_status(found).get("restartCount"), within=LATER
        )
        wait_until("a repeated Event", lambda: _uses(bed, "patch", "events"), within=LATER)
        vnode.stop()
        namespace.kubectl("delete", "pod", "forced", "--grace-period=0", "--force")
        vnode.start()
        wait_until(
            "the job of the Pod that is gone to leave Nomad",
            lambda: f"{namespace.name}/forced" not in {job["Name"] for job in namespace.nomad_jobs()},
            within=LATER,
        )
        _write_the_node_at_once(bed, vnode)
        namespace.empty()
    bed.kubectl("delete", "node", _THRIFTY)
    used, granted = audit.used(bed.audit_log, VNODE_USER, agent="vnode/"), audit.granted(RIGHTS)
    assert sorted(map(str, used - granted)) == [], "used and not granted"
    assert sorted(map(str, granted - used)) == [], "granted and never used"


def _use_up(bed: Bed, namespace: Namespace, name: str, claim: str) -> None:
    """A volume is made for a claim, and removed after it."""
    namespace.wait_ready(name, within=LATER)
    namespace.delete(name, grace=1)
    namespace.kubectl("delete", "pvc", claim)
    wait_until("the volume to be removed", lambda: _uses(bed, "delete", "persistentvolumes"), within=LATER)


def _stand_by(bed: Bed) -> None:
    """Another replica, which waits for its turn until it has seen enough."""
    flags = ("--leader-elect", "--leader-elect-namespace=vnode", "--leader-identity=standby")
    with bed.vnode_child(*flags, node_name=_THRIFTY) as standby:
        lease = audit.Right("watch", "coordination.k8s.io", "leases")
        wait_until(
            "a standby that watches the Lease",
            lambda: lease in audit.used(bed.audit_log, VNODE_USER, agent="vnode/"),
            within=SOON,
            of=[standby],
        )


def _read_log(bed: Bed, vnode: VnodeProcess, namespace: Namespace) -> None:
    """As the API server, which shows a certificate, and as somebody with a token."""
    namespace.wait_ready("runs")
    wait_until("its log", lambda: namespace.logs("runs") == "here\n", within=SOON)
    namespace.kubectl("create", "serviceaccount", "reader")
    namespace.kubectl("create", "clusterrolebinding", _THRIFTY, "--clusterrole=system:kubelet-api-admin",
                      f"--serviceaccount={namespace.name}:reader")  # fmt: skip
    try:
        token = namespace.kubectl("create", "token", "reader").stdout.strip()
        path = f"/containerLogs/{namespace.name}/runs/main"
        with kubelet_api.client(bed, vnode, token=token) as api:
            wait_until("the answer to a token", lambda: api.get(path).text == "here\n", within=SOON)
    finally:
        bed.kubectl("delete", "clusterrolebinding", _THRIFTY)


def _write_the_node_at_once(bed: Bed, vnode: VnodeProcess) -> None:
    """Change the Node while vnode repairs its taints: the conflict is followed by a read."""
    path = f"/api/v1/nodes/{_THRIFTY}"
    kind = {"Content-Type": "application/merge-patch+json"}
    over = Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            bed.control_plane.api(path, "PATCH", {"metadata": {"labels": {"beat": str(number)}}}, **kind)

    for _ in range(_ATTEMPTS):
        if _uses(bed, "get", "nodes"):
            return
        vnode.stop()
        bed.control_plane.api(path, "PATCH", {"spec": {"taints": None}}, **kind)
        over.clear()
        with ThreadPoolExecutor(1) as beside:
            writing = beside.submit(write)
            try:
                vnode.start()
            finally:
                over.set()
            writing.result()
    raise BedError(f"no conflict about Node {_THRIFTY} in {_ATTEMPTS} starts")


def _uses(bed: Bed, verb: str, resource: str) -> bool:
    return audit.Right(verb, "", resource) in audit.used(bed.audit_log, VNODE_USER, agent="vnode/")
