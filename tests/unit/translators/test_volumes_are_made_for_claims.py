from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.unit.translators.claims import HOST, claim, storage_class, volume
from translators.errors import Refused
from translators.material import Claimed, Claims
from translators.pod_to_job.claims import requests
from translators.provisioning import Home, Removal, host_volume, is_wanted, persistent_volume, removal, volume_name
from translators.records.allocations import Client
from translators.records.storage import Claim, HostVolumeStub, PersistentVolume
from translators.support import decode_pod

HOME = Home(cluster="c1", node="nomad")
SELECTED = {
    "volume.kubernetes.io/storage-provisioner": HOST,
    "volume.kubernetes.io/selected-node": "nomad",
}
NEW = claim(phase="Pending", volumeName="", annotations=SELECTED)
MADE = HostVolumeStub(id="h1", name=volume_name(NEW), node_id="n1")
BY_US = {"pv.kubernetes.io/provisioned-by": HOST}
OURS = {"cluster": "c1", "node": "nomad", "namespace": "default", "id": "h1"}


def client(name: str, *, plugins: tuple[str, ...] = ("mkdir",), **more: Any) -> Client:
    attributes = {f"plugins.host_volume.{plugin}.version": "1" for plugin in plugins}
    return Client(id=name, attributes=attributes, **{"status": "ready", **more})


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (NEW, True),
        (claim(annotations=SELECTED), False),
        (claim(volumeName="", annotations={**SELECTED, "volume.kubernetes.io/selected-node": "other"}), False),
        (claim(volumeName="", annotations={**SELECTED, "volume.kubernetes.io/storage-provisioner": "ebs"}), False),
        (claim(volumeName=""), False),
    ],
)
def test_a_volume_is_made_for_an_unbound_claim_of_ours_on_our_node(found: Any, *, wanted: bool) -> None:
    assert is_wanted(found, HOME) is wanted


def test_what_nomad_is_asked_for() -> None:
    kind = storage_class(plugin="lvm", nodeClass="disks", fs="xfs")
    made = host_volume(NEW, kind, "k8s", [client("n1", plugins=("lvm",), node_class="disks")])
    assert (made.namespace, made.name, made.plugin_id, made.node_id) == ("k8s", "pvc-0a1b", "lvm", "n1")
    assert (made.requested_capacity_min_bytes, made.requested_capacity_max_bytes) == (2**30, 2**30)
    assert [each.access_mode for each in made.requested_capabilities] == ["single-node-multi-writer"]
    assert made.parameters == {"fs": "xfs"}


@given(st.permutations(["n1", "n2", "n3", "n4"]))
def test_the_client_is_the_same_at_every_attempt(order: list[str]) -> None:
    alike = [client(name) for name in order]
    there = [*alike, client("lost", status="down"), client("closed", scheduling_eligibility="ineligible"),
             client("draining", drain=True), client("other", plugins=("lvm",))]  # fmt: skip
    first = host_volume(NEW, storage_class(), "k8s", [client(f"n{number}") for number in range(1, 5)])
    assert host_volume(NEW, storage_class(), "k8s", there).node_id == first.node_id


def test_claims_spread_over_the_clients() -> None:
    there = [client(f"n{number}") for number in range(4)]
    chosen = {host_volume(_claim_of(str(uid)), storage_class(), "k8s", there).node_id for uid in range(40)}
    assert chosen == {"n0", "n1", "n2", "n3"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"accessModes": ["ReadWriteMany"]}, "spec.accessModes: ReadWriteMany cannot be kept"),
        ({"accessModes": ["ReadWriteOnce", "ReadOnlyMany"]}, "claim ReadWriteOnce or ReadWriteOncePod"),
        ({"volumeMode": "Block"}, "claim Filesystem"),
        ({"dataSource": {"kind": "VolumeSnapshot", "name": "s"}}, "spec.dataSource"),
        ({"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "s"}}, "begins empty"),
        ({"resources": {"requests": {"storage": "much"}}}, "spec.resources.requests.storage"),
    ],
)
def test_a_claim_that_cannot_be_met_is_refused_by_its_field(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        host_volume(claim(**spec), storage_class(), "k8s", [client("n1")])


@pytest.mark.parametrize(("kind", "words"), [({"plugin": "lvm"}, "plugin lvm"), ({"nodeClass": "x"}, "node class x")])
def test_no_client_for_it(kind: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        host_volume(NEW, storage_class(**kind), "k8s", [client("n1")])


def test_what_kubernetes_is_told_leads_back_to_the_volume() -> None:
    """The volume is mounted by the Pods of the claim, and is removed after it: nothing else is known of it."""
    body = dict(persistent_volume(NEW, storage_class(), MADE, "k8s", HOME))
    found = TypeAdapter(PersistentVolume).validate_python({**body, "status": {"phase": "Bound"}})
    [mounted] = requests(
        decode_pod(
            {
                "metadata": {"name": "p", "uid": "p1"},
                "spec": {
                    "containers": [{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                    "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
                },
            }
        ),
        {"a": "docker"},
        Claims(served=True, found={"data": Claimed(claim(volumeName=found.metadata.name), found)}),
    ).values()
    assert (mounted.type, mounted.source, mounted.access_mode) == ("host", "pvc-0a1b", "single-node-multi-writer")
    assert removal(found, HOME) is None
    left = TypeAdapter(PersistentVolume).validate_python({**body, "status": {"phase": "Released"}})
    assert removal(left, HOME) == Removal("k8s", "h1")
    assert body["spec"]["claimRef"]["uid"] == "0a1b"
    assert body["spec"]["capacity"] == {"storage": "1Gi"}


RELEASED: dict[str, Any] = {"phase": "Released", "attributes": OURS, "annotations": BY_US}


@pytest.mark.parametrize(
    "kept",
    [
        {"phase": "Bound"},
        {"phase": "Available"},
        {"phase": "Failed"},
        {"policy": "Retain"},
        {"annotations": {}},
        {"annotations": {"pv.kubernetes.io/provisioned-by": "ebs"}},
        {"attributes": {**OURS, "cluster": "c2"}},
        {"attributes": {**OURS, "node": "other"}},
        {"attributes": {**OURS, "id": ""}},
        {"driver": "csi-volume.nomad.hashinetes.io"},
        {"driver": ""},
    ],
)
def test_data_is_removed_only_when_everything_says_so(kept: dict[str, Any]) -> None:
    assert removal(volume(**RELEASED), HOME) == Removal("default", "h1")
    assert removal(volume(**{**RELEASED, **kept}), HOME) is None


def _claim_of(uid: str) -> Claim:
    return replace(NEW, metadata=replace(NEW.metadata, uid=uid))
