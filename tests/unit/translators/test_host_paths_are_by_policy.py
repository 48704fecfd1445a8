from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.unit.translators.pods import Value, binary, container, pod, translation
from translators.errors import Refused
from translators.pod_to_job import Translation
from translators.policy import Policy

OPEN = {"team-a": ["/srv/{namespace}", "/var/log/*"]}


def translated(
    path: str, *, driver: str = "docker", kind: str = "", rules: Value = None, **mount: Value
) -> Translation:
    main = container if driver == "docker" else binary
    mounted = main(command=["/bin/x"], volumeMounts=[{"name": "host-dir", "mountPath": "/data", **mount}])
    subject = pod(
        mounted,
        annotations={"driver": driver},
        volumes=[{"name": "host-dir", "hostPath": {"path": path, "type": kind}}],
    )
    written: dict[str, Any] = {
        "drivers": {"raw_exec": {"namespaces": "*"}},
        "host_paths": OPEN if rules is None else rules,
    }
    return translation(subject, policy=TypeAdapter(Policy).validate_python(written))


@pytest.mark.parametrize(
    ("mount", "bind"),
    [
        ({}, "/srv/team-a:/data"),
        ({"readOnly": True}, "/srv/team-a:/data:ro"),
        ({"subPath": "x/y"}, "/srv/team-a/x/y:/data"),
    ],
)
def test_docker_binds_it(mount: dict[str, Any], bind: str) -> None:
    [task] = translated("/srv/team-a", **mount).job.task_groups[0].tasks
    assert task.config["volumes"] == [bind]
    assert task.env["VNODE_MOUNT_HOST_DIR"] == "/data"


def test_raw_exec_is_told_where_it_is() -> None:
    found = translated("/srv/team-a/in", driver="raw_exec", readOnly=True)
    assert found.job.task_groups[0].tasks[0].env["VNODE_MOUNT_HOST_DIR"] == "/srv/team-a/in"
    assert [one.field for one in found.warnings] == ["spec.containers[web].volumeMounts[host-dir].readOnly"]


@pytest.mark.parametrize("path", ["/srv/team-a", "/srv/team-a/", "/srv/team-a/below", "/var/log/app"])
def test_what_the_policy_names_is_allowed_with_all_below_it(path: str) -> None:
    assert translated(path).warnings == ()


@pytest.mark.parametrize("path", ["/", "/srv", "/srv/team-b", "/srv/team-ab", "/var/log", "/srv/team-a/../team-b"])
def test_anything_else_is_not(path: str) -> None:
    with pytest.raises(Refused, match=r"policy\.host_paths"):
        translated(path)


@pytest.mark.parametrize("rules", [{}, {"team-b": "/srv"}])
def test_nothing_is_allowed_where_nothing_is_said(rules: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"policy\.host_paths"):
        translated("/srv/team-a", rules=rules)


@pytest.mark.parametrize("path", ["srv", "/srv/a:b", "/srv/${attr.x}"])
def test_a_path_that_docker_or_nomad_would_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(Refused, match="absolute"):
        translated(path, rules={"*": "*"})


def test_exec_cannot_show_it() -> None:
    with pytest.raises(Refused, match="exec"):
        translated("/srv/team-a", driver="exec")


def test_what_is_demanded_of_the_path_is_not_checked_and_said_so() -> None:
    assert translated("/srv/team-a", kind="DirectoryOrCreate").warnings == ()
    [warning] = translated("/srv/team-a", kind="Socket").warnings
    assert warning.field == "spec.volumes[host-dir].hostPath.type"
    with pytest.raises(Refused, match="FileOrCreate"):
        translated("/srv/team-a", kind="FileOrCreate")
