"""activeDeadlineSeconds: what is over its time is ended with its grace, and Failed."""

from tests.e2e.manifests import container, job, pod
from tests.e2e.namespace import LATER, Namespace, phase, terminated

_PATIENT = "trap 'exit 7' TERM; while true; do sleep 0.1; done"


def test_a_pod_over_its_time_is_ended_and_failed(scene: Namespace) -> None:
    scene.create(pod("late", _PATIENT, driver="docker", activeDeadlineSeconds=8))
    found = scene.wait_phase("late", "Succeeded", "Failed", within=LATER)
    assert (phase(found), found["status"]["reason"]) == ("Failed", "DeadlineExceeded")
    assert found["status"]["message"] == "Pod was active on the node longer than the specified deadline"
    assert terminated(found)["exitCode"] == 7
    scene.wait_event("late", "DeadlineExceeded")


def test_a_job_whose_pod_is_over_its_time_has_failed(scene: Namespace) -> None:
    scene.create(job("bounded", _PATIENT, activeDeadlineSeconds=3))
    scene.kubectl("wait", "--for=condition=Failed", "job/bounded", f"--timeout={LATER:.0f}s")


def test_a_deadline_can_be_set_while_a_pod_runs(scene: Namespace) -> None:
    scene.create(pod("shortened", container(_PATIENT)))
    scene.wait_ready("shortened", within=LATER)
    scene.kubectl("patch", "pod", "shortened", '--patch={"spec":{"activeDeadlineSeconds":1}}')
    found = scene.wait_phase("shortened", "Failed", within=LATER)
    assert found["status"]["reason"] == "DeadlineExceeded"
