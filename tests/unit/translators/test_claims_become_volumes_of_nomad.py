from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.unit.translators.claims import CSI, HOST, claim, volume
from tests.unit.translators.pods import CONTEXT, OPEN, binary, pod
from translators.errors import Refused, Waiting
from translators.material import Claimed, Claims, Material
from translators.pod_to_job import translate
from translators.records.jobs import TaskGroup, VolumeMount, VolumeRequest
from translators.records.storage import Claim

DATA = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
BOUND = Claimed(claim(), volume())


def group(
    claimed: Claimed | None = BOUND,
    *,
    source: dict[str, Any] = DATA,
    driver: str = "docker",
    claims: Claims | None = None,
    **mount: Any,
) -> TaskGroup:
    known = claims or Claims(served=True, found={} if claimed is None else {"data": claimed, "web-0-data": claimed})
    mounts = [{"name": "data", "mountPath": "/data", **mount}]
    subject = pod(binary(volumeMounts=mounts), annotations={"driver": driver}, volumes=[source])
    return translate(subject, CONTEXT, OPEN, Material(claims=known)).job.task_groups[0]


def waiting(claimed: Claimed | None, **more: Any) -> str:
    with pytest.raises(Waiting) as caught:
        group(claimed, **more)
    return f"{caught.value.hindrance.reason}: {caught.value.hindrance.message}"


@pytest.mark.parametrize("driver", ["docker", "exec"])
def test_a_bound_claim_is_mounted_where_the_pod_wants_it(driver: str) -> None:
    found = group(driver=driver)
    assert found.volumes == {"data": VolumeRequest(name="data", type="host", source="disk")}
    assert found.tasks[0].volume_mounts == (VolumeMount(volume="data", destination="/data"),)
    assert found.tasks[0].env["VNODE_MOUNT_DATA"] == "/data"


def test_modes_are_those_of_the_volume() -> None:
    modes = {"accessMode": "multi-node-multi-writer", "attachmentMode": "block-device"}
    asked = group(Claimed(claim(), volume(CSI, attributes=modes))).volumes["data"]
    assert (asked.type, asked.access_mode, asked.attachment_mode) == ("csi", *modes.values())
    default = group(Claimed(claim(), volume(CSI))).volumes["data"]
    assert (default.access_mode, default.attachment_mode) == ("single-node-writer", "file-system")


def test_who_only_reads_cannot_write() -> None:
    source = {"name": "data", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}}
    found = group(source=source)
    assert found.volumes["data"].read_only
    assert found.tasks[0].volume_mounts[0].read_only
    part = group(readOnly=True)
    assert not part.volumes["data"].read_only
    assert part.tasks[0].volume_mounts[0].read_only
    assert group(Claimed(claim(), volume(readOnly=True))).volumes["data"].read_only


def test_what_no_container_mounts_is_not_waited_for() -> None:
    subject = pod(binary(), annotations={"driver": "raw_exec"}, volumes=[DATA])
    assert translate(subject, CONTEXT, OPEN, Material()).job.task_groups[0].volumes == {}


@pytest.mark.parametrize(
    ("claimed", "words"),
    [
        (Claimed(), 'persistentvolumeclaim "data" not found'),
        (Claimed(claim(phase="Pending", volumeName=""), None), "not bound"),
        (Claimed(claim(phase="Lost"), volume()), "not bound"),
        (Claimed(claim(), None), "PersistentVolume v1 is not, or not yet, bound to the claim"),
        (Claimed(claim(), volume(uid="an earlier claim of this name")), "v1 is not, or not yet, bound"),
        (Claimed(claim(volumeMode="Block"), volume()), "volumeMode: Block"),
        (Claimed(claim(), volume("ebs.csi.aws.com")), f"is ebs.csi.aws.com); claim one of a StorageClass of {HOST}"),
        (Claimed(claim(), volume("")), "its source is not csi"),
        (Claimed(claim(), volume(volumeHandle="a${b}")), "holds ${"),
    ],
)  # fmt: skip
def test_a_claim_that_cannot_be_mounted_keeps_the_pod_waiting(claimed: Claimed, words: str) -> None:
    told = waiting(claimed)
    assert told.startswith('FailedMount: Unable to mount volume "data": error processing PVC team-a/data: ')
    assert words in told


def test_a_claim_that_is_going_is_not_mounted_any_more() -> None:
    going = TypeAdapter(Claim).validate_python(
        {"metadata": {"name": "data", "deletionTimestamp": "2026-01-01T12:00:00Z"}, "status": {"phase": "Bound"}}
    )
    assert "is being deleted" in waiting(Claimed(going, volume()))


def test_claims_that_are_not_known_yet_are_waited_for_in_silence() -> None:
    assert waiting(None) == ": "
    assert "forbidden" in waiting(None, claims=Claims(served=True, problem="listing claims is forbidden"))


def test_an_ephemeral_volume_takes_only_a_claim_that_was_made_for_the_pod() -> None:
    source: dict[str, Any] = {"name": "data", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}
    assert "not made for the Pod" in waiting(BOUND, source=source)
    owner = {"kind": "Pod", "name": "web-0", "uid": pod().uid, "controller": True}
    own = TypeAdapter(Claim).validate_python(
        {
            "metadata": {"name": "web-0-data", "namespace": "team-a", "uid": "0a1b", "ownerReferences": [owner]},
            "spec": {"volumeName": "v1"},
            "status": {"phase": "Bound"},
        }
    )
    assert group(Claimed(own, volume()), source=source).volumes["data"].source == "disk"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"driver": "raw_exec"}, "driver raw_exec cannot mount a volume of Nomad; use docker or exec"),
        ({"claims": Claims()}, "an administrator turns them on by the setting persistent-volumes"),
        ({"subPath": "a"}, "mount it whole"),
    ],
)
def test_what_can_never_be_mounted_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        group(**more)
