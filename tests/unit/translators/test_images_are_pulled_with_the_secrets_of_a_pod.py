import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.property.test_data_arrives_unchanged import go_envparse
from tests.unit.translators.material import material
from tests.unit.translators.pods import CONTEXT, OPEN, binary, container, pod
from translators.errors import Refused
from translators.material import SECRET, Material, ObjectKey
from translators.pod_to_job import Translation, translate
from translators.records.jobs import Job, TaskSecret
from translators.references import references
from translators.variables import own_paths, pack

KEY = [{"name": "key"}]
LOGIN = {"username": "robot", "password": "the password"}


def held(entries: dict[str, dict[str, str]]) -> Material:
    return material(secrets={"key": {".dockerconfigjson": json.dumps({"auths": entries}).encode()}})


def translated(image: str, known: Material, **spec: Any) -> Translation:
    subject = pod(container(image=image), imagePullSecrets=KEY, **spec)
    return translate(subject, CONTEXT, OPEN, known)


def password(image: str, entries: dict[str, dict[str, str]]) -> str | None:
    own = translated(image, held(entries)).items.get("@web")
    return None if own is None else str(json.loads(json.loads(own)["password"]))


def test_the_job_names_where_the_credentials_are_and_holds_none() -> None:
    found = translated("reg.example.com/app:1", held({"reg.example.com": LOGIN}))
    [task] = found.job.task_groups[0].tasks
    path = f"nomad/jobs/{found.job.id}/pod/web"
    assert task.secrets == (TaskSecret(name="pull", path=path),)
    assert task.config["auth"] == {
        "username": "${secret.pull.username}",
        "password": "${secret.pull.password}",
        "server_address": "reg.example.com",
    }
    assert "semver" in {each.operand for each in found.job.constraints}
    assert found.job.meta["vk_logins"] == "true"
    assert b"the password" not in TypeAdapter(Job).dump_json(found.job)
    number = int(found.job.meta["vk_variables"])
    assert pack(found.items, found.job.id, ("web",), number)[path] == {
        "username": '"robot"', "password": '"the password"',
    }  # fmt: skip
    assert own_paths(found.items, found.job.id) == (path,)


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("reg.example.com/app", "reg.example.com"),
        ("reg.example.com/app", "https://reg.example.com"),
        ("reg.example.com/app", "https://reg.example.com/v2/"),
        ("reg.example.com/app", "*.example.com"),
        ("reg.example.com:5000/team/app:1", "reg.example.com:5000/team"),
        ("localhost/app", "localhost"),
        ("app", "https://index.docker.io/v1/"),
        ("team/app@sha256:0", "docker.io"),
    ],
)
def test_an_entry_fits_the_images_of_its_place(image: str, place: str) -> None:
    assert password(image, {place: LOGIN}) == "the password"


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("reg.example.com/app", "example.com"),
        ("reg.example.com/app", "*.com"),
        ("reg.example.com:5000/app", "reg.example.com"),
        ("reg.example.com/app", "reg.example.com/team"),
        ("app", "reg.example.com"),
        ("reg.example.com.evil.org/app", "reg.example.com"),
    ],
)
def test_credentials_go_to_no_other_place(image: str, place: str) -> None:
    assert password(image, {place: LOGIN}) is None


def test_the_entry_that_says_most_of_the_place_counts() -> None:
    entries = {"reg.example.com": LOGIN, "reg.example.com/team": {**LOGIN, "password": "nearer"}}
    assert password("reg.example.com/team/app", entries) == "nearer"
    assert password("reg.example.com/other/app", entries) == "the password"


def test_docker_login_keeps_both_in_one_text() -> None:
    entry = {"auth": b64encode(b"robot:a:b").decode()}
    assert password("reg.example.com/app", {"reg.example.com": entry}) == "a:b"
    assert password("reg.example.com/app", {"reg.example.com": {"auth": "%%%"}}) is None


def test_the_older_kind_of_secret() -> None:
    known = material(secrets={"key": {".dockercfg": json.dumps({"reg.example.com": LOGIN}).encode()}})
    assert translated("reg.example.com/app", known).job.task_groups[0].tasks[0].secrets


@pytest.mark.parametrize(
    "known",
    [
        material(missing=(ObjectKey(SECRET, "key"),)),
        material(secrets={"key": {"other": b""}}),
        material(secrets={"key": {".dockerconfigjson": b"no JSON"}}),
        material(secrets={"key": {".dockerconfigjson": b'{"auths": []}'}}),
        Material(denied={ObjectKey(SECRET, "key"): "forbidden"}),
    ],
)
def test_what_cannot_be_used_is_told_and_the_image_is_pulled_without(known: Material) -> None:
    found = translated("reg.example.com/app", known)
    assert [each.reason for each in found.warnings] == ["FailedToRetrieveImagePullSecret"]
    assert "auth" not in found.job.task_groups[0].tasks[0].config
    assert found.items == {}


def test_a_container_whose_path_holds_its_turn_is_refused() -> None:
    inits = [container("one", image="reg.example.com/a"), container("two", image="reg.example.com/a")]
    known = held({"reg.example.com": LOGIN})
    with pytest.raises(Refused, match="waits for another"):
        translated("app", known, initContainers=inits)
    slow = container("slow", restartPolicy="Always", startupProbe={"tcpSocket": {"port": 1}})
    with pytest.raises(Refused, match="waits for another"):
        translated("reg.example.com/a", known, initContainers=[slow])
    assert translated("app", known, initContainers=inits[:1]).items.keys() == {"@one"}


def test_data_that_needs_the_tasks_own_paths_is_too_much_beside_them() -> None:
    volume = {"name": "big", "secret": {"secretName": "big"}}
    known = material(
        secrets={
            "big": {"k": bytes(60_000)},
            "key": {".dockerconfigjson": json.dumps({"auths": {"reg.example.com": LOGIN}}).encode()},
        }
    )
    mounting = container(image="reg.example.com/app", volumeMounts=[{"name": "big", "mountPath": "/big"}])
    with pytest.raises(Refused, match="about 48 KiB"):
        translate(pod(mounting, volumes=[volume], imagePullSecrets=KEY), CONTEXT, OPEN, known)


def test_only_images_have_credentials() -> None:
    subject = pod(binary(), annotations={"driver": "raw_exec"}, imagePullSecrets=KEY)
    assert references(subject, "docker").objects == {}
    assert references(pod(imagePullSecrets=KEY), "docker").objects == {ObjectKey(SECRET, "key"): frozenset()}


@given(text=st.text(max_size=40).filter(lambda text: not text.endswith("\0")))
def test_every_password_arrives_as_it_is(text: str) -> None:
    own = translated("reg.example.com/app", held({"reg.example.com": {"username": "u", "password": text}})).items
    line = f"password={json.loads(own['@web'])['password']}\n".encode()
    assert go_envparse(line) == {"password": text}
