"""Devices of Nomad under the names of Kubernetes' extended resources, by a map that an administrator writes.

A device of Nomad is asked for by its type, vendor/type or vendor/type/name, e.g. `nvidia/gpu` (nomad/structs
RequestedDevice, NodeDeviceResource); a Pod asks for `nvidia.com/gpu`.
"""

import re
from collections.abc import Iterable, Mapping

from translators.records.allocations import Client, ClientDevice

_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_RESOURCE = re.compile(rf"{_DOMAIN}/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DEVICE = re.compile(r"[^/\s]+(/[^/\s]+){0,2}")


def checked(devices: dict[str, str]) -> dict[str, str]:
    """The map, if it can be used. Raises ValueError with a sentence for an administrator."""
    for resource, device in devices.items():
        domain = resource.partition("/")[0]
        if not _RESOURCE.fullmatch(resource) or domain == "kubernetes.io" or domain.endswith(".kubernetes.io"):
            raise ValueError(f"{resource!r} is no extended resource of Kubernetes; one looks like nvidia.com/gpu")
        if not _DEVICE.fullmatch(device):
            raise ValueError(f"{resource}: {device!r} is no device of Nomad; write type, vendor/type, vendor/type/name")
    return devices


def capacity(devices: Mapping[str, str], clients: Iterable[Client]) -> dict[str, int]:
    """How many healthy instances there are of each resource."""
    found = [device for client in clients if client.node_resources for device in client.node_resources.devices]
    return {
        resource: sum(each.healthy for one in found if _is(one, device) for each in one.instances)
        for resource, device in devices.items()
    }


def _is(device: ClientDevice, wanted: str) -> bool:
    names = (device.vendor, device.type, device.name)
    parts = wanted.split("/")
    return [device.type] == parts if len(parts) == 1 else list(names[: len(parts)]) == parts
