from typing import Any

import pytest

from tests.unit.translators.pods import binary, container, group, job, pod, translation
from translators.errors import Refused
from translators.identity import TURNS
from translators.pod_to_job.restarts import FOREVER
from translators.records.jobs import Task, TaskLifecycle
from translators.records.pods import Pod

SIDECAR = {"restartPolicy": "Always"}


def with_init(*, policy: str = "Always", **fields: Any) -> Pod:
    return pod(container("web"), initContainers=[container("setup", **fields)], restartPolicy=policy)


def tasks(subject: Pod) -> dict[str, Task]:
    return {task.name: task for task in group(subject).tasks}


def test_it_runs_before_the_main_tasks() -> None:
    found = tasks(with_init())
    assert found["setup"].lifecycle == TaskLifecycle(hook="prestart", sidecar=False)
    assert found["web"].lifecycle is None


def test_a_sidecar_stays_beside_them() -> None:
    assert tasks(with_init(**SIDECAR))["setup"].lifecycle == TaskLifecycle(hook="prestart", sidecar=True)


@pytest.mark.parametrize(
    ("policy", "fields", "mode"),
    [
        ("Always", {}, "delay"),
        ("OnFailure", {}, "delay"),
        ("Never", {}, "fail"),
        ("Always", SIDECAR, "delay"),
        ("Never", SIDECAR, "delay"),
    ],
)
def test_it_is_started_again_as_by_a_kubelet(policy: str, fields: dict[str, Any], mode: str) -> None:
    own = tasks(with_init(policy=policy, **fields))["setup"].restart_policy
    assert own is not None
    assert own.mode == mode
    assert own.delay < FOREVER


def test_the_main_tasks_keep_the_policy_of_the_group() -> None:
    assert tasks(with_init())["web"].restart_policy is None


def test_of_a_pod_that_runs_once_it_waits_for_the_permit_too() -> None:
    found = tasks(with_init(policy="Never"))
    assert found["setup"].templates[0] == found["web"].templates[0]


def test_its_environment_and_driver_are_its_own() -> None:
    init = binary("setup", env=[{"name": "A", "value": "b"}])
    subject = pod(container("web"), initContainers=[init], annotations={"driver.setup": "exec"})
    found = tasks(subject)
    assert (found["setup"].driver, found["web"].driver) == ("exec", "docker")
    assert found["setup"].env["A"] == "b"


def test_an_empty_directory_is_shared_with_it() -> None:
    mount = {"volumeMounts": [{"name": "work", "mountPath": "/work"}]}
    subject = pod(
        container("web", **mount),
        initContainers=[container("setup", **mount)],
        volumes=[{"name": "work", "emptyDir": {}}],
    )
    binds = {name: task.config["volumes"] for name, task in tasks(subject).items()}
    assert binds["setup"] == binds["web"]


@pytest.mark.parametrize(("fields", "mode"), [({}, None), (SIDECAR, "bridge")])
def test_only_what_runs_beside_another_shares_a_network(fields: dict[str, Any], mode: str | None) -> None:
    networks = group(with_init(**fields)).networks
    assert (networks[0].mode if networks else None) == mode


def test_findings_name_the_list_in_which_it_stands() -> None:
    [warning] = translation(with_init(tty=True)).warnings
    assert warning.field == "spec.initContainers[setup].tty"
    with pytest.raises(Refused) as refused:
        job(with_init(image=""))
    assert refused.value.finding.field == "spec.initContainers[setup].image"


@pytest.mark.parametrize(
    ("fields", "gates"),
    [
        ({}, False),
        ({"readinessProbe": {"tcpSocket": {"port": 80}}}, False),
        ({"startupProbe": {"tcpSocket": {"port": 80}}}, True),
        ({"lifecycle": {"postStart": {"sleep": {"seconds": 1}}}}, True),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}, False),
    ],
)
def test_the_others_wait_for_a_sidecar_that_takes_time_to_start(fields: dict[str, Any], *, gates: bool) -> None:
    made = job(with_init(**SIDECAR, **fields))
    first, *others = made.task_groups[0].tasks
    assert not any("turn" in each.dest_path for each in first.templates)
    assert all(any("turn" in each.dest_path for each in task.templates) is gates for task in others)
    assert ("vk_turns" in made.meta) is gates


def test_the_ports_of_a_sidecar_are_published() -> None:
    network = group(with_init(**SIDECAR, ports=[{"containerPort": 9000, "name": "proxy"}])).networks[0]
    assert [port.label for port in network.dynamic_ports] == ["proxy"]


def test_of_several_each_but_the_first_waits_for_its_turn() -> None:
    several = [container("one"), container("two"), container("three")]
    made = job(pod(container("web"), initContainers=several))
    waiting = [
        each.name for each in made.task_groups[0].tasks if any("turn" in one.dest_path for one in each.templates)
    ]
    assert waiting == ["two", "three"]
    assert made.meta[TURNS] == "true"


def test_one_alone_waits_for_nobody() -> None:
    made = job(with_init())
    assert TURNS not in made.meta
    assert all(not each.templates for each in made.task_groups[0].tasks)


def test_a_turn_is_for_one_allocation_and_waits_without_failing() -> None:
    several = [container("one"), container("two")]
    [template] = tasks(pod(container("web"), initContainers=several))["two"].templates
    at = "nomad/jobs/vk-6f1d0c5e-9a55-4a8e-8a5c-2f4a1f5a0001/pod/two"
    assert template.embedded_tmpl == (
        f'{{{{ with nomadVar "{at}" }}}}{{{{ if not (index . (env "NOMAD_ALLOC_ID")).Value }}}}'
        f'{{{{ with nomadVar "nomad/jobs" }}}}{{{{ with nomadVar "{at}/never" }}}}{{{{ end }}}}{{{{ end }}}}'
        "{{ end }}{{ end }}"
    )
    assert not template.once


def test_what_a_turn_is_told_by_may_not_be_hidden() -> None:
    hides = container("two", env=[{"name": "NOMAD_ALLOC_ID", "value": "x"}])
    with pytest.raises(Refused) as refused:
        job(pod(container("web"), initContainers=[container("one"), hides]))
    assert refused.value.finding.field == "spec.initContainers[two].env[NOMAD_ALLOC_ID]"
