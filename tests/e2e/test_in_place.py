"""What Kubernetes lets people change of a Pod that runs: it takes effect, or it is said that it does not."""

import json

import pytest

from tests.e2e.bed.rootfs import OTHER_IMAGE
from tests.e2e.manifests import BUSYBOX, Manifest, container, pod
from tests.e2e.namespace import (
    LATER,
    Namespace,
    condition,
    container_status,
    is_ready,
    last_terminated,
    phase,
    waiting,
)

pytestmark = pytest.mark.timeout(400, func_only=True)

_GATE = "example.com/gate"
_ABSENT = "busybox:9.9"
_MERGE = {"Content-Type": "application/merge-patch+json"}


def _patch(scene: Namespace, name: str, body: Manifest, subresource: str = "") -> None:
    path = f"/api/v1/namespaces/{scene.name}/pods/{name}{subresource}"
    scene.bed.control_plane.api(path, "PATCH", body, **_MERGE)


def test_a_pod_goes_on_whatever_is_changed_of_it(scene: Namespace) -> None:
    gates: Manifest = {"readinessGates": [{"conditionType": _GATE}], "terminationGracePeriodSeconds": 1}
    scene.create(pod("main", "exec sleep 3600", driver="docker", volumes=[{"name": "work", "emptyDir": {}}], **gates))
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

    scene.kubectl("set", "image", "pod/main", f"main={_ABSENT}")
    scene.wait_event("main", "ImageNotChanged", BUSYBOX, _ABSENT, "its volume work anew", "delete the Pod")

    after = scene.pod("main")
    assert is_ready(after)
    assert condition(after, _GATE)["status"] == "True"
    kept = ("containerID", "image", "restartCount", "state")
    assert [container_status(after)[each] for each in kept] == [container_status(before)[each] for each in kept]

    _patch(scene, "main", {"spec": {"activeDeadlineSeconds": 1}})
    found = scene.wait("main", "to end at its deadline", lambda found: phase(found) == "Failed", within=LATER)
    assert found["status"]["reason"] == "DeadlineExceeded"


def test_a_container_is_started_anew_with_the_image_that_its_pod_is_given(scene: Namespace) -> None:
    script = "echo $(cat /given/greeting) $OTHER; trap 'exit 7' TERM; while true; do sleep 0.1; done"
    scene.kubectl("create", "secret", "generic", "given", "--from-literal=greeting=hello")
    reads = container(script, volumeMounts=[{"name": "given", "mountPath": "/given"}])
    scene.create(pod("renewed", reads, driver="docker", volumes=[{"name": "given", "secret": {"secretName": "given"}}]))
    before = scene.wait_ready("renewed")
    (first,) = scene.allocations(before)

    scene.kubectl("set", "image", "pod/renewed", f"main={_ABSENT}")
    found = scene.wait(
        "renewed",
        "to miss its new image",
        lambda each: waiting(each).get("reason") in {"ErrImagePull", "ImagePullBackOff"},
        within=LATER,
    )
    assert (phase(found), last_terminated(found)["exitCode"]) == ("Running", 7)
    scene.wait_event("renewed", "Killing", "Container main definition changed, will be restarted")
    scene.wait_event("renewed", "Failed", f'Failed to pull image "{_ABSENT}"')

    scene.kubectl("set", "image", "pod/renewed", f"main={OTHER_IMAGE}")
    after = scene.wait("renewed", "to run its third image", is_ready, within=LATER)
    status = container_status(after)
    assert (status["image"], status["restartCount"], last_terminated(after)["exitCode"]) == (OTHER_IMAGE, 1, 7)
    assert scene.logs("renewed") == "hello yes\n"
    assert scene.logs("renewed", "--previous") == "hello\n"
    assert {each["NodeID"] for each in scene.allocations(after)} == {first["NodeID"]}
    assert not [each for reason in ("NomadJobChanged", "ImageNotChanged") for each in scene.events("renewed", reason)]
