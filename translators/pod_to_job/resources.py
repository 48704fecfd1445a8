"""What a container requests, in Nomad's units.

CPU is one factor, MHz for a core, and memory is MiB, both rounded up. A CPU request is a share and not a limit,
as in Kubernetes; a CPU limit is not enforced. Without oversubscription `MemoryMB` reserves and limits at once, so
the limit goes there where there is one.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from fractions import Fraction

from translators import quantity
from translators.errors import Finding, Refused
from translators.pod_to_job.context import JobContext
from translators.records.jobs import RequestedDevice, Resources
from translators.records.pods import Container, PodSpec, ResourceRequirements

CPU = "cpu"
MEMORY = "memory"
EPHEMERAL_STORAGE = "ephemeral-storage"

#: MHz of a container that asks for no CPU: it gets what others leave, as a BestEffort container does.
DEFAULT_CPU_MHZ = 1

#: MiB of a container that asks for no memory. Nomad has no task without a limit.
DEFAULT_MEMORY_MB = 128

#: nomad/structs MinResources.
MIN_MEMORY_MB = 10

#: Scratch space of an allocation beside its logs, MiB; with one task this is Nomad's default of 300.
BASE_DISK_MB = 200

_GREATEST = 2**31 - 1

#: What fits into Nomad's own tmpfs beside the environment and Nomad's files, bytes.
_SPARE_TMPFS = 768 * 1024
_KNOWN = frozenset({CPU, MEMORY, EPHEMERAL_STORAGE})


def resources(container: Container, context: JobContext, *, secret_bytes: int = 0) -> Resources:
    """What the task of a container reserves and may use; `secret_bytes` is the size of the files on its tmpfs.

    Raises:
        Refused: for what is no quantity, negative, beyond Nomad's numbers, or a resource that is not known here.
    """
    path = f"spec.containers[{container.name}].resources"
    known = _KNOWN | context.devices.keys()
    requests = _amounts(container.resources.requests, known, f"{path}.requests")
    limits = _amounts(container.resources.limits, known, f"{path}.limits")
    memory, most = _memory(requests.get(MEMORY) or None, limits.get(MEMORY) or None, path)
    if most is not None and not context.memory_oversubscription:
        memory, most = most, None
    return Resources(
        cpu=_cpu(requests.get(CPU, limits.get(CPU)), context, path),
        memory_mb=memory,
        memory_max_mb=most if most is not None and most > memory else None,
        secrets_mb=_tmpfs(secret_bytes),
        devices=_devices({**limits, **requests}, context.devices, path),
    )


def of_whole_pod(container: Container, spec: PodSpec) -> Container:
    """The container with what the whole Pod asks for, where it has that for itself while it runs.

    Nomad limits each task, and not all of them together.

    Raises:
        Refused: for resources of a Pod of which several containers run at once.
    """
    whole = spec.resources
    if whole is None or not (whole.requests or whole.limits):
        return container
    if len(spec.lasting_containers) > 1:
        message = "Nomad limits each container, and not all of them together; set them for each container"
        raise Refused(Finding("PodFeatureUnsupported", "spec.resources", message))
    own = container.resources
    # What a limit of its own keeps it from using is nobody else's either.
    requests = {name: amount for name, amount in whole.requests.items() if name not in own.limits}
    joined = ResourceRequirements(
        requests={**own.requests, **requests},
        limits={**whole.limits, **own.limits},
    )
    return replace(container, resources=joined)


def _devices(
    amounts: Mapping[str, Fraction], devices: Mapping[str, str], path: str
) -> tuple[RequestedDevice, ...] | None:
    """The devices that a container asks for; of these, requests and limits are the same."""
    asked = {name: amount for name, amount in amounts.items() if name in devices and amount}
    for name, amount in asked.items():
        if amount.denominator != 1:
            raise _refused(f"{path}.limits[{name}]", "must be a whole number")
    return tuple(RequestedDevice(name=devices[name], count=int(asked[name])) for name in sorted(asked)) or None


def _tmpfs(secret_bytes: int) -> int | None:
    """MiB of a task's tmpfs; a file is written anew beside the old one. None leaves Nomad's own MiB."""
    needed = quantity.whole(Fraction(2 * secret_bytes), quantity.MEBIBYTE)
    return needed + 1 if 2 * secret_bytes > _SPARE_TMPFS else None


def disk(containers: tuple[Container, ...], log_mb: int) -> int:
    """The size of the Pod's scratch disk, MiB: what it asks for, and at least the logs and some room beside them.

    `log_mb` is what the logs of one task may take.

    Raises:
        Refused: as for resources.
    """
    asked = Fraction(0)
    for container in containers:
        path = f"spec.containers[{container.name}].resources"
        requested = container.resources.requests.get(EPHEMERAL_STORAGE)
        if requested is not None:
            asked += _amount(requested, f"{path}.requests[{EPHEMERAL_STORAGE}]")
    size = quantity.whole(asked, quantity.MEBIBYTE)
    return max(BASE_DISK_MB + log_mb * len(containers), _bounded(size, "spec.containers", "MiB"))


def warnings(container: Container) -> tuple[Finding, ...]:
    """The limits of a container that Nomad does not enforce."""
    path = f"spec.containers[{container.name}].resources.limits"
    unenforced = {
        CPU: "Nomad does not enforce it; the CPU request sets the container's share",
        EPHEMERAL_STORAGE: "Nomad does not enforce it; the request is reserved on the client's disk",
    }
    return tuple(
        Finding("LimitNotEnforced", f"{path}[{name}]", message)
        for name, message in unenforced.items()
        if name in container.resources.limits
    )


def _cpu(cores: Fraction | None, context: JobContext, path: str) -> int:
    if cores is None:
        return DEFAULT_CPU_MHZ
    return max(1, _bounded(quantity.scaled(cores, context.mhz_per_core), f"{path}.requests[{CPU}]", "MHz"))


def _memory(request: Fraction | None, limit: Fraction | None, path: str) -> tuple[int, int | None]:
    if request is not None and limit is not None and limit < request:
        raise _refused(f"{path}.limits[{MEMORY}]", "is less than the request")
    most = None if limit is None else _mebibytes(limit, f"{path}.limits[{MEMORY}]")
    if request is not None:
        return _mebibytes(request, f"{path}.requests[{MEMORY}]"), most
    return (DEFAULT_MEMORY_MB if most is None else most), most


def _mebibytes(amount: Fraction, path: str) -> int:
    return max(MIN_MEMORY_MB, _bounded(quantity.whole(amount, quantity.MEBIBYTE), path, "MiB"))


def _amounts(raw: Mapping[str, str | float], known: Collection[str], path: str) -> dict[str, Fraction]:
    amounts = {name: _amount(text, f"{path}[{name}]") for name, text in raw.items()}
    for name, amount in amounts.items():
        if name not in known and amount:
            way_out = "remove it, or an administrator adds it to vnode's setting devices"
            raise _refused(f"{path}[{name}]", f"{name} is not a resource of this Node; {way_out}")
    return amounts


def _amount(text: str | float, path: str) -> Fraction:
    try:
        amount = quantity.parse(text)
    except ValueError as error:
        raise _refused(path, str(error)) from None
    if amount < 0:
        raise _refused(path, f"{text} is negative")
    return amount


def _bounded(units: int, path: str, unit: str) -> int:
    if units > _GREATEST:
        raise _refused(path, f"{units} {unit} is more than Nomad can count")
    return units


def _refused(path: str, message: str) -> Refused:
    return Refused(Finding("InvalidResources", path, message))
