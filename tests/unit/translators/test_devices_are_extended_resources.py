"""Which devices of Nomad's clients count for an extended resource, and what no map may say."""

import pytest
from pydantic import TypeAdapter

from translators.devices import capacity, checked
from translators.records.allocations import Client

_CLIENTS = TypeAdapter(list[Client]).validate_json("""[
    {"ID": "a", "NodeResources": {"Devices": [
        {"Vendor": "nvidia", "Type": "gpu", "Name": "A100", "Instances": [
            {"ID": "1", "Healthy": true}, {"ID": "2", "Healthy": false}]},
        {"Vendor": "amd", "Type": "gpu", "Name": "MI", "Instances": [{"ID": "3", "Healthy": true}]}]}},
    {"ID": "b", "NodeResources": {"Devices": [
        {"Vendor": "nvidia", "Type": "gpu", "Name": "T4", "Instances": [{"ID": "4", "Healthy": true}]}]}},
    {"ID": "c", "NodeResources": {"Devices": null}}
]""")


@pytest.mark.parametrize(
    ("device", "number"), [("gpu", 3), ("nvidia/gpu", 2), ("nvidia/gpu/T4", 1), ("nvidia", 0), ("intel/gpu", 0)]
)
def test_healthy_devices_are_counted_by_as_much_of_their_name_as_is_written(device: str, number: int) -> None:
    assert capacity({"example.com/it": device}, _CLIENTS) == {"example.com/it": number}


@pytest.mark.parametrize(
    ("resource", "device", "message"),
    [
        ("gpu", "nvidia/gpu", "'gpu' is no extended resource of Kubernetes"),
        ("kubernetes.io/gpu", "nvidia/gpu", "no extended resource"),
        ("requests.kubernetes.io/gpu", "nvidia/gpu", "no extended resource"),
        ("nvidia.com/gpu", "", "nvidia.com/gpu: '' is no device of Nomad"),
        ("nvidia.com/gpu", "a/b/c/d", "write type, vendor/type, vendor/type/name"),
        ("nvidia.com/gpu", "${attr.x y}", "no device"),
    ],
)
def test_a_map_that_cannot_work_is_refused(resource: str, device: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked({resource: device})


def test_a_map_that_can_is_taken() -> None:
    devices = {"nvidia.com/gpu": "nvidia/gpu", "example.com/a_b.c": "fpga"}
    assert checked(devices) == devices
