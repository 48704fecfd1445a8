"""Resources of a whole Pod, and what a container asks for its own restarts: as a real API server hands them on."""

from typing import Any

from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import LATER, Namespace

_WHOLE: Manifest = {"requests": {"cpu": "20m", "memory": "24Mi"}, "limits": {"memory": "48Mi"}}


def _bare(script: str, name: str = "main") -> Manifest:
    return {**container(script, name=name), "resources": {}}


def _resources(scene: Namespace, name: str) -> dict[str, Any]:
    job = scene.bed.nomad.api(f"/v1/job/vk-{scene.pod(name)['metadata']['uid']}")
    found: dict[str, Any] = job["TaskGroups"][0]["Tasks"][0]["Resources"]
    return found


def test_one_container_has_what_its_pod_asks_for(scene: Namespace) -> None:
    scene.create(pod("alone", _bare("exec sleep 3600"), resources=_WHOLE, terminationGracePeriodSeconds=1))
    scene.wait_ready("alone", within=LATER)
    assert scene.pod("alone")["spec"]["resources"]["limits"]["memory"] == "48Mi"
    assert 48 in {_resources(scene, "alone")[each] for each in ("MemoryMB", "MemoryMaxMB")}


def test_a_container_that_takes_more_memory_than_its_limit_is_told_of(scene: Namespace) -> None:
    """By one of its ends: an engine may hear of the lack of memory after the end of the process, under load."""

    def told(found: Manifest) -> bool:
        statuses = found["status"].get("containerStatuses", ())
        ends = [each[state].get("terminated", {}) for each in statuses for state in ("state", "lastState")]
        return any((end.get("reason"), end.get("exitCode")) == ("OOMKilled", 137) for end in ends)

    limited = {**_bare("exec tail /dev/zero"), "resources": {"limits": {"memory": "32Mi"}}}
    scene.create(pod("greedy", limited, driver="docker"))
    scene.wait("greedy", "to be killed for its memory", told, within=LATER)


def test_several_containers_cannot_share_them(scene: Namespace) -> None:
    scene.create(pod("shared", _bare("sleep 9"), _bare("sleep 9", "beside"), resources=_WHOLE))
    scene.wait_phase("shared", "Failed")
    scene.wait_event("shared", "PodFeatureUnsupported", "spec.resources", "each container")


def test_restart_rules_of_a_container_are_refused(scene: Namespace) -> None:
    rule = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
    ruled = {**container("exit 42"), "restartPolicy": "Never", "restartPolicyRules": [rule]}
    scene.create(pod("ruled", ruled, restart="Never"))
    scene.wait_phase("ruled", "Failed")
    scene.wait_event("ruled", "PodFeatureUnsupported", "spec.containers[main].restartPolicy", "use the Pod's")
