"""Volumes that are made for claims, and removed after them: which, what, and where.

Our part is that of an external provisioner; the scheduler chooses the Node, the controller of PersistentVolumes binds,
protects and releases. Source of the protocol: kubernetes pkg/controller/volume/persistentvolume,
kubernetes-sigs/sig-storage-lib-external-provisioner.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from translators import quantity
from translators.errors import Finding, Refused
from translators.pod_to_job.claims import ACCESS_MODE, HOST_VOLUME
from translators.records.allocations import Client
from translators.records.storage import (
    Claim,
    HostVolume,
    HostVolumeCapability,
    HostVolumeStub,
    PersistentVolume,
    StorageClass,
)

#: Who shall make the volume of a claim, and for which Node: written by the controller and by the scheduler.
_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
#: Who made a volume, and so removes it.
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
_HOSTNAME = "kubernetes.io/hostname"

#: Parameters of a StorageClass that are ours; all others are the plugin's.
_PLUGIN, _NODE_CLASS = "plugin", "nodeClass"
_DEFAULT_PLUGIN = "mkdir"

#: Attributes of a volume that tell whose it is and where.
_CLUSTER, _NODE, _NAMESPACE, _ID, _CLIENT = "cluster", "node", "namespace", "id", "client"

#: One client has the volume: Kubernetes' modes that it can keep, in Nomad's words. A volume of ReadWriteOnce may be
#: written by all Pods of a Node.
_ACCESS_MODES = {"ReadWriteOnce": "single-node-multi-writer", "ReadWriteOncePod": "single-node-single-writer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Whose volumes these are: the identity of the cluster and the name of the virtual Node."""

    cluster: str
    node: str


@dataclass(frozen=True, slots=True)
class Removal:
    """The volume of Nomad that a released PersistentVolume leaves."""

    namespace: str
    id: str


def is_wanted(claim: Claim, home: Home) -> bool:
    """Whether a volume is to be made for a claim, and on our Node."""
    metadata = claim.metadata
    if metadata.deletion_timestamp is not None or claim.spec.volume_name:
        return False
    asked = metadata.annotations.get(_PROVISIONER), metadata.annotations.get(_SELECTED_NODE)
    return asked == (HOST_VOLUME, home.node)


def is_unplaced(claim: Claim) -> bool:
    """Whether a volume is to be made for a claim before a Node is chosen, which a host volume cannot be.

    With WaitForFirstConsumer the controller names a provisioner only after the scheduler has named the Node.
    """
    metadata = claim.metadata
    waits = metadata.deletion_timestamp is None and not claim.spec.volume_name
    return (
        waits and metadata.annotations.get(_PROVISIONER) == HOST_VOLUME and _SELECTED_NODE not in metadata.annotations
    )


def volume_name(claim: Claim) -> str:
    """The name of the volume of a claim, on both sides: the same at every attempt."""
    return f"pvc-{claim.metadata.uid}"


def host_volume(claim: Claim, kind: StorageClass, namespace: str, clients: Iterable[Client]) -> HostVolume:
    """The volume that Nomad shall make for a claim.

    The client is the same at every attempt as long as the same ones are there, and another one for another claim.

    Raises:
        Refused: for a claim that cannot be met as it is written, or that no client can meet.
    """
    mode = _access_mode(claim)
    plugin, node_class = kind.parameters.get(_PLUGIN, _DEFAULT_PLUGIN), kind.parameters.get(_NODE_CLASS, "")
    able = [
        client
        for client in clients
        if client.is_schedulable
        and f"plugins.host_volume.{plugin}.version" in client.attributes
        and node_class in {"", client.node_class}
    ]
    if not able:
        of_class = f" and has the node class {node_class}" if node_class else ""
        raise _refused("", f"no Nomad client of the Node is ready, has the host volume plugin {plugin}{of_class}")
    chosen = max(able, key=lambda client: crc32(f"{claim.metadata.uid}/{client.id}".encode()))
    size = _size(claim)
    return HostVolume(
        namespace=namespace,
        name=volume_name(claim),
        plugin_id=plugin,
        node_id=chosen.id,
        requested_capacity_min_bytes=size,
        requested_capacity_max_bytes=size,
        requested_capabilities=(HostVolumeCapability(access_mode=mode),),
        parameters={key: text for key, text in kind.parameters.items() if key not in {_PLUGIN, _NODE_CLASS}},
    )


def persistent_volume(
    claim: Claim, kind: StorageClass, made: HostVolumeStub, namespace: str, home: Home
) -> Mapping[str, Any]:
    """The PersistentVolume that tells Kubernetes of a volume that was made."""
    metadata = claim.metadata
    on_our_node = {"key": _HOSTNAME, "operator": "In", "values": [home.node]}
    size = max(made.capacity_bytes, _size(claim))
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(claim), "annotations": {_PROVISIONED_BY: HOST_VOLUME}},
        "spec": {
            "capacity": {"storage": quantity.binary(size)},
            "accessModes": list(claim.spec.access_modes),
            "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": kind.reclaim_policy,
            "storageClassName": claim.spec.storage_class_name,
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata.namespace,
                "name": metadata.name,
                "uid": metadata.uid,
                "resourceVersion": metadata.resource_version,
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_our_node]}]}},
            "csi": {
                "driver": HOST_VOLUME,
                "volumeHandle": made.name,
                "volumeAttributes": {
                    ACCESS_MODE: _access_mode(claim),
                    _CLUSTER: home.cluster,
                    _NODE: home.node,
                    _NAMESPACE: namespace,
                    _ID: made.id,
                    _CLIENT: made.node_id,
                },
            },
        },
    }


def removal(volume: PersistentVolume, home: Home) -> Removal | None:
    """The volume of Nomad that is to be removed with a PersistentVolume; None while its data is to be kept.

    Only what was made for a claim that is gone, by us, and whose policy is Delete.
    """
    spec, source = volume.spec, volume.spec.csi
    if source is None or source.driver != HOST_VOLUME:
        return None
    made = volume.metadata.annotations.get(_PROVISIONED_BY) == HOST_VOLUME
    released = volume.status.phase == "Released" and spec.persistent_volume_reclaim_policy == "Delete"
    attributes = source.volume_attributes
    ours = (attributes.get(_CLUSTER), attributes.get(_NODE)) == (home.cluster, home.node)
    if not (made and released and ours and attributes.get(_NAMESPACE) and attributes.get(_ID)):
        return None
    return Removal(attributes[_NAMESPACE], attributes[_ID])


def _access_mode(claim: Claim) -> str:
    spec = claim.spec
    if spec.volume_mode == "Block":
        raise _refused("spec.volumeMode", "a host volume of Nomad is a directory; claim Filesystem")
    if spec.data_source is not None or spec.data_source_ref is not None:
        raise _refused("spec.dataSource", "a host volume of Nomad begins empty; copy the data by a Job")
    if len(spec.access_modes) != 1 or spec.access_modes[0] not in _ACCESS_MODES:
        asked = ", ".join(spec.access_modes)
        message = f"{asked} cannot be kept by a volume that is on one client; claim {' or '.join(_ACCESS_MODES)}"
        raise _refused("spec.accessModes", message)
    return _ACCESS_MODES[spec.access_modes[0]]


def _size(claim: Claim) -> int:
    try:
        return quantity.whole(quantity.parse(claim.spec.resources.requests.get("storage", "0")))
    except ValueError as error:
        raise _refused("spec.resources.requests.storage", str(error)) from None


def _refused(field: str, message: str) -> Refused:
    return Refused(Finding("ProvisioningFailed", field, message))
