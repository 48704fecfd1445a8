"""The claims of a Pod: which volumes of Nomad its group asks for.

A PersistentVolume names a volume of Nomad by a `csi` source, the one kind of source that Kubernetes leaves to others:
`driver` says which kind of volume it is, `volumeHandle` which one. Binding, protection and reclaiming of claims are
Kubernetes' own. Nomad places a job where its volumes are.

Messages are those of a kubelet: kubernetes pkg/kubelet/volumemanager/populator.
"""

from collections.abc import Mapping

from translators.errors import Finding, Hindrance, Refused, Waiting
from translators.material import Claimed, Claims
from translators.policy import DOCKER, EXEC
from translators.records.jobs import VolumeRequest
from translators.records.pods import ObjectMeta, OwnerReference, Pod
from translators.records.sources import Volume
from translators.records.storage import (
    Claim,
    ClaimReference,
    ClaimSpec,
    ClaimStatus,
    CsiSource,
    PersistentVolume,
    PersistentVolumeSpec,
)

#: The drivers of PersistentVolumes that are volumes of Nomad: on the disk of a client, static or dynamic, and CSI.
HOST_VOLUME = "host-volume.nomad.hashinetes.io"
CSI_VOLUME = "csi-volume.nomad.hashinetes.io"
_TYPES = {HOST_VOLUME: "host", CSI_VOLUME: "csi"}

#: Attributes of a PersistentVolume that Nomad is told.
ACCESS_MODE, ATTACHMENT_MODE = "accessMode", "attachmentMode"

_BOUND = "Bound"
_FILE_SYSTEM = "file-system"
_BLOCK = "Block"
#: What Nomad demands of a CSI volume, and what comes closest to "by one node".
_ONE_NODE_WRITES = "single-node-writer"


def assumed(pod: Pod) -> Claims:
    """The claims of a Pod, each bound to a volume of its own name, for where none is known."""
    names = {claim for volume in pod.spec.volumes if (claim := volume.claim(pod.metadata.name))}
    owner = OwnerReference(kind="Pod", name=pod.metadata.name, uid=pod.uid, controller=True)
    return Claims(served=True, found={name: _bound(name, owner) for name in names})


def _bound(name: str, owner: OwnerReference) -> Claimed:
    csi = CsiSource(driver=HOST_VOLUME, volume_handle=name)
    return Claimed(
        Claim(
            metadata=ObjectMeta(name=name, owner_references=(owner,)),
            spec=ClaimSpec(volume_name=name),
            status=ClaimStatus(phase=_BOUND),
        ),
        PersistentVolume(
            metadata=ObjectMeta(name=name), spec=PersistentVolumeSpec(csi=csi, claim_ref=ClaimReference(name=name))
        ),
    )


def requests(pod: Pod, drivers: Mapping[str, str], claims: Claims) -> dict[str, VolumeRequest]:
    """The volumes of Nomad, by the name of the Pod's volume, that its containers mount.

    Raises:
        Refused: for a claim that can never be mounted as the Pod is written.
        Waiting: for one that cannot be mounted now.
    """
    mounting = {
        name: [one for one in pod.spec.every_container for mount in one.volume_mounts if mount.name == name]
        for name in (volume.name for volume in pod.spec.volumes if volume.claim(pod.metadata.name))
    }
    for name, containers in mounting.items():
        for container in containers:
            _check_driver(name, drivers[container.name])
    return {volume.name: _request(pod, volume, claims) for volume in pod.spec.volumes if mounting.get(volume.name)}


def _check_driver(volume: str, driver: str) -> None:
    if driver not in {DOCKER, EXEC}:
        message = f"driver {driver} cannot mount a volume of Nomad; use docker or exec"
        raise Refused(Finding("PodFeatureUnsupported", f"spec.volumes[{volume}]", message))


def _request(pod: Pod, volume: Volume, claims: Claims) -> VolumeRequest:
    name, field = volume.claim(pod.metadata.name), f"spec.volumes[{volume.name}]"
    if not claims.served:
        message = "claims are not served here; an administrator turns them on by the setting persistent-volumes"
        raise Refused(Finding("PodFeatureUnsupported", field, message))
    if name not in claims.found:
        raise Waiting(_hindrance(pod, volume, claims.problem) if claims.problem else Hindrance())
    claimed = claims.found[name]
    problem = _problem(pod, volume, claimed)
    if problem:
        raise Waiting(_hindrance(pod, volume, problem))
    source = claimed.volume.spec.csi if claimed.volume is not None else None
    if source is None or source.driver not in _TYPES:
        raise Waiting(_hindrance(pod, volume, _foreign(claimed, source)))
    if "${" in source.volume_handle:
        raise Waiting(_hindrance(pod, volume, f"the volumeHandle of {_named(claimed)} holds ${{, which Nomad replaces"))
    return _asked(volume, source)


def _asked(volume: Volume, source: CsiSource) -> VolumeRequest:
    kind, attributes = _TYPES[source.driver], source.volume_attributes
    claimed = volume.persistent_volume_claim
    csi = kind == _TYPES[CSI_VOLUME]
    return VolumeRequest(
        name=volume.name,
        type=kind,
        source=source.volume_handle,
        read_only=source.read_only or (claimed is not None and claimed.read_only),
        # Of a host volume Nomad finds both out by itself.
        access_mode=attributes.get(ACCESS_MODE, _ONE_NODE_WRITES if csi else ""),
        attachment_mode=attributes.get(ATTACHMENT_MODE, _FILE_SYSTEM if csi else ""),
    )


def _problem(pod: Pod, volume: Volume, claimed: Claimed) -> str:
    """Why a claim cannot be mounted now, whoever its volume belongs to."""
    claim, found = claimed.claim, claimed.volume
    if claim is None:
        return f'persistentvolumeclaim "{volume.claim(pod.metadata.name)}" not found'
    reference = found.spec.claim_ref if found is not None else None
    reasons = {
        "the claim is being deleted": claim.metadata.deletion_timestamp is not None,
        "the claim of this name was not made for the Pod; delete it, or rename the Pod or its volume": (
            volume.ephemeral is not None and not _is_of(claim, pod)
        ),
        "it is a block device (volumeMode: Block), which cannot be mounted at a path; claim a Filesystem": (
            claim.spec.volume_mode == _BLOCK
        ),
        "the claim is not bound to a volume": claim.status.phase != _BOUND or not claim.spec.volume_name,
        f"PersistentVolume {claim.spec.volume_name} is not, or not yet, bound to the claim": (
            reference is None or reference.uid != claim.metadata.uid
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _foreign(claimed: Claimed, source: CsiSource | None) -> str:
    kind = f"its driver is {source.driver}" if source is not None else "its source is not csi"
    return (
        f"{_named(claimed)} is no volume of Nomad ({kind}); claim one of a StorageClass of {HOST_VOLUME}, or bind the "
        f"claim to a PersistentVolume with a csi source of {HOST_VOLUME} or {CSI_VOLUME}"
    )


def _named(claimed: Claimed) -> str:
    return f"PersistentVolume {claimed.volume.metadata.name if claimed.volume is not None else ''}"


def _is_of(claim: Claim, pod: Pod) -> bool:
    return any(owner.controller and owner.uid == pod.uid for owner in claim.metadata.owner_references)


def _hindrance(pod: Pod, volume: Volume, problem: str) -> Hindrance:
    claim = f"{pod.metadata.namespace}/{volume.claim(pod.metadata.name)}"
    return Hindrance("FailedMount", f'Unable to mount volume "{volume.name}": error processing PVC {claim}: {problem}')
