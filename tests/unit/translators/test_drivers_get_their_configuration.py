import json
from typing import Any

import pytest

from tests.unit.translators.pods import binary, container, group, pod, task, translation
from translators.errors import Refused

SUM = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("fields", "config"),
    [
        ({}, {}),
        ({"command": ["a", "b"]}, {"entrypoint": ["a", "b"]}),
        ({"args": ["c"]}, {"args": ["c"]}),
        ({"command": ["a"], "args": ["c"], "workingDir": "/w"}, {"entrypoint": ["a"], "args": ["c"], "work_dir": "/w"}),
        ({"imagePullPolicy": "Always"}, {"force_pull": True}),
        ({"args": ["${x} %{y} $(z)"]}, {"args": ["$${x} %%{y} $(z)"]}),
    ],
)
def test_docker(fields: dict[str, Any], config: dict[str, Any]) -> None:
    expected = {"image": "busybox:1.36", "hostname": "web-0", **config}
    assert task(pod(container(**fields))).config == expected


@pytest.mark.parametrize("driver", ["exec", "raw_exec"])
def test_binaries(driver: str) -> None:
    subject = pod(
        binary(command=["/bin/sh", "-c"], args=["echo ${HOME}"], workingDir="/w"), annotations={"driver": driver}
    )
    assert task(subject).driver == driver
    assert task(subject).config == {"command": "/bin/sh", "args": ["-c", "echo $${HOME}"], "work_dir": "/w"}


def test_mock_driver_runs_until_it_is_stopped_unless_told_otherwise() -> None:
    assert task(pod(annotations={"driver": "mock_driver"})).config == {"run_for": "87600h"}
    told = pod(annotations={"driver": "mock_driver", "task-config": '{"run_for": "1s", "exit_code": 3}'})
    assert task(told).config == {"run_for": "1s", "exit_code": 3}


@pytest.mark.parametrize(
    ("annotations", "spec", "driver"),
    [
        ({}, {}, "docker"),
        ({}, {"runtimeClassName": "nomad-raw-exec"}, "raw_exec"),
        ({"driver": "exec"}, {"runtimeClassName": "nomad-raw-exec"}, "exec"),
        ({"driver": "exec", "containers": '{"web": {"driver": "raw-exec"}}'}, {}, "raw_exec"),
        ({"driver.web": "raw_exec", "driver": "exec", "containers": '{"web": {"driver": "docker"}}'}, {}, "raw_exec"),
    ],
)
def test_the_nearest_word_chooses_the_driver(annotations: dict[str, str], spec: dict[str, Any], driver: str) -> None:
    assert task(pod(binary(), annotations=annotations, **spec)).driver == driver


@pytest.mark.parametrize(
    ("annotations", "spec", "message"),
    [
        ({"driver": "raw-exce"}, {}, r"annotations\[nomad.hashinetes.io/driver\]: .*did you mean raw_exec"),
        ({"driver.web": "qemu"}, {}, r"annotations\[nomad.hashinetes.io/driver.web\]: there is no driver"),
        ({}, {"runtimeClassName": "gvisor"}, "spec.runtimeClassName: 'gvisor' means nothing"),
        ({}, {"runtimeClassName": "nomad-qemu"}, "spec.runtimeClassName: there is no driver"),
    ],
)
def test_an_unknown_driver_is_refused(annotations: dict[str, str], spec: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        translation(pod(annotations=annotations, **spec))


def test_a_downloaded_file_is_itself_the_program() -> None:
    url = f"https://releases.example.com/v1/serve?archive=false&checksum={SUM}"
    subject = task(pod(binary(command=[], args=["-v"]), annotations={"driver": "exec", "artifact": url}))
    assert subject.config == {"command": "local/serve", "args": ["-v"]}
    [artifact] = subject.artifacts
    assert artifact.getter_source == "https://releases.example.com/v1/serve?archive=false"
    assert artifact.getter_options == {"checksum": SUM}
    assert (artifact.getter_mode, artifact.relative_dest) == ("file", "local/serve")


def test_downloads_beside_a_command_are_unpacked_into_local() -> None:
    lines = (
        f"https://a.example.com/x.tgz?checksum={SUM}\n\n https://b.example.com/y?checksum={SUM.replace(':', '%3A')} "
    )
    found = task(pod(binary(), annotations={"driver": "exec", "artifact": lines})).artifacts
    assert [(one.getter_source, one.getter_mode, one.relative_dest) for one in found] == [
        ("https://a.example.com/x.tgz", "any", "local/"),
        ("https://b.example.com/y", "any", "local/"),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("https://h/${NOMAD_ALLOC_ID}", "cannot be used here"),
        (f"https://u:p@h/x?checksum={SUM}", "is no URL"),
        ("ftp://h/x", "is no URL"),
        ("git::https://h/x", "is no URL"),
        ("https://h\\@evil/x", "is no URL"),
        ("https://h/x?checksum=md5:00", "must be one sha256"),
        (f"https://h/x?checksum={SUM}&checksum={SUM}", "must be one sha256"),
        ("https://h/x", "has no checksum"),
        (f"https://h/?checksum={SUM}", "no plain file name"),
        (f"https://h/%2e%2e?checksum={SUM}", "no plain file name"),
        (f"https://h/a?checksum={SUM}\nhttps://h/b?checksum={SUM}", "say with `command`"),
    ],
)
def test_a_download_that_is_not_plain_is_refused(lines: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        translation(pod(binary(command=[]), annotations={"driver": "exec", "artifact": lines}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"command": []}, r"command: driver raw_exec needs a program"),
        ({"command": [""]}, r"command: driver raw_exec needs a program"),
        ({"workingDir": "here"}, r"needs an absolute path"),
        ({"args": ["a\0b"]}, "NUL"),
    ],
)
def test_a_program_that_cannot_start_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        translation(pod(binary(**fields), annotations={"driver": "raw_exec"}))


def test_task_config_is_data_and_is_escaped_deeply() -> None:
    written = {"oom_score_adj": 5, "cgroup_v1_override": [{"${k}": "%{v}"}]}
    subject = task(pod(binary(), annotations={"driver": "raw_exec", "task-config": json.dumps(written)}))
    assert subject.config["oom_score_adj"] == 5
    assert subject.config["cgroup_v1_override"] == [{"$${k}": "%%{v}"}]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": NaN}', "[" * 100_000, '{"a":' * 50 + "1" + "}" * 50])
def test_task_config_is_a_json_object(text: str) -> None:
    subject = pod(binary(), annotations={"driver": "raw_exec", "task-config": text or "x"})
    with pytest.raises(Refused, match=r"annotations\[nomad.hashinetes.io/task-config\]"):
        translation(subject)


def test_user_and_directory() -> None:
    subject = task(
        pod(binary(workingDir="/a"), annotations={"driver": "raw_exec", "user": "www-data", "work-dir.web": "/b"})
    )
    assert (subject.user, subject.config["work_dir"]) == ("www-data", "/b")
    with pytest.raises(Refused, match="io/user"):
        translation(pod(annotations={"user": "${NOMAD_META_x}"}))


def test_no_task_may_be_called_like_nomads_own_directory() -> None:
    with pytest.raises(Refused, match="rename the container"):
        translation(pod(container("alloc")))


def test_every_container_is_a_task_with_room_for_its_logs() -> None:
    found = group(pod(container("a"), container("b"), container("c")))
    assert [one.name for one in found.tasks] == ["a", "b", "c"]
    assert found.ephemeral_disk.size_mb == 500
