from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.unit.translators.pods import binary, container, pod, translation
from translators.errors import Refused
from translators.policy import Policy
from translators.records.pods import Pod

SUM = "sha256:" + "0" * 64
EXAMPLE = {
    "drivers": {
        "raw_exec": {
            "namespaces": ["team-*"],
            "commands": ["/usr/bin/*"],
            "artifact_hosts": ["releases.example.com"],
            "task_config": ["oom_score_adj"],
        },
        "docker": {"task_config": "labels", "commands": "/bin/*"},
    }
}


def policy(raw: dict[str, Any]) -> Policy:
    return TypeAdapter(Policy).validate_python(raw)


def raw_exec(*, command: list[str], **annotations: str) -> Pod:
    written = {key.replace("_", "-"): text for key, text in annotations.items()}
    return pod(binary(command=command), annotations={"driver": "raw_exec", **written})


@pytest.mark.parametrize(
    "subject",
    [
        raw_exec(command=["/usr/bin/env"]),
        raw_exec(command=["/usr/bin/env"], task_config='{"oom_score_adj": 1}'),
        raw_exec(command=[], artifact=f"https://releases.example.com/serve?checksum={SUM}"),
        pod(container(command=["/bin/sh"])),
        pod(container(command=["/bin/sh"]), annotations={"task-config": '{"labels": [{"a": "b"}]}'}),
        pod(binary(), annotations={"driver": "exec"}),
    ],
)
def test_what_is_allowed_passes(subject: Pod) -> None:
    assert translation(subject, policy=policy(EXAMPLE)).job.id


@pytest.mark.parametrize(
    ("subject", "setting"),
    [
        (raw_exec(command=["/bin/sh"]), "commands"),
        (raw_exec(command=["/usr/bin/../../bin/sh"]), "commands"),
        (raw_exec(command=["/usr/bin/x/sh"]), "commands"),
        (raw_exec(command=["sh"]), "commands"),
        (raw_exec(command=["/usr/bin/env"], task_config='{"command": "/bin/sh"}'), "task_config"),
        (raw_exec(command=["/usr/bin/env"], task_config='{"oom_score_adj": 1, "x": 1}'), "task_config"),
        (raw_exec(command=[], artifact=f"https://evil.example.com/serve?checksum={SUM}"), "artifact_hosts"),
        (raw_exec(command=[], artifact="https://releases.example.com/serve"), "require_checksum"),
        (pod(annotations={"driver": "mock_driver"}), "policy.drivers.mock_driver.namespaces"),
        (pod(container(args=["x"])), "policy.drivers.docker.commands"),
        *(
            (pod(container(command=["/bin/sh"]), annotations={"task-config": f'{{"{key}": true}}'}), "task_config")
            for key in ("privileged", "volumes", "mount", "mounts", "devices", "cap_add", "network_mode", "pid_mode")
        ),
    ],
)
def test_what_is_not_allowed_names_the_setting(subject: Pod, setting: str) -> None:
    with pytest.raises(Refused, match=setting) as refused:
        translation(subject, policy=policy(EXAMPLE))
    assert refused.value.finding.reason == "PolicyDenied"


def test_a_driver_without_isolation_needs_to_be_named() -> None:
    with pytest.raises(Refused, match=r"raw_exec .* namespace team-a.*policy\.drivers\.raw_exec\.namespaces"):
        translation(raw_exec(command=["/bin/sh"]), policy=Policy())
    with pytest.raises(Refused, match="namespaces"):
        translation(raw_exec(command=["/bin/sh"]), policy=policy({"drivers": {"raw_exec": {}}}))
    with pytest.raises(Refused, match="namespaces"):
        translation(raw_exec(command=["/bin/sh"]), policy=policy({"drivers": {"raw_exec": {"namespaces": "other"}}}))


def test_a_policy_may_be_written_with_kubernetes_names() -> None:
    assert policy({"drivers": {"raw-exec": {"namespaces": "*"}}}).of("raw_exec").namespaces == ("*",)


def test_a_task_config_that_is_allowed_to_change_the_command_is_judged_by_it() -> None:
    rules = policy({"drivers": {"raw_exec": {"namespaces": "*", "commands": "/usr/bin/*", "task_config": "*"}}})
    with pytest.raises(Refused, match="commands"):
        translation(raw_exec(command=["/usr/bin/env"], task_config='{"command": "/bin/sh"}'), policy=rules)


@pytest.mark.parametrize(
    "raw",
    [
        {"drivers": {"qemu": {}}},
        {"drivers": {"raw_exec": {"comands": ["/bin/true"]}}},
        {"driver": {}},
        {"drivers": {"raw_exec": {"namespaces": [1]}}},
    ],
)
def test_a_misspelt_policy_does_not_load(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        policy(raw)
