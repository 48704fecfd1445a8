import pytest

from tests.unit.translators.pods import CONTEXT, Value, container, group, job, pod, task, translation
from translators.errors import Refused
from translators.pod_to_job.restarts import kill_signal
from translators.records.jobs import SECOND, Disconnect, Job, ReschedulePolicy, RestartPolicy, UpdateStrategy

ENDLESS = RestartPolicy(attempts=1, interval=10 * SECOND, delay=10 * SECOND, mode="delay")
ONCE = RestartPolicy(attempts=0, interval=86_400 * SECOND, delay=SECOND, mode="fail")
TEN_YEARS = 315_360_000 * SECOND
PARKED = RestartPolicy(attempts=1, interval=TEN_YEARS, delay=TEN_YEARS, mode="fail")


@pytest.mark.parametrize(
    ("policy", "containers", "job_type", "update", "restart"),
    [
        ("Always", 1, "service", UpdateStrategy(max_parallel=0), ENDLESS),
        ("OnFailure", 1, "batch", None, ENDLESS),
        ("OnFailure", 2, "batch", None, ENDLESS),
        ("Never", 1, "batch", None, ONCE),
        ("Never", 2, "batch", None, PARKED),
    ],
)
def test_types_and_restarts(
    policy: str, containers: int, job_type: str, update: UpdateStrategy | None, restart: RestartPolicy
) -> None:
    found = job(pod(*(container(f"c{number}") for number in range(containers)), restartPolicy=policy))
    assert (found.type, found.update, found.task_groups[0].restart_policy) == (job_type, update, restart)


def test_nomad_neither_replaces_nor_reschedules_a_pod() -> None:
    found = group(pod())
    assert found.disconnect == Disconnect(lost_after=TEN_YEARS, replace=False, reconcile="keep_original")
    assert found.reschedule_policy == ReschedulePolicy(attempts=0, unlimited=False)
    assert found.count == 1


@pytest.mark.parametrize(("seconds", "timeout"), [(0, 1), (1, SECOND), (30, 30 * SECOND), (3600, 3600 * SECOND)])
def test_the_grace_period_is_the_kill_timeout(seconds: int, timeout: int) -> None:
    found = task(pod(terminationGracePeriodSeconds=seconds))
    assert found.kill_timeout == timeout


@pytest.mark.parametrize(("driver", "signal"), [("docker", ""), ("exec", "SIGTERM"), ("raw_exec", "SIGTERM")])
def test_an_image_says_itself_what_asks_it_to_end(driver: str, signal: str) -> None:
    assert kill_signal(driver) == signal


def test_a_long_grace_period_is_warned_about() -> None:
    assert translation(pod()).warnings == ()
    [finding] = translation(pod(terminationGracePeriodSeconds=31)).warnings
    assert "max_kill_timeout" in finding.message


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy"),
        ({"terminationGracePeriodSeconds": -1}, "spec.terminationGracePeriodSeconds"),
        ({"terminationGracePeriodSeconds": 2**63 - 1}, "spec.terminationGracePeriodSeconds"),
    ],
)
def test_nonsense_is_refused(spec: dict[str, Value], path: str) -> None:
    with pytest.raises(Refused, match=path):
        translation(pod(**spec))


def test_a_job_says_whose_it_is() -> None:
    found: Job = job(pod())
    assert (found.id, found.name) == ("vk-6f1d0c5e-9a55-4a8e-8a5c-2f4a1f5a0001", "team-a/web-0")
    assert (found.namespace, found.region) == (CONTEXT.nomad_namespace, CONTEXT.region)
    assert found.ui is not None
    assert "`team-a/web-0`" in found.ui.description
