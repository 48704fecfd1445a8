"""Directories of the client that a Pod asks for by `hostPath`: as far as the policy lets it, and the driver can.

Nobody but the client can look at what is there, so a `type` that demands something of it is not checked.
"""

import posixpath
from collections.abc import Mapping

from translators.errors import Finding, Refused
from translators.policy import DOCKER, RAW_EXEC, Policy, allows_host_path
from translators.records.pods import Pod
from translators.records.sources import Volume

#: docker makes a directory that is not there.
_MADE = frozenset({"", "DirectoryOrCreate"})
_UNCHECKED = frozenset({"Directory", "File", "Socket", "CharDevice", "BlockDevice"})


def judge(pod: Pod, drivers: Mapping[str, str], rules: Policy) -> tuple[Finding, ...]:
    """What is not as asked for about the host's directories of a Pod.

    Raises:
        Refused: for a path that the policy does not allow, or a driver that cannot show it.
    """
    return tuple(
        finding
        for volume in pod.spec.volumes
        if volume.host_path is not None
        for finding in _judged(volume, pod, drivers, rules)
    )


def _judged(volume: Volume, pod: Pod, drivers: Mapping[str, str], rules: Policy) -> list[Finding]:
    source, field = volume.host_path, f"spec.volumes[{volume.name}].hostPath"
    if source is None:
        return []
    path = posixpath.normpath(source.path)
    if not posixpath.isabs(path) or any(text in source.path for text in (":", "${", "\0")):
        raise Refused(Finding("InvalidField", f"{field}.path", "must be absolute and without colon, ${ and NUL"))
    if not allows_host_path(rules, pod.metadata.namespace, path):
        message = (
            f"{path} of the host is not allowed in namespace {pod.metadata.namespace}; an administrator allows it with "
            "the setting policy.host_paths"
        )
        raise Refused(Finding("PolicyDenied", field, message))
    users = {
        drivers[container.name]
        for container in pod.spec.every_container
        for mount in container.volume_mounts
        if mount.name == volume.name
    }
    for driver in sorted(users - {DOCKER, RAW_EXEC}):
        message = f"driver {driver} cannot show a directory of the host; use docker or raw_exec"
        raise Refused(Finding("PodFeatureUnsupported", field, message))
    if source.type in _MADE:
        return []
    if source.type not in _UNCHECKED:
        message = f"{source.type or 'this'} cannot be made on the client; make it there, or use DirectoryOrCreate"
        raise Refused(Finding("PodFeatureUnsupported", f"{field}.type", message))
    return [Finding("FieldIgnored", f"{field}.type", "what is there on the client is not checked")]
