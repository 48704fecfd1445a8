import dataclasses
from typing import Any

import pytest

from tests.unit.translators.pods import CONTEXT, Value, binary, container, group, pod, task, translation
from translators.errors import Refused

RAW = {"driver": "raw_exec"}


def variables(*env: dict[str, Any], **fields: Value) -> dict[str, str]:
    return task(pod(container(env=list(env), **fields))).env


def field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def test_values_expand_with_what_stands_before_them() -> None:
    found = variables(
        {"name": "EARLY", "value": "$(LATE)"},
        {"name": "LATE", "value": "x"},
        {"name": "ALL", "value": "$(EARLY) $(LATE) $$(LATE) $(NOBODY) $(LATE"},
        {"name": "EMPTY"},
    )
    assert found == {"EARLY": "$(LATE)", "LATE": "x", "ALL": "$(LATE) x $(LATE) $(NOBODY) $(LATE", "EMPTY": ""}


def test_a_later_variable_of_the_same_name_wins() -> None:
    assert variables({"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}) == {"A": "12"}


def test_command_and_arguments_expand_with_the_final_environment() -> None:
    subject = pod(
        binary(command=["/bin/$(A)"], args=["$(A)", "$$(A)", "$HOME"], env=[{"name": "A", "value": "1"}]),
        annotations=RAW,
    )
    assert task(subject).config == {"command": "/bin/1", "args": ["1", "$(A)", "$HOME"]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-0"),
        ("metadata.namespace", "team-a"),
        ("metadata.uid", "6f1d0c5e-9a55-4a8e-8a5c-2f4a1f5a0001"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['missing']", ""),
        ("metadata.annotations['missing']", ""),
        ("spec.nodeName", "nomad"),
        ("spec.serviceAccountName", "default"),
        ("status.hostIP", "${attr.unique.network.ip-address}"),
        ("status.hostIPs", "${attr.unique.network.ip-address}"),
    ],
)
def test_fields_of_the_pod(path: str, value: str) -> None:
    assert variables(field("F", path)) == {"F": value}


def test_the_pods_address_is_known_where_it_is_the_hosts() -> None:
    subject = pod(container(env=[field("IP", "status.podIP")]), hostNetwork=True)
    assert task(subject).env == {"IP": "${attr.unique.network.ip-address}"}


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ([field("F", "spec.hostname")], "spec.hostname"),
        ([field("IP", "status.hostIP"), {"name": "URL", "value": "http://$(IP)/${HOME}"}], "use two variables"),
        ([{"name": "S", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}], "has no limit of cpu"),
        ([{"name": "S", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}}], "cannot be shown"),
        ([{"name": "S", "valueFrom": {"fileKeyRef": {"key": "k"}}}], "fileKeyRef"),
        ([{"name": "S", "valueFrom": {"newRef": {"key": "k"}}}], "not supported"),
        ([{"name": "A", "value": "\0"}], "NUL"),
        ([{"name": "a-b", "value": "${HOME}"}], "rename the variable"),
        ([{"name": "NOMAD_META_a-b", "value": "1"}], "Nomad rewrites"),
        ([{"name": "A=B", "value": "1"}], "is no name"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(env: list[dict[str, Any]], name: str) -> None:
    with pytest.raises(Refused, match=rf"spec\.containers\[web\]\.env\[.*{name}"):
        translation(pod(container(env=env)))


def test_an_address_that_only_the_client_knows_goes_on_into_values_and_arguments() -> None:
    env = [field("IP", "status.hostIP"), {"name": "URL", "value": "http://$(IP):80"}]
    found = task(pod(container(env=env, args=["--at=$(URL)", "$$(IP)", "$(NOBODY)"])))
    assert found.env["URL"] == "http://${attr.unique.network.ip-address}:80"
    assert found.config["args"] == ["--at=${URL}", "$(IP)", "$(NOBODY)"]


@pytest.mark.parametrize(
    ("containers", "value"),
    [
        ([{}], "${NOMAD_ALLOC_IP_vnode-address}"),
        ([{"ports": [{"containerPort": 80, "name": "http"}]}], "${NOMAD_ALLOC_IP_http}"),
        ([{}, {"name": "b"}], "${NOMAD_ALLOC_IP_vnode-address}"),
    ],
)
def test_the_pods_address_in_a_bridge_is_the_allocations_own(containers: list[dict[str, Any]], value: str) -> None:
    made = [container(**{"env": [field("IP", "status.podIP")], **fields}) for fields in containers]
    subject = group(pod(*made))
    assert subject.networks[0].mode == "bridge"
    assert subject.tasks[0].env["IP"] == value


def test_a_value_that_nomad_would_replace_travels_as_a_base64_literal() -> None:
    subject = task(pod(container(env=[{"name": "KEEP", "value": "${HOME}"}, {"name": "A", "value": "$HOME {{ x }}"}])))
    assert subject.env == {"A": "$HOME {{ x }}"}
    [template] = subject.templates
    assert template.embedded_tmpl == 'KEEP={{ "JHtIT01FfQ==" | base64Decode | toJSON }}\n'
    assert (template.envvars, template.once, template.change_mode) == (True, True, "noop")


def test_the_api_servers_address_is_set_where_tasks_can_reach_it_and_never_beats_the_pod() -> None:
    context = dataclasses.replace(CONTEXT, kubernetes_service=("10.0.0.1", 6443))
    env = [
        {"name": "URL", "value": "$(KUBERNETES_PORT)"},
        {"name": "KUBERNETES_SERVICE_HOST", "value": "mine"},
    ]
    assert task(pod(container(env=env)), context).env == {
        "URL": "tcp://10.0.0.1:6443",
        "KUBERNETES_SERVICE_HOST": "mine",
        "KUBERNETES_SERVICE_PORT": "6443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "6443",
        "KUBERNETES_PORT": "tcp://10.0.0.1:6443",
        "KUBERNETES_PORT_6443_TCP": "tcp://10.0.0.1:6443",
        "KUBERNETES_PORT_6443_TCP_PROTO": "tcp",
        "KUBERNETES_PORT_6443_TCP_PORT": "6443",
        "KUBERNETES_PORT_6443_TCP_ADDR": "10.0.0.1",
    }
