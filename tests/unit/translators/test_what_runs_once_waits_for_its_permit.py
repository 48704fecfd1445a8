import pytest

from tests.unit.translators.pods import container, group, pod, translation
from translators.errors import Refused
from translators.pod_to_job import permit
from translators.records.jobs import JobId

UID = "6f1d0c5e-9a55-4a8e-8a5c-2f4a1f5a0001"


def test_every_task_of_a_pod_that_never_restarts_waits_for_its_permit() -> None:
    tasks = group(pod(container("a"), container("b"), restartPolicy="Never")).tasks
    assert [task.templates for task in tasks] == [(permit.template(JobId(f"vk-{UID}")),)] * 2


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
def test_others_wait_for_nothing(policy: str) -> None:
    assert group(pod(restartPolicy=policy)).tasks[0].templates == ()


def test_a_permit_is_one_of_the_paths_that_a_group_may_read_by_itself() -> None:
    """Nomad's implicit policy of workload identities: nomad/jobs/<job>/<group>."""
    assert permit.path(JobId(f"vk-{UID}")) == f"nomad/jobs/vk-{UID}/pod"
    assert permit.uid_at(permit.path(JobId(f"vk-{UID}"))) == UID


@pytest.mark.parametrize("path", ["nomad/jobs/web/pod", f"nomad/jobs/vk-{UID}", f"nomad/jobs/vk-{UID}/pod/web"])
def test_other_variables_are_no_permits(path: str) -> None:
    assert permit.uid_at(path) is None


def test_a_variable_that_hides_the_allocation_is_refused() -> None:
    hidden = container(env=[{"name": "NOMAD_ALLOC_ID", "value": "mine"}])
    with pytest.raises(Refused, match="NOMAD_ALLOC_ID"):
        translation(pod(hidden, restartPolicy="Never"))
    assert translation(pod(hidden)).job.id == f"vk-{UID}"
