"""metrics-server, the consumer of resource metrics that clusters have: behind `kubectl top` and the HPA.

It is started only for the tests that want it. Its rights are those of its own release; everything about it is verified,
as on a site done properly: its certificate by the aggregator, vnode's by itself.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.binaries import binary
from tests.e2e.bed.processes import wait_until

_NAME, _NAMESPACE = "metrics-server", "kube-system"
_USER = f"system:serviceaccount:{_NAMESPACE}:{_NAME}"
_SERVICE = "v1beta1.metrics.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_START_SECONDS = 60


@contextmanager
def metrics_server(bed: Bed) -> Iterator[None]:
    """Run it until the block ends; it has scraped nothing yet when the block begins."""
    control_plane, port = bed.control_plane, bed.free_port()
    serving = control_plane.authority.issue(_NAME, _NAME, names=(f"{_NAME}.{_NAMESPACE}.svc",))
    authority = base64.b64encode(control_plane.authority.certificate.read_bytes()).decode()
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects(bed.node_address, port, authority)})
    bed.kubectl("apply", "--filename=-", stdin=manifests)
    token = bed.kubectl("create", "token", _NAME, f"--namespace={_NAMESPACE}", "--duration=24h").stdout.strip()
    kubeconfig = control_plane.kubeconfig(_NAME, token)
    child = bed.children.add(
        _NAME,
        binary(_NAME),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={bed.node_address}",
        f"--secure-port={port}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--kubelet-certificate-authority={control_plane.authority.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        "--kubelet-use-node-status-port",
        # The least that it takes; a rate needs two scrapes.
        "--metric-resolution=10s",
        "--kubelet-request-timeout=9s",
    )
    child.start()
    try:
        what = "the API server to reach metrics-server"
        wait_until(what, lambda: _available(bed), within=_START_SECONDS, of=[child])
        yield
    finally:
        # Discovery would fail for everybody as long as it is promised and not there.
        bed.kubectl("delete", "apiservice", _SERVICE)
        child.stop()


def _available(bed: Bed) -> bool:
    found = bed.control_plane.api(f"/apis/apiregistration.k8s.io/v1/apiservices/{_SERVICE}")
    return any(
        condition["type"] == "Available" and condition["status"] == "True"
        for condition in found.get("status", {}).get("conditions", ())
    )


def _objects(address: str, port: int, authority: str) -> list[dict[str, Any]]:
    reads = [
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
    ]
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": _NAME, "namespace": _NAMESPACE},
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"system:{_NAME}"},
            "rules": reads,
        },
        _binding(f"system:{_NAME}", "ClusterRole", f"system:{_NAME}"),
        _binding(f"{_NAME}:system:auth-delegator", "ClusterRole", "system:auth-delegator"),
        _binding(f"{_NAME}-auth-reader", "Role", "extension-apiserver-authentication-reader"),
        # The only kind of Service that needs no kube-proxy: its name is taken as it is.
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": _NAME, "namespace": _NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": address},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": _SERVICE},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "service": {"name": _NAME, "namespace": _NAMESPACE, "port": port},
                "caBundle": authority,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        },
    ]


def _binding(name: str, kind: str, role: str) -> dict[str, Any]:
    everywhere = kind == "ClusterRole"
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding" if everywhere else "RoleBinding",
        "metadata": {"name": name, **({} if everywhere else {"namespace": _NAMESPACE})},
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": _NAMESPACE}],
    }
