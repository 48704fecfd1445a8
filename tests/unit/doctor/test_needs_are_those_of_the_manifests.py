"""What doctor asks for is what deploy/ grants: neither list can change without the other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from vnode.doctor.access import CAPABILITIES, OF_VOLUMES, VARIABLES
from vnode.doctor.rights import CLIENT_AUTHORITY, PERSISTENT_VOLUMES, RIGHTS, SERVING_CERTIFICATE, Right

DEPLOY = Path(__file__).parents[3] / "deploy"
FOLDER = DEPLOY / "base" / "vnode"
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all((FOLDER / "rbac.yaml").read_text()))
BOOTSTRAP: list[dict[str, Any]] = list(
    yaml.safe_load_all((DEPLOY / "components" / "server-tls-bootstrap" / "rbac.yaml").read_text())
)
VOLUMES: list[dict[str, Any]] = list(
    yaml.safe_load_all((DEPLOY / "components" / "persistent-volumes" / "rbac.yaml").read_text())
)
VOLUMES_POLICY = (DEPLOY / "components" / "persistent-volumes" / "nomad-policy.hcl").read_text()
POLICY = (FOLDER / "nomad-policy.hcl").read_text()


def granted(manifests: list[dict[str, Any]]) -> Iterator[Right]:
    for role in manifests:
        for rule in role.get("rules", ()):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        for name in rule.get("resourceNames", [""]):
                            yield Right(group, resource, verb, role["metadata"].get("namespace", ""), name)


def test_rights_in_kubernetes() -> None:
    assert set(RIGHTS) - {*CLIENT_AUTHORITY, *SERVING_CERTIFICATE, *PERSISTENT_VOLUMES} == set(granted(MANIFESTS))
    assert set(SERVING_CERTIFICATE) == set(granted(BOOTSTRAP))
    assert set(PERSISTENT_VOLUMES) == set(granted(VOLUMES))
    assert len(set(RIGHTS)) == len(RIGHTS)


def test_the_rights_that_a_role_of_the_cluster_grants() -> None:
    borrowed = [
        (item["metadata"]["namespace"], item["roleRef"]["name"])
        for item in MANIFESTS
        if item["kind"] == "RoleBinding" and not item["roleRef"]["name"].startswith("vnode")
    ]
    assert borrowed == [("kube-system", "extension-apiserver-authentication-reader")]
    assert {(right.namespace, right.resource, right.name) for right in CLIENT_AUTHORITY} == {
        ("kube-system", "configmaps", "extension-apiserver-authentication")
    }
    assert [right.verb for right in CLIENT_AUTHORITY] == ["get", "list", "watch"]


def test_capabilities_in_nomad() -> None:
    lists = [set(re.findall(r'"([a-z-]+)"', each)) for each in re.findall(r"capabilities = \[(.*)\]", POLICY)]
    assert lists
    for of_namespace, of_variables in zip(lists[::2], lists[1::2], strict=True):
        assert of_namespace | {f"variables:{name}" for name in of_variables} == set(CAPABILITIES)
    assert set(re.findall(r'path "(.*)"', POLICY)) == {VARIABLES}


def test_capabilities_for_volumes() -> None:
    lists = [set(re.findall(r'"([a-z-]+)"', each)) for each in re.findall(r"capabilities = \[(.*)\]", VOLUMES_POLICY)]
    assert lists
    assert all(each == set(OF_VOLUMES) for each in lists)
    assert re.findall(r'^host_volume "(.*)"', VOLUMES_POLICY, re.MULTILINE) == ["pvc-*"]


def test_only_variables_of_our_own_jobs_are_ours() -> None:
    variables = re.findall(r'variables \{\s+path "([^"]+)" \{\s+capabilities = \[(.*)\]', POLICY)
    assert {path for path, _ in variables} == {"nomad/jobs/vk-*"}
    assert len(variables) == len(re.findall(r"^namespace ", POLICY, re.MULTILINE))
    assert all(set(re.findall(r'"([a-z]+)"', each)) == {"read", "write", "destroy"} for _, each in variables)


def test_the_policy_reads_clients_and_grants_nothing_beside() -> None:
    blocks = re.findall(r"^(\w+)", POLICY, re.MULTILINE)
    assert set(blocks) == {"namespace", "node"}
    assert re.search(r'node \{\s+policy = "read"\s+\}', POLICY)


def test_a_right_reads_as_a_person_would_say_it() -> None:
    assert str(Right("", "pods/status", "patch")) == "patch pods/status"
    assert str(Right("coordination.k8s.io", "leases", "get", "kube-node-lease")) == (
        "get leases.coordination.k8s.io in kube-node-lease"
    )
    assert str(CLIENT_AUTHORITY[0]) == "get configmaps extension-apiserver-authentication in kube-system"
