"""What Kubernetes lets people change of a Pod that runs: it takes effect, or it is said that it does not."""

import json

from tests.e2e.manifests import BUSYBOX, Manifest, pod
from tests.e2e.namespace import LATER, Namespace, condition, container_status, is_ready, phase

_GATE = "example.com/gate"
_OTHER = "busybox:9.9"
_MERGE = {"Content-Type": "application/merge-patch+json"}


def _patch(scene: Namespace, name: str, body: Manifest, subresource: str = "") -> None:
    path = f"/api/v1/namespaces/{scene.name}/pods/{name}{subresource}"
    scene.bed.control_plane.api(path, "PATCH", body, **_MERGE)


def test_a_pod_goes_on_whatever_is_changed_of_it(scene: Namespace) -> None:
    gates: Manifest = {"readinessGates": [{"conditionType": _GATE}], "terminationGracePeriodSeconds": 1}
    scene.create(pod("main", "exec sleep 3600", driver="docker", **gates))
    before = scene.wait("main", "to run", lambda found: "running" in container_status(found).get("state", {}))

    held = before["status"]["conditions"]
    foreign = {"type": _GATE, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    _patch(scene, "main", {"status": {"conditions": [*held, foreign]}}, "/status")
    scene.wait("main", "to be Ready by its gate", is_ready, within=LATER)

    tolerations = [*before["spec"]["tolerations"], {"key": "example.com/new", "operator": "Exists"}]
    _patch(scene, "main", {"metadata": {"labels": {"new": "label"}}, "spec": {"tolerations": tolerations}})

    asked = {"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": "40m"}}}]}}
    resized = scene.kubectl(
        "patch", "pod", "main", "--subresource=resize", f"--patch={json.dumps(asked)}", check=False, version="1.35"
    )
    assert resized.returncode != 0
    assert "resize" in resized.stderr.lower()

    scene.kubectl("set", "image", "pod/main", f"main={_OTHER}")
    scene.wait_event("main", "ImageNotChanged", BUSYBOX, _OTHER, "delete the Pod")

    after = scene.pod("main")
    assert is_ready(after)
    assert condition(after, _GATE)["status"] == "True"
    kept = ("containerID", "image", "restartCount", "state")
    assert [container_status(after)[each] for each in kept] == [container_status(before)[each] for each in kept]

    _patch(scene, "main", {"spec": {"activeDeadlineSeconds": 1}})
    found = scene.wait("main", "to end at its deadline", lambda found: phase(found) == "Failed", within=LATER)
    assert found["status"]["reason"] == "DeadlineExceeded"
