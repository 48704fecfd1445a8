from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.unit.translators.pods import container, pod, translation
from translators.errors import Refused
from translators.policy import Policy
from translators.records.jobs import SECOND, Identity, Task

CLOUD = "sts.amazonaws.com"


def policy(audiences: dict[str, Any]) -> Policy:
    return TypeAdapter(Policy).validate_python({"identities": {"audiences": audiences}})


def tasks(annotations: dict[str, str], *names: str) -> dict[str, Task]:
    subject = pod(*(container(name) for name in names or ("web",)), annotations=annotations)
    found = translation(subject, policy=policy({"*": "*"})).job.task_groups[0].tasks
    return {task.name: task for task in found}


def test_an_identity_is_a_file_and_a_variable_says_where() -> None:
    task = tasks({"identity-aws-prod": CLOUD})["web"]
    assert task.identities == (Identity(name="aws-prod", audience=(CLOUD,), ttl=3600 * SECOND),)
    assert (task.identities[0].file, task.identities[0].env, task.identities[0].change_mode) == (True, False, "noop")
    assert task.env["VNODE_IDENTITY_AWS_PROD"] == "${NOMAD_SECRETS_DIR}/nomad_aws-prod.jwt"


@pytest.mark.parametrize(
    "annotations", [{"identity-aws.b": CLOUD}, {"containers": f'{{"b": {{"identity-aws": "{CLOUD}"}}}}'}]
)
def test_one_container_can_have_it_alone(annotations: dict[str, str]) -> None:
    found = tasks(annotations, "a", "b")
    assert [len(found[name].identities) for name in ("a", "b")] == [0, 1]


def test_a_container_may_have_another_audience_than_its_pod() -> None:
    found = tasks({"identity-x": "of-the-pod", "identity-x.b": "own"}, "a", "b")
    assert [found[name].identities[0].audience for name in ("a", "b")] == [("of-the-pod",), ("own",)]


@pytest.mark.parametrize(
    ("name", "audience"),
    [
        ("default", "x"),
        ("vault_default", "x"),
        ("Vault_default", "x"),
        ("consul_default", "x"),
        ("consul-service_web", "x"),
        ("", "x"),
        ("aws", "${attr.x}"),
    ],
)
def test_what_means_something_else_to_nomad_is_refused(name: str, audience: str) -> None:
    with pytest.raises(Refused) as refusal:
        tasks({f"identity-{name}": audience})
    assert refusal.value.finding.field == f"metadata.annotations[nomad.hashinetes.io/identity-{name}]"


def test_two_identities_of_one_variable_are_refused() -> None:
    with pytest.raises(Refused, match="VNODE_IDENTITY_A_B"):
        tasks({"identity-a-b": "x", "identity-a_b": "y"})


@pytest.mark.parametrize("audiences", [{}, {"other": "*"}, {"team-a": "https://*"}])
def test_an_audience_is_only_for_namespaces_that_policy_names(audiences: dict[str, str]) -> None:
    with pytest.raises(Refused, match=r"policy\.identities\.audiences"):
        translation(pod(annotations={"identity-vault": "vault.io"}), policy=policy(audiences))
