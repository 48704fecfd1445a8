from typing import Any

import pytest

from tests.unit.translators.pods import binary, container, group, pod, task, translation
from translators.errors import Refused

OWN = "spec.containers[web].securityContext"
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def secured(own: dict[str, Any] | None = None, shared: dict[str, Any] | None = None) -> dict[str, Any]:
    made = task(pod(container(securityContext=own or {}), securityContext=shared or {}))
    return {**made.config, "user": made.user}


def test_the_restricted_profile_passes_silently() -> None:
    assert translation(pod(container(securityContext=RESTRICTED))).warnings == ()


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, {"user": None}),
        ({"readOnlyRootFilesystem": True}, {"readonly_rootfs": True}),
        ({"allowPrivilegeEscalation": False}, {"security_opt": ["no-new-privileges"]}),
        ({"capabilities": {"drop": ["ALL"], "add": ["CAP_CHOWN"]}}, {"cap_drop": ["ALL"], "cap_add": ["CHOWN"]}),
        ({"runAsUser": 0}, {"user": "0"}),
        ({"runAsUser": 1000, "runAsGroup": 2000}, {"user": "1000:2000"}),
        ({"runAsUser": 1000, "runAsNonRoot": True}, {"user": "1000"}),
    ],
)
def test_settings_become_those_of_docker(own: dict[str, Any], expected: dict[str, Any]) -> None:
    found = secured(own)
    assert {name: found.get(name) for name in expected} == expected


def test_a_container_wins_over_its_pod() -> None:
    shared = {"runAsUser": 1, "runAsGroup": 2, "runAsNonRoot": True, "supplementalGroups": [7, 8]}
    found = secured({"runAsUser": 5}, shared)
    assert (found["user"], found["group_add"]) == ("5:2", ["7", "8"])
    assert secured({"runAsUser": 0, "runAsNonRoot": False}, shared)["user"] == "0:2"


@pytest.mark.parametrize(
    ("own", "field"),
    [
        ({"runAsNonRoot": True}, "runAsNonRoot"),
        ({"runAsNonRoot": True, "runAsUser": 0}, "runAsUser"),
        ({"runAsGroup": 5}, "runAsGroup"),
        ({"seccompProfile": {"type": "Unconfined"}}, "seccompProfile"),
        ({"appArmorProfile": {"type": "Localhost", "localhostProfile": "x"}}, "appArmorProfile"),
    ],
)
def test_what_docker_does_not_enforce_is_refused(own: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        secured(own)
    assert refused.value.finding.field == f"{OWN}.{field}"


@pytest.mark.parametrize(("user", "refused"), [("1000", False), ("root", True), ("0", True)])
def test_the_user_of_an_annotation_is_looked_at_too(user: str, *, refused: bool) -> None:
    subject = pod(container(securityContext={"runAsNonRoot": True}), annotations={"user": user})
    if refused:
        with pytest.raises(Refused):
            translation(subject)
    else:
        assert task(subject).user == "1000"


def test_two_users_are_refused() -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(container(securityContext={"runAsUser": 5}), annotations={"user": "web"}))
    assert refused.value.finding.field == f"{OWN}.runAsUser"


@pytest.mark.parametrize("driver", ["exec", "raw_exec"])
@pytest.mark.parametrize(
    ("own", "field"),
    [
        ({"runAsUser": 0}, "runAsUser"),
        ({"runAsGroup": 0}, "runAsGroup"),
        ({"runAsNonRoot": True}, "runAsNonRoot"),
        ({"readOnlyRootFilesystem": True}, "readOnlyRootFilesystem"),
        ({"allowPrivilegeEscalation": False}, "allowPrivilegeEscalation"),
        ({"capabilities": {"drop": ["ALL"]}}, "capabilities"),
        ({"seccompProfile": {"type": "RuntimeDefault"}}, "seccompProfile"),
    ],
)
def test_drivers_that_enforce_nothing_of_it_refuse_it(driver: str, own: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(binary(securityContext=own), annotations={"driver": driver}))
    assert refused.value.finding.field == f"{OWN}.{field}"


def test_names_of_hosts_are_added_where_there_is_a_file_for_them() -> None:
    aliases = [{"ip": "10.0.0.1", "hostnames": ["db", "db.local"]}, {"ip": "::1", "hostnames": ["six"]}]
    subject = pod(container(), container("two"), hostAliases=aliases)
    assert [each.config["extra_hosts"] for each in group(subject).tasks] == [
        ["db:10.0.0.1", "db.local:10.0.0.1", "six:::1"]
    ] * 2
    with pytest.raises(Refused) as refused:
        translation(pod(binary(), annotations={"driver": "exec"}, hostAliases=aliases))
    assert refused.value.finding.field == "spec.hostAliases"
