"""Scene 2: Jobs. Work that ends, work that fails, and the same name again at once."""

import pytest

from tests.e2e.bed.bed import REPOSITORY
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import job
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


@pytest.mark.parametrize("driver", ["exec", "docker"])
def test_the_exit_code_is_that_of_the_process(scene: Namespace, driver: str) -> None:
    scene.create(job(f"worker-{driver}", "echo no luck >&2; sleep 2; exit 3", driver=driver))
    scene.kubectl("wait", "--for=condition=failed", f"job/worker-{driver}", "--timeout=60s")
    (pod,) = scene.pods(f"worker-{driver}")
    assert (terminated(pod)["reason"], terminated(pod)["exitCode"]) == ("Error", 3)
    # Nomad takes docker's log over from the engine, and may still be at it when the container has ended.
    wait_until("the log", lambda: scene.logs(pod["metadata"]["name"]) == "no luck\n", within=SOON)
