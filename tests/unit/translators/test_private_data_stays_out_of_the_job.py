from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.unit.translators.material import VAULT, material, token
from tests.unit.translators.pods import CONTEXT, OPEN, binary, container, pod
from translators.errors import Refused, Waiting
from translators.material import CONFIG_MAP, NOTHING, SECRET, Material, ObjectKey
from translators.pod_to_job import Translation, translate
from translators.records.jobs import Job
from translators.records.pods import Pod
from translators.variables import item_name

RAW = {"driver": "raw_exec"}
CANARY = "canary-6f1d"
_JOB = TypeAdapter(Job)


def key_of(name: str, kind: str, source: str, key: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": {f"{kind}KeyRef": {"name": source, "key": key, **fields}}}


def translated(subject: Pod, known: Material) -> Translation:
    return translate(subject, CONTEXT, OPEN, known)


def private(subject: Pod, known: Material) -> str:
    return translated(subject, known).items[item_name("env", "web")].decode()


def test_a_value_of_an_object_is_in_the_items_and_not_in_the_job() -> None:
    subject = pod(
        binary(
            env=[key_of("WORD", "secret", "s", "k"), {"name": "URL", "value": "x:$(WORD)"}],
            args=["--word=$(WORD)", "${HOME}"],
        ),
        annotations=RAW,
    )
    found = translated(subject, material(secrets={"s": {"k": CANARY.encode()}}))
    job = _JOB.dump_json(found.job).decode()
    assert CANARY not in job
    assert b64encode(CANARY.encode()).decode() not in job
    assert CANARY not in repr(found)
    assert found.items == {item_name("env", "web"): f'WORD="{CANARY}"\nURL="x:{CANARY}"\n'.encode()}
    [task] = found.job.task_groups[0].tasks
    assert task.config["args"] == ["--word=${WORD}", "$${HOME}"]
    assert task.env == {}
    [template] = task.templates
    assert (template.envvars, template.once) == (True, True)
    # Seen on Nomad 1.11: "client.driver_mgr.raw_exec: starting task: driver_cfg=…Args:…".
    assert [finding.reason for finding in found.warnings] == ["SecretInArguments"]
    assert found.job.meta["vk_variables"] == "1"


def test_a_pod_without_data_has_no_trace_of_it() -> None:
    found = translated(pod(), NOTHING)
    assert found.items == {}
    assert "vk_variables" not in found.job.meta


def test_the_order_is_a_kubelets() -> None:
    known = material(maps={"a": {"X": "a", "Y": "a", "Z": "a"}}, secrets={"b": {"X": b"b", "Y": b"b"}})
    sources = [
        {"configMapRef": {"name": "a"}},
        {"secretRef": {"name": "b"}},
        {"prefix": "P_", "secretRef": {"name": "b"}},
    ]
    subject = pod(container(envFrom=sources, env=[{"name": "X", "value": "$(Y)$(Z)"}, {"name": "Y", "value": "own"}]))
    assert private(subject, known) == 'X="ba"\nZ="a"\nP_X="b"\nP_Y="b"\n'
    assert translated(subject, known).job.task_groups[0].tasks[0].env == {"Y": "own"}


@pytest.mark.parametrize(
    ("env", "missing", "message"),
    [
        (key_of("A", "secret", "s", "k"), ObjectKey(SECRET, "s"), 'secret "s" not found'),
        (key_of("A", "configMap", "c", "k"), ObjectKey(CONFIG_MAP, "c"), 'configmap "c" not found'),
        (key_of("A", "secret", "there", "k"), None, "couldn't find key k in Secret team-a/there"),
        (key_of("A", "configMap", "there", "k"), None, "couldn't find key k in ConfigMap team-a/there"),
        (key_of("A", "configMap", "unread", "k"), None, ""),
    ],
)
def test_what_is_missing_is_waited_for_in_a_kubelets_words(
    env: dict[str, Any], missing: ObjectKey | None, message: str
) -> None:
    known = material(maps={"there": {}}, secrets={"there": {}}, missing=() if missing is None else (missing,))
    with pytest.raises(Waiting) as waiting:
        translated(pod(container(env=[env])), known)
    assert waiting.value.hindrance.message == message
    assert waiting.value.hindrance.reason == ("CreateContainerConfigError" if message else "")
    assert waiting.value.hindrance.container == "web"


@pytest.mark.parametrize("source", ["c", "there"])
def test_what_is_optional_is_left_out(source: str) -> None:
    known = material(maps={"there": {}}, missing=(ObjectKey(CONFIG_MAP, "c"),))
    variable = key_of("A", "configMap", source, "k", optional=True)
    every = {"configMapRef": {"name": source, "optional": True}}
    assert translated(pod(container(env=[variable], envFrom=[every])), known).items == {}


@pytest.mark.parametrize(
    ("value", "why"),
    [(b"\xff", "is not UTF-8"), (b"a\0b", "NUL"), (b"x" * 66_000, "mount it as a file")],
)
def test_what_no_variable_can_carry_is_refused_without_showing_it(value: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        translated(pod(container(env=[key_of("A", "secret", "s", "k")])), material(secrets={"s": {"k": value}}))
    assert "xxx" not in str(refused.value)


def test_names_that_nomad_cannot_carry_are_skipped_and_told() -> None:
    subject = pod(container(envFrom=[{"configMapRef": {"name": "a"}}]))
    found = translated(subject, material(maps={"a": {"a-b": "1", "ok": "2"}}))
    assert [finding.reason for finding in found.warnings] == ["InvalidEnvironmentVariableNames"]
    assert "a-b" in found.warnings[0].message
    assert private(subject, material(maps={"a": {"a-b": "1", "ok": "2"}})) == 'ok="2"\n'


def test_data_may_not_choose_the_program() -> None:
    subject = pod(binary(command=["/bin/$(A)"], env=[key_of("A", "secret", "s", "k")]), annotations=RAW)
    with pytest.raises(Refused, match="may not be named by data"):
        translated(subject, material(secrets={"s": {"k": b"sh"}}))


def test_a_text_that_nomad_would_normalize_cannot_be_an_argument() -> None:
    subject = pod(container(args=["$(A)"], env=[key_of("A", "secret", "s", "k")]))
    with pytest.raises(Refused, match="composed form"):
        translated(subject, material(secrets={"s": {"k": "e\u0301".encode()}}))


def test_more_than_three_variables_hold_is_refused_with_the_sizes() -> None:
    volume = {"name": "big", "secret": {"secretName": "s"}}
    subject = pod(container(volumeMounts=[{"name": "big", "mountPath": "/big"}]), volumes=[volume])
    known = material(secrets={"s": {"k": bytes(150_000)}})
    with pytest.raises(Refused, match=r"150000 bytes do not fit .* about 144 KiB; .* nomad-policy-token-file"):
        translated(subject, known)
    carried = translate(subject, replace(CONTEXT, large_data=True), OPEN, known).job
    assert carried.meta["vk_variables"] == "5"
    assert carried.task_groups[0].tasks[0].templates[0].embedded_tmpl.count("/data/0") == 5


def test_a_token_is_an_item_of_its_own() -> None:
    source = {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}}
    subject = pod(
        container(volumeMounts=[{"name": "t", "mountPath": "/t"}]),
        volumes=[{"name": "t", "projected": {"sources": [source]}}],
    )
    found = translated(subject, material(tokens={VAULT: token("the.token.itself")}))
    assert list(found.items.values()) == [b"the.token.itself"]
