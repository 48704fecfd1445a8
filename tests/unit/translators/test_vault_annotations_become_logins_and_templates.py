from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.unit.translators.pods import CONTEXT, binary, container
from translators.errors import Refused
from translators.pod_to_job import Translation, translate
from translators.policy import Policy
from translators.records.jobs import Task, Template
from translators.support import decode_pod

ROLE = {"agent-inject": "true", "role": "team-a_worker"}
USER = {**ROLE, "agent-inject-secret-user": "database/creds/worker"}


def policy(roles: Mapping[str, Any] | None = None) -> Policy:
    allowed = {"*": "{namespace}_*"} if roles is None else dict(roles)
    rules = {"drivers": {"raw_exec": {"namespaces": "*"}}, "vault": {"roles": allowed}}
    return TypeAdapter(Policy).validate_python(rules)


def translated(
    annotations: Mapping[str, str],
    *containers: dict[str, Any],
    driver: str = "docker",
    rules: Policy | None = None,
    init: Sequence[dict[str, Any]] = (),
) -> Translation:
    written = {f"vault.hashicorp.com/{key}": text for key, text in annotations.items()}
    metadata = {
        "name": "worker",
        "namespace": "team-a",
        "uid": "6f1d0c5e-9a55-4a8e-8a5c-2f4a1f5a0001",
        "annotations": {"nomad.hashinetes.io/driver": driver, **written},
    }
    mains = list(containers) or [binary(command=["/bin/worker"])]
    spec = {"containers": mains, "initContainers": list(init), "restartPolicy": "Always"}
    return translate(decode_pod({"metadata": metadata, "spec": spec}), CONTEXT, rules or policy())


def task(annotations: Mapping[str, str], **how: Any) -> Task:
    return translated(annotations, **how).job.task_groups[0].tasks[0]


def template(annotations: Mapping[str, str], **how: Any) -> Template:
    [found] = task(annotations, **how).templates
    return found


@pytest.mark.parametrize("text", ["false", "0", ""])
def test_a_pod_that_does_not_ask_for_vault_gets_none(text: str) -> None:
    found = task({**USER, "agent-inject": text})
    assert (found.vault, found.templates) == (None, ())


def test_a_task_logs_in_by_its_role_and_gets_no_token() -> None:
    login = task(USER).vault
    assert login is not None
    assert (login.role, login.env, login.disable_file, login.change_mode) == ("team-a_worker", False, True, "noop")


def test_docker_has_the_files_where_the_injector_puts_them() -> None:
    found = task(USER)
    assert found.config["volumes"] == ["secrets/.vnode/vault/0:/vault/secrets:ro"]
    assert [one.dest_path for one in found.templates] == ["secrets/.vnode/vault/0/user"]
    assert found.env["VNODE_MOUNT_VAULT_SECRETS"] == "/vault/secrets"


@pytest.mark.parametrize("driver", ["exec", "raw_exec"])
def test_the_other_drivers_have_them_on_the_tmpfs_and_are_told_so(driver: str) -> None:
    found = translated(USER, driver=driver)
    [only] = found.job.task_groups[0].tasks
    assert [one.dest_path for one in only.templates] == ["secrets/vault/secrets/user"]
    assert only.env["VNODE_MOUNT_VAULT_SECRETS"] == "${NOMAD_SECRETS_DIR}/vault/secrets"
    assert [one.reason for one in found.warnings] == ["MountedElsewhere"]


def test_a_secret_without_a_template_is_shown_as_by_the_injector() -> None:
    lines = "{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}"
    assert template(USER).embedded_tmpl == f'{{{{ with secret "database/creds/worker" }}}}{lines}{{{{ end }}}}'
    as_json = template({**USER, "agent-inject-default-template": "json"})
    assert as_json.embedded_tmpl == '{{ with secret "database/creds/worker" }}{{ .Data | toJSON }}\n{{ end }}'


def test_the_path_of_a_secret_is_never_template_text() -> None:
    evil = '"}}{{ secret "other'
    assert '"\\"}}{{ secret \\"other"' in template({**ROLE, "agent-inject-secret-user": evil}).embedded_tmpl


def test_a_template_is_carried_as_written_with_all_its_settings() -> None:
    said = {
        **USER,
        "agent-inject-template-user": '[[ with secret "a/b" ]][[ .Data.x ]][[ end ]]',
        "agent-inject-file-user": "conf/Db.env",
        "agent-inject-perms-user": "0400",
        "agent-template-left-delim-user": "[[",
        "agent-template-right-delim-user": "]]",
        "error-on-missing-key-user": "true",
        "agent-pre-populate-only": "true",
    }
    assert template(said) == Template(
        embedded_tmpl='[[ with secret "a/b" ]][[ .Data.x ]][[ end ]]',
        dest_path="secrets/.vnode/vault/0/conf/Db.env",
        once=True,
        perms="0400",
        left_delim="[[",
        right_delim="]]",
        err_missing_key=True,
    )


def test_a_file_follows_its_secret_unless_it_is_read_once() -> None:
    assert not template(USER).once
    assert template(USER).change_mode == "noop"


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"agent-inject-secret-DB": "a"}, "vault/secrets/db"),
        ({"agent-inject-secret-DB": "a", "preserve-secret-case": "true"}, "vault/secrets/DB"),
        ({"agent-inject-secret-DB": "a", "preserve-secret-case-DB": "true"}, "vault/secrets/DB"),
        ({"agent-inject-secret-db": "a", "secret-volume-path": "/etc/db"}, "etc/db/db"),
        ({"agent-inject-secret-db": "a", "secret-volume-path-db": "/etc/own"}, "etc/own/db"),
    ],
)
def test_names_and_places_are_the_injectors(said: dict[str, str], path: str) -> None:
    assert template({**ROLE, **said}, driver="raw_exec").dest_path == f"secrets/{path}"


def test_only_the_containers_that_are_listed_get_anything() -> None:
    both = (container("a", command=["/a"]), container("b", command=["/b"]))
    found = translated({**USER, "agent-inject-containers": "b"}, *both).job.task_groups[0].tasks
    assert [(one.vault is not None, len(one.templates)) for one in found] == [(False, 0), (True, 1)]


def test_an_init_container_gets_nothing_unless_it_is_listed() -> None:
    init = [container("init", command=["/i"])]
    for listed, wanted in (({}, [("init", False), ("web", True)]), ({"agent-inject-containers": "init"}, None)):
        tasks = translated({**USER, **listed}, init=init).job.task_groups[0].tasks
        found = sorted((one.name, one.vault is not None) for one in tasks)
        assert found == (wanted or [("init", True), ("web", False)])


def test_a_token_is_a_file_for_those_who_ask() -> None:
    found = translated({**ROLE, "agent-inject-token": "true"})
    login = found.job.task_groups[0].tasks[0].vault
    assert login is not None
    assert not login.disable_file
    assert "vault_token" in found.warnings[0].message


def test_what_only_an_agent_could_do_is_said() -> None:
    [warning] = translated({**USER, "agent-limits-cpu": "1"}).warnings
    assert warning.field == "metadata.annotations[vault.hashicorp.com/agent-limits-cpu]"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"role": ""}, "role"),
        ({"agent-inject": "maybe"}, "agent-inject"),
        ({"agent-inject-template-x": "  "}, "agent-inject-secret-x"),
        ({"agent-inject-default-template": "yaml"}, "agent-inject-default-template"),
        ({"agent-inject-perms-user": "0999"}, "agent-inject-perms-user"),
        ({"agent-inject-file-user": "../../x"}, "agent-inject-file-user"),
        ({"agent-inject-file-user": "${attr.x}"}, "agent-inject-file-user"),
        ({"secret-volume-path": "relative"}, "secret-volume-path-user"),
        ({"agent-inject-secret-b": "x", "agent-inject-file-b": "user"}, "agent-inject-file"),
        ({"agent-inject-containers": "nobody"}, "agent-inject-containers"),
        ({"agent-inject-template-file-user": "/x"}, "agent-inject-template-file-user"),
        ({"agent-inject-command-user": "kill -HUP 1"}, "agent-inject-command-user"),
    ],
)
def test_what_cannot_be_is_refused_by_name(said: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        translated({**USER, **said})
    assert refusal.value.finding.field.startswith(f"metadata.annotations[vault.hashicorp.com/{field}")


@pytest.mark.parametrize("roles", [{}, {"other": "*"}, {"team-a": "team-b_*"}, {"*": "{namespace}"}])
def test_a_role_is_only_for_namespaces_that_policy_names(roles: dict[str, str]) -> None:
    with pytest.raises(Refused, match=r"policy\.vault\.roles"):
        translated(USER, rules=policy(roles))


def test_a_policy_that_mixes_up_namespaces_is_refused_when_it_is_loaded() -> None:
    with pytest.raises(ValidationError, match="does not tell namespaces apart"):
        policy({"*": "{namespace}-*"})


def test_what_the_injector_put_into_a_pod_is_taken_out_again() -> None:
    secrets = {"name": "vault-secrets", "mountPath": "/vault/secrets"}
    custom = {"name": "vault-secrets-custom-0", "mountPath": "/etc/own"}
    own = {"name": "scratch", "mountPath": "/scratch"}
    names = ("scratch", "home-init", "home-sidecar", "vault-secrets", "vault-secrets-custom-0")
    spec = {
        "initContainers": [container("vault-agent-init")],
        "containers": [container("web", volumeMounts=[own, secrets, custom]), container("vault-agent")],
        "volumes": [{"name": name, "emptyDir": {"medium": "Memory"}} for name in names],
    }
    annotations = {"vault.hashicorp.com/agent-inject-status": "injected"}
    found = decode_pod(
        {"metadata": {"name": "p", "namespace": "n", "uid": "u", "annotations": annotations}, "spec": spec}
    )
    assert [one.name for one in found.spec.containers] == ["web"]
    assert [one.name for one in found.spec.containers[0].volume_mounts] == ["scratch"]
    assert [one.name for one in found.spec.volumes] == ["scratch"]
    assert found.spec.init_containers == ()
    assert found.unsupported == ()
    untouched = decode_pod({"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": spec})
    assert [one.name for one in untouched.spec.containers] == ["web", "vault-agent"]


def test_an_injected_pod_becomes_the_job_of_the_pod_as_it_was_written() -> None:
    mount = {"name": "vault-secrets", "mountPath": "/vault/secrets"}
    main = binary(command=["/bin/worker"])
    written = translated({**USER, "agent-inject-status": "injected"}, main)
    injected = translated(
        {**USER, "agent-inject-status": "injected"}, {**main, "volumeMounts": [mount]}, container("vault-agent")
    )
    assert injected == written
