"""Claims and volumes that tests of persistent volumes start from."""

from typing import Any

from pydantic import TypeAdapter

from translators.records.storage import Claim, PersistentVolume, StorageClass

HOST = "host-volume.nomad.hashinetes.io"
CSI = "csi-volume.nomad.hashinetes.io"
UID = "0a1b"

_CLAIM = TypeAdapter(Claim)
_VOLUME = TypeAdapter(PersistentVolume)
_CLASS = TypeAdapter(StorageClass)


def claim(*, phase: str = "Bound", annotations: dict[str, str] | None = None, **spec: Any) -> Claim:
    """A claim `data` in namespace team-a, bound to volume v1 unless said otherwise."""
    return _CLAIM.validate_python(
        {
            "metadata": {"name": "data", "namespace": "team-a", "uid": UID, "annotations": annotations or {}},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": "nomad",
                "volumeMode": "Filesystem",
                "volumeName": "v1",
                **spec,
            },
            "status": {"phase": phase},
        }
    )


def volume(
    driver: str = HOST,
    *,
    uid: str = UID,
    phase: str = "Bound",
    policy: str = "Delete",
    attributes: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **csi: Any,
) -> PersistentVolume:
    """Volume v1, bound to that claim; without a driver it is of another kind than csi."""
    source = {"csi": {"driver": driver, "volumeHandle": "disk", "volumeAttributes": attributes or {}, **csi}}
    return _VOLUME.validate_python(
        {
            "metadata": {"name": "v1", "uid": "u1", "annotations": annotations or {}},
            "spec": {
                "claimRef": {"namespace": "team-a", "name": "data", "uid": uid},
                "persistentVolumeReclaimPolicy": policy,
                **(source if driver else {"nfs": {}}),
            },
            "status": {"phase": phase},
        }
    )


def storage_class(**parameters: str) -> StorageClass:
    """A class of host volumes."""
    return _CLASS.validate_python(
        {"metadata": {"name": "nomad"}, "provisioner": HOST, "parameters": parameters, "reclaimPolicy": "Delete"}
    )
