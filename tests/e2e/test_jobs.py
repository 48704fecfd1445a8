"""Scene 2: Jobs. Work that ends, work that fails, and the same name again at once."""

from typing import Any

import pytest

from tests.e2e.bed.bed import REPOSITORY
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest, job
from tests.e2e.namespace import LATER, SOON, Namespace, container_status, phase, terminated

_WORKER = REPOSITORY / "deploy" / "examples" / "worker.yaml"
_LOG = "work begins\nwork is done\n"


def test_a_worker_succeeds_is_readable_afterwards_and_comes_again_under_its_name(namespace: Namespace) -> None:
    _run_worker(namespace)
    first = namespace.pods("worker")[0]["metadata"]["uid"]
    namespace.kubectl("delete", "job/worker")
    _run_worker(namespace)
    second = namespace.pods("worker")[0]["metadata"]["uid"]
    assert first != second
    wait_until(
        "the first job to leave Nomad",
        lambda: [each["ID"] for each in namespace.nomad_jobs()] == [f"vk-{second}"],
        within=LATER,
    )


def _run_worker(namespace: Namespace) -> None:
    namespace.kubectl("apply", f"--filename={_WORKER}")
    namespace.kubectl("wait", "--for=condition=complete", "job/worker", "--timeout=60s")
    (pod,) = namespace.pods("worker")
    assert phase(pod) == "Succeeded"
    assert (terminated(pod, "worker")["reason"], terminated(pod, "worker")["exitCode"]) == ("Completed", 0)
    assert namespace.logs("job/worker") == _LOG


def test_a_failing_worker_is_tried_again_as_often_as_its_backoff_limit_says(namespace: Namespace) -> None:
    namespace.create(job("worker", "echo no luck; exit 3", backoff_limit=1))
    namespace.kubectl("wait", "--for=condition=failed", "job/worker", "--timeout=90s")
    pods = namespace.pods("worker")
    assert [phase(pod) for pod in pods] == ["Failed", "Failed"]
    for pod in pods:
        ended = terminated(pod)
        assert (ended["reason"], ended["exitCode"]) == ("Error", 3)
        assert container_status(pod)["restartCount"] == 0
        assert namespace.logs(pod["metadata"]["name"]) == "no luck\n"


def test_an_exit_code_fails_a_job_that_says_so(scene: Namespace) -> None:
    codes = {"containerName": "main", "operator": "In", "values": [42]}
    policy = {"rules": [{"action": "FailJob", "onExitCodes": codes}]}
    scene.create(_with(job("hopeless", "exit 42", backoff_limit=6), podFailurePolicy=policy))
    found = _finished(scene, "hopeless", "Failed")
    assert found["reason"] == "PodFailurePolicy"
    assert "exit code 42" in found["message"]
    assert len(scene.pods("hopeless")) == 1


def test_indexes_know_themselves_and_fail_by_themselves(scene: Namespace) -> None:
    indexed = {"completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 1}
    manifest = _with(job("indexed", "exit $JOB_COMPLETION_INDEX"), **indexed)
    del manifest["spec"]["backoffLimit"]
    scene.create(manifest)
    assert _finished(scene, "indexed", "Failed")["reason"] == "FailedIndexes"
    status = _job(scene, "indexed")["status"]
    assert (status["completedIndexes"], status["failedIndexes"]) == ("0", "1")
    assert sorted(phase(each) for each in scene.pods("indexed")) == ["Failed", "Failed", "Succeeded"]


def test_a_suspended_job_runs_nowhere_until_it_is_resumed(scene: Namespace) -> None:
    scene.create(job("pauses", "exec sleep 3600", terminationGracePeriodSeconds=1))
    first = wait_until("its Pod", lambda: scene.pods("pauses"), within=SOON)[0]["metadata"]
    scene.wait_ready(first["name"])
    scene.kubectl("patch", "job", "pauses", '--patch={"spec":{"suspend":true}}')
    scene.wait_gone(first["name"])
    wait_until("its end in Nomad", lambda: not _runs_in_nomad(scene, first["uid"]), within=SOON)
    scene.kubectl("patch", "job", "pauses", '--patch={"spec":{"suspend":false}}')
    second = wait_until("another Pod", lambda: scene.pods("pauses"), within=SOON)[0]["metadata"]
    scene.wait_ready(second["name"])


def _with(manifest: Manifest, **fields: Any) -> Manifest:
    return {**manifest, "spec": {**manifest["spec"], **fields}}


def _job(scene: Namespace, name: str) -> Manifest:
    return dict(scene.bed.control_plane.api(f"/apis/batch/v1/namespaces/{scene.name}/jobs/{name}"))


def _finished(scene: Namespace, name: str, kind: str) -> Manifest:
    """Wait for the condition with which a Job ends."""

    def found() -> Manifest | None:
        told = _job(scene, name)["status"].get("conditions", ())
        return next((each for each in told if (each["type"], each["status"]) == (kind, "True")), None)

    return wait_until(f"Job {name} to be {kind}", found, within=LATER)


def _runs_in_nomad(scene: Namespace, uid: str) -> bool:
    return any(each["ID"] == f"vk-{uid}" and each["Status"] != "dead" for each in scene.nomad_jobs())


@pytest.mark.parametrize("driver", ["exec", "docker"])
def test_the_exit_code_is_that_of_the_process(scene: Namespace, driver: str) -> None:
    scene.create(job(f"worker-{driver}", "echo no luck >&2; sleep 2; exit 3", driver=driver))
    scene.kubectl("wait", "--for=condition=failed", f"job/worker-{driver}", "--timeout=60s")
    (pod,) = scene.pods(f"worker-{driver}")
    assert (terminated(pod)["reason"], terminated(pod)["exitCode"]) == ("Error", 3)
    # Nomad takes docker's log over from the engine, and may still be at it when the container has ended.
    wait_until("the log", lambda: scene.logs(pod["metadata"]["name"]) == "no luck\n", within=SOON)
