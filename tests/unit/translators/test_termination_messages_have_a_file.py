import pytest

from tests.unit.translators.pods import binary, container, group, pod, translation
from translators.errors import Refused
from translators.pod_to_job.termination_message import path_in_allocation
from translators.records.jobs import Task
from translators.records.pods import Pod

DEFAULT = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}


def task(subject: Pod) -> Task:
    return group(subject).tasks[0]


@pytest.mark.parametrize(
    ("path", "bound"),
    [("/dev/termination-log", "/dev/termination-log"), ("/tmp/../out/m", "/out/m"), ("out", "/out"), ("//a", "/a")],
)
def test_docker_binds_an_empty_file_that_every_user_may_write(path: str, bound: str) -> None:
    subject = pod(container(terminationMessagePath=path))
    made = task(subject)
    assert made.config["volumes"] == [f"local/.vnode/termination-log:{bound}"]
    [template] = made.templates
    assert (template.embedded_tmpl, template.perms, template.dest_path, template.once) == (
        '{{ "" }}',
        "0666",
        "local/.vnode/termination-log",
        True,
    )
    assert path_in_allocation(subject.spec.containers[0], "docker") == "web/local/.vnode/termination-log"


def test_where_a_volume_is_mounted_there_is_no_place_for_it() -> None:
    subject = pod(
        container(terminationMessagePath="/w", volumeMounts=[{"name": "w", "mountPath": "/w"}]),
        volumes=[{"name": "w", "emptyDir": {}}],
    )
    assert task(subject).config["volumes"] == ["../alloc/data:/w"]
    assert path_in_allocation(subject.spec.containers[0], "docker") == ""


@pytest.mark.parametrize("path", ["/a:b", "/${HOME}"])
def test_a_path_that_docker_cannot_be_told_is_refused(path: str) -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(container(terminationMessagePath=path)))
    assert refused.value.finding.field == "spec.containers[web].terminationMessagePath"


@pytest.mark.parametrize(
    ("driver", "path", "place", "warned"),
    [
        ("exec", "/dev/termination-log", "", False),
        ("exec", "/dev/other", "", True),
        ("exec", "/local/m", "web/local/m", False),
        ("exec", "/alloc/data/m", "alloc/data/m", False),
        ("exec", "/secrets/m", "", True),
        ("exec", "/device", "web/device", False),
        ("raw_exec", "/dev/termination-log", "", False),
        ("raw_exec", "/tmp/m", "", True),
    ],
)
def test_programs_without_docker_write_below_their_own_root_or_are_warned(
    driver: str, path: str, place: str, *, warned: bool
) -> None:
    subject = pod(binary(terminationMessagePath=path), annotations={"driver": driver})
    found = translation(subject)
    assert found.job.task_groups[0].tasks[0].templates == ()
    assert path_in_allocation(subject.spec.containers[0], driver) == place
    expected = ["spec.containers[web].terminationMessagePath"] if warned else []
    assert [each.field for each in found.warnings] == expected


def test_what_the_api_server_fills_in_changes_nothing_for_programs() -> None:
    assert translation(pod(binary(**DEFAULT), annotations={"driver": "raw_exec"})).warnings == ()
