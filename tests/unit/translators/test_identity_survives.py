import dataclasses

import pytest

from tests.unit.translators.pods import container, pod
from translators import identity
from translators.namespaces import nomad_namespace
from translators.records.jobs import JobStub
from translators.records.pods import Pod, PodUid

UID = PodUid("6f1d0c5e-9a55-4a8e-8a5c-2f4a1f5a0001")


def test_a_job_is_known_again_by_its_meta() -> None:
    stub = JobStub(id=identity.job_id(UID), meta=identity.meta(pod(), "c1", "nomad"))
    owner = identity.owner_of(stub)
    assert owner == identity.JobIdentity(
        cluster="c1", node="nomad", namespace="team-a", pod="web-0", uid=UID, hash=identity.spec_hash(pod())
    )


@pytest.mark.parametrize("missing", ["vk_cluster", "vk_node", "vk_namespace", "vk_pod", "vk_uid"])
def test_a_job_without_our_keys_is_not_ours(missing: str) -> None:
    meta = identity.meta(pod(), "c1", "nomad")
    del meta[missing]
    assert identity.owner_of(JobStub(id=identity.job_id(UID), meta=meta)) is None


def test_a_job_that_only_copied_our_meta_is_not_ours() -> None:
    assert identity.owner_of(JobStub(id="copy", meta=identity.meta(pod(), "c1", "nomad"))) is None


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (pod(container(image="busybox:2")), False),
        (pod(container(resources={"requests": {"cpu": "1"}})), False),
        (pod(container("other")), False),
        (pod(tolerations=[]), True),
        (pod(activeDeadlineSeconds=9), True),
        (pod(annotations={"priority": "70"}), True),
        (dataclasses.replace(pod(), unsupported=("spec.newest",)), True),
    ],
)
def test_the_hash_changes_with_what_kubernetes_lets_change_in_a_job(other: Pod, same: bool) -> None:  # noqa: FBT001 - a column of the table
    assert (identity.spec_hash(pod()) == identity.spec_hash(other)) is same


def test_the_hash_is_the_same_in_every_version() -> None:
    assert identity.spec_hash(pod()) == "7b672ddc8b7821e0"


@pytest.mark.parametrize(
    ("pattern", "namespace"), [("default", "default"), ("k8s-{namespace}", "k8s-team-a"), ("{namespace}", "team-a")]
)
def test_namespaces_follow_the_map(pattern: str, namespace: str) -> None:
    assert nomad_namespace(pattern, "team-a") == namespace


@pytest.mark.parametrize("pattern", ["", "a_b", "a b", "{name}", "x" * 129])
def test_a_map_that_makes_no_namespace_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match="namespace map"):
        nomad_namespace(pattern, "team-a")
