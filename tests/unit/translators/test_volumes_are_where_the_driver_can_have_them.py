from typing import Any

import pytest

from tests.unit.translators.material import material
from tests.unit.translators.pods import CONTEXT, OPEN, binary, container, pod
from translators.errors import Refused, Waiting
from translators.material import CONFIG_MAP, ObjectKey
from translators.pod_to_job import Translation, translate
from translators.records.jobs import Task, Template

KNOWN = material(
    maps={"c": {"one": "1", "two": "2"}},
    secrets={"s": {"k": b"secret"}},
    missing=(ObjectKey(CONFIG_MAP, "nobody"),),
)
CONF = {"name": "conf", "configMap": {"name": "c"}}
KEYS = {"name": "my-keys", "secret": {"secretName": "s", "defaultMode": 0o400}}


def translated(driver: str, volume: dict[str, Any], *mounts: dict[str, Any], **more: Any) -> Translation:
    made: dict[str, Any] = {
        "volumeMounts": [{"name": volume["name"], "mountPath": "/etc/app", **mount} for mount in mounts or ({},)]
    }
    subject = pod(binary(**made), annotations={"driver": driver}, volumes=[volume], **more)
    return translate(subject, CONTEXT, OPEN, KNOWN)


def task(driver: str, volume: dict[str, Any], *mounts: dict[str, Any]) -> Task:
    return translated(driver, volume, *mounts).job.task_groups[0].tasks[0]


def places(found: Task) -> list[tuple[str, str, bool]]:
    return [(one.dest_path, one.perms, one.once) for one in found.templates]


@pytest.mark.parametrize(
    ("driver", "volume", "places_", "where"),
    [
        ("raw_exec", CONF, [("secrets/etc/app/one", "0644", False), ("secrets/etc/app/two", "0644", False)],
         {"VNODE_MOUNT_CONF": "${NOMAD_SECRETS_DIR}/etc/app"}),
        ("raw_exec", KEYS, [("secrets/etc/app/k", "0400", False)],
         {"VNODE_MOUNT_MY_KEYS": "${NOMAD_SECRETS_DIR}/etc/app"}),
        ("exec", CONF, [("etc/app/one", "0644", False), ("etc/app/two", "0644", False)],
         {"VNODE_MOUNT_CONF": "/etc/app"}),
        ("exec", KEYS, [("secrets/etc/app/k", "0400", False)],
         {"VNODE_MOUNT_MY_KEYS": "${NOMAD_SECRETS_DIR}/etc/app"}),
        ("docker", KEYS, [("secrets/.vnode/volumes/my-keys/k", "0400", False)], {"VNODE_MOUNT_MY_KEYS": "/etc/app"}),
    ],
)  # fmt: skip
def test_files(
    driver: str, volume: dict[str, Any], places_: list[tuple[str, str, bool]], where: dict[str, str]
) -> None:
    found = task(driver, volume)
    assert places(found) == places_
    assert dict(found.env) == where


def test_docker_binds_the_directory_and_a_part_of_it() -> None:
    found = task("docker", CONF, {}, {"mountPath": "/one", "subPath": "one"})
    assert found.config["volumes"] == [
        "secrets/.vnode/volumes/conf:/etc/app:ro",
        "secrets/.vnode/volumes/conf/one:/one:ro",
    ]


def test_a_part_of_a_volume_never_changes_where_nothing_is_bound() -> None:
    found = task("raw_exec", CONF, {"mountPath": "/one", "subPath": "one"})
    assert places(found) == [("secrets/one", "0644", True)]


def test_an_environment_and_live_files_are_rendered_together() -> None:
    """Nomad renders what is watched and what is not side by side, and the last of both sets the whole environment."""
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    mount = {"name": "conf", "mountPath": "/etc/app"}
    mixed = pod(container(env=env, volumeMounts=[mount]), volumes=[CONF], restartPolicy="Never")
    [task] = translate(mixed, CONTEXT, OPEN, KNOWN).job.task_groups[0].tasks
    assert [one.once for one in task.templates] == [False] * 4
    apart = pod(container(env=env), restartPolicy="Never")
    [task] = translate(apart, CONTEXT, OPEN, KNOWN).job.task_groups[0].tasks
    assert [one.once for one in task.templates] == [True] * 2


def test_live_files_are_written_at_once_and_those_of_immutable_objects_never_again() -> None:
    live: Template = task("docker", CONF).templates[0]
    assert live.wait is not None
    assert live.wait.max == 1_000_000
    still = material(maps={"c": {"one": "1"}}, immutable=True)
    subject = pod(container(volumeMounts=[{"name": "conf", "mountPath": "/etc/app"}]), volumes=[CONF])
    [template] = translate(subject, CONTEXT, OPEN, still).job.task_groups[0].tasks[0].templates
    assert (template.once, template.wait) == (True, None)


def test_a_task_of_another_user_owns_its_files() -> None:
    subject = pod(
        binary(volumeMounts=[{"name": "my-keys", "mountPath": "/k"}]),
        annotations={"driver": "raw_exec", "user": "1000:2000"},
        volumes=[KEYS],
    )
    [template] = translate(subject, CONTEXT, OPEN, KNOWN).job.task_groups[0].tasks[0].templates
    assert (template.uid, template.gid) == (1000, 2000)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"name": "nobody"}, 'MountVolume.SetUp failed for volume "v" : configmap "nobody" not found'),
        (
            {"name": "c", "items": [{"key": "x", "path": "x"}]},
            'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: x',
        ),
    ],
)
def test_a_volume_waits_in_a_kubelets_words(source: dict[str, Any], message: str) -> None:
    with pytest.raises(Waiting) as waiting:
        task("docker", {"name": "v", "configMap": source})
    assert (waiting.value.hindrance.reason, waiting.value.hindrance.message) == ("FailedMount", message)
    assert waiting.value.hindrance.container == ""


def test_an_optional_volume_is_an_empty_directory() -> None:
    found = task("docker", {"name": "v", "configMap": {"name": "nobody", "optional": True}})
    assert found.config["volumes"] == ["secrets/.vnode/volumes/v:/etc/app:ro"]
    assert found.templates == ()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "${HOME}"])
def test_a_path_that_leaves_its_volume_is_refused(path: str) -> None:
    with pytest.raises(Refused, match=r"spec\.volumes\[v\]"):
        task("docker", {"name": "v", "configMap": {"name": "c", "items": [{"key": "one", "path": path}]}})


def test_fields_of_the_pod_are_files_and_follow_it_where_they_can_change() -> None:
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
    ]
    found = translated("docker", {"name": "v", "downwardAPI": {"items": items}})
    assert sorted(found.items.values()) == [b'app="web"', b"web-0"]
    assert [one.once for one in found.job.task_groups[0].tasks[0].templates] == [False, True]


@pytest.mark.parametrize(
    ("driver", "where", "binds"),
    [
        ("docker", "/etc/app", ["../alloc/data:/etc/app"]),
        ("raw_exec", "${NOMAD_ALLOC_DIR}/data", None),
        ("exec", "${NOMAD_ALLOC_DIR}/data", None),
    ],
)
def test_an_empty_directory_is_one_that_everybody_may_write(driver: str, where: str, binds: list[str] | None) -> None:
    found = task(driver, {"name": "tmp", "emptyDir": {}})
    assert found.env["VNODE_MOUNT_TMP"] == where
    assert found.config.get("volumes") == binds


def test_memory_is_a_tmpfs_of_its_size_and_says_that_a_restart_empties_it() -> None:
    found = translated("docker", {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}})
    [mount] = found.job.task_groups[0].tasks[0].config["mount"]
    assert mount["tmpfs_options"] == [{"mode": 0o1777, "size": 2**20}]
    assert [one.reason for one in found.warnings] == ["EmptiedByRestart"]


def test_what_is_asked_of_a_directory_and_not_done_is_said() -> None:
    found = translated("raw_exec", {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}})
    assert [one.reason for one in found.warnings] == ["FieldIgnored", "LimitNotEnforced"]


def test_exec_says_where_its_secrets_are() -> None:
    [warning] = translated("exec", KEYS).warnings
    assert (warning.reason, "/secrets/etc/app" in warning.message) == ("MountedElsewhere", True)
