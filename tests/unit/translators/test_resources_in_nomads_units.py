import dataclasses

import pytest

from tests.unit.translators.pods import CONTEXT, container, group, pod, task, translation
from translators.errors import Refused
from translators.pod_to_job import JobContext
from translators.records.jobs import RequestedDevice, Resources

WITH_DEVICES = dataclasses.replace(CONTEXT, devices={"nvidia.com/gpu": "nvidia/gpu", "fpga.example.com/small": "fpga"})
OVERSUBSCRIBED = dataclasses.replace(CONTEXT, memory_oversubscription=True)


@pytest.mark.parametrize(
    ("requests", "limits", "context", "expected"),
    [
        ({}, {}, CONTEXT, Resources(cpu=1, memory_mb=128)),
        ({"cpu": "250m", "memory": "64Mi"}, {}, CONTEXT, Resources(cpu=500, memory_mb=64)),
        ({"cpu": "1m", "memory": "1"}, {}, CONTEXT, Resources(cpu=2, memory_mb=10)),
        ({"cpu": "100u"}, {}, CONTEXT, Resources(cpu=1, memory_mb=128)),
        ({"cpu": "0", "memory": "0"}, {}, CONTEXT, Resources(cpu=1, memory_mb=128)),
        ({}, {"cpu": "1", "memory": "1Gi"}, CONTEXT, Resources(cpu=2000, memory_mb=1024)),
        ({"memory": "64Mi"}, {"memory": "100M"}, CONTEXT, Resources(cpu=1, memory_mb=96)),
        ({"memory": "64Mi"}, {"memory": "1Gi"}, OVERSUBSCRIBED, Resources(cpu=1, memory_mb=64, memory_max_mb=1024)),
        ({"memory": "64Mi"}, {"memory": "64Mi"}, OVERSUBSCRIBED, Resources(cpu=1, memory_mb=64)),
        ({}, {"memory": "64Mi"}, OVERSUBSCRIBED, Resources(cpu=1, memory_mb=64)),
        ({"nvidia.com/gpu": "0"}, {}, CONTEXT, Resources(cpu=1, memory_mb=128)),
        ({"nvidia.com/gpu": "0"}, {"nvidia.com/gpu": "0"}, WITH_DEVICES, Resources(cpu=1, memory_mb=128)),
        (
            {"nvidia.com/gpu": "2"},
            {"nvidia.com/gpu": "2", "fpga.example.com/small": "1"},
            WITH_DEVICES,
            Resources(
                cpu=1,
                memory_mb=128,
                devices=(RequestedDevice(name="fpga", count=1), RequestedDevice(name="nvidia/gpu", count=2)),
            ),
        ),
    ],
)
def test_requests_and_limits(
    requests: dict[str, str], limits: dict[str, str], context: JobContext, expected: Resources
) -> None:
    subject = pod(container(resources={"requests": requests, "limits": limits}))
    assert task(subject, context).resources == expected


@pytest.mark.parametrize(
    ("own", "whole", "expected"),
    [
        ({}, {"limits": {"memory": "256Mi"}}, Resources(cpu=1, memory_mb=256)),
        (
            {"requests": {"memory": "32Mi", "cpu": "100m"}},
            {"requests": {"memory": "64Mi", "cpu": "250m"}, "limits": {"memory": "256Mi"}},
            Resources(cpu=500, memory_mb=64, memory_max_mb=256),
        ),
        (
            {"limits": {"memory": "64Mi"}},
            {"requests": {"memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            Resources(cpu=1, memory_mb=64),
        ),
        ({"requests": {"cpu": "1"}}, {}, Resources(cpu=2000, memory_mb=128)),
    ],
)
def test_one_container_has_what_its_whole_pod_asks_for(
    own: dict[str, dict[str, str]], whole: dict[str, dict[str, str]], expected: Resources
) -> None:
    subject = pod(container(resources=own), resources=whole)
    assert task(subject, OVERSUBSCRIBED).resources == expected


def test_containers_that_run_one_after_the_other_each_have_it() -> None:
    subject = pod(container(), initContainers=[container("first")], resources={"limits": {"memory": "256Mi"}})
    assert {each.resources.memory_mb for each in group(subject).tasks} == {256}


@pytest.mark.parametrize(
    ("requests", "limits", "message"),
    [
        ({"cpu": "-1"}, {}, r"resources.requests\[cpu\]: -1 is negative"),
        ({"cpu": "many"}, {}, r"resources.requests\[cpu\]: 'many' is not a quantity"),
        ({"cpu": "10M"}, {}, r"requests\[cpu\]: 20000000000 MHz is more than Nomad can count"),
        ({"memory": "5E"}, {}, r"requests\[memory\]: .* MiB is more than Nomad"),
        ({}, {"memory": "5E"}, r"limits\[memory\]: .* MiB is more than Nomad"),
        ({"ephemeral-storage": "5E"}, {}, "MiB is more than Nomad"),
        ({"memory": "2Gi"}, {"memory": "1Gi"}, r"limits\[memory\]: is less than the request"),
        ({}, {"nvidia.com/tpu": "1"}, r"nvidia.com/tpu is not a resource .* vnode's setting devices"),
        ({}, {"nvidia.com/gpu": "1"}, r"limits\[nvidia.com/gpu\]: nvidia.com/gpu is not a resource of this Node"),
    ],
)
def test_amounts_that_nomad_cannot_count_are_refused(
    requests: dict[str, str], limits: dict[str, str], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        translation(pod(container(resources={"requests": requests, "limits": limits})))


def test_scratch_space_is_reserved_on_disk() -> None:
    containers = [container(name, resources={"requests": {"ephemeral-storage": "1Gi"}}) for name in ("a", "b")]
    assert group(pod(*containers)).ephemeral_disk.size_mb == 2048


def test_limits_that_are_not_enforced_are_said() -> None:
    limits = {"cpu": "1", "memory": "64Mi", "ephemeral-storage": "1Gi"}
    found = translation(pod(container(resources={"limits": limits}))).warnings
    assert [finding.field.rpartition(".")[2] for finding in found] == ["limits[cpu]", "limits[ephemeral-storage]"]
