"""The file in which a container leaves a message about its end, and where it lies in the allocation's directory.

A kubelet binds a fresh file at `terminationMessagePath` for each run and reads it when the run has ended (kubernetes
pkg/kubelet/kuberuntime makeMounts, getTerminationMessage). Docker gets one file for a task, made by a template that
holds nothing; for exec the path lies in its chroot, which is the task's directory. raw_exec has no files of its own.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from translators.errors import Finding, Refused
from translators.policy import DOCKER, EXEC, RAW_EXEC
from translators.records.jobs import Template
from translators.records.pods import Container

#: The policy by which a failed container that left no message is told of by the end of its log.
FALLBACK = "FallbackToLogsOnError"

#: What the API server fills in where nothing is said.
DEFAULT_PATH = "/dev/termination-log"

_BOUND = "local/.vnode/termination-log"
_EMPTY = '{{ "" }}'
_ANYBODY_MAY_WRITE = "0666"

#: Directories that exec mounts into its chroot, or that Nomad shows nobody.
_NOT_IN_THE_CHROOT = ("/dev", "/proc", "/sys", "/secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFile:
    """What a task needs to have the file."""

    templates: tuple[Template, ...] = ()
    binds: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()


def message_file(container: Container, driver: str) -> MessageFile:
    """What the task of a container needs, and a warning where nothing will be read that it leaves.

    Raises:
        Refused: for a path that docker cannot be told.
    """
    wanted = _wanted(container)
    if not wanted:
        return MessageFile()
    if driver == DOCKER:
        if _is_mounted_at(container, wanted):
            return MessageFile()
        if any(text in wanted for text in (":", "${", "\0")):
            raise Refused(Finding("InvalidField", _field(container), "Nomad cannot carry ${, ':' and NUL in a path"))
        made = Template(embedded_tmpl=_EMPTY, dest_path=_BOUND, perms=_ANYBODY_MAY_WRITE)
        return MessageFile(templates=(made,), binds=(f"{_BOUND}:{wanted}",))
    if container.termination_message_path == DEFAULT_PATH or path_in_allocation(container, driver):
        return MessageFile()
    return MessageFile(warnings=(Finding("FieldIgnored", _field(container), _WHY_NOT.get(driver, _WHY_NOT[RAW_EXEC])),))


def path_in_allocation(container: Container, driver: str) -> str:
    """Where Nomad shows the file, relative to the directory of the allocation; empty where there is none."""
    wanted = _wanted(container)
    if not wanted:
        return ""
    if driver == DOCKER:
        return "" if _is_mounted_at(container, wanted) else f"{container.name}/{_BOUND}"
    if driver != EXEC or any(wanted == each or wanted.startswith(f"{each}/") for each in _NOT_IN_THE_CHROOT):
        return ""
    return wanted.lstrip("/") if wanted.startswith("/alloc/") else f"{container.name}{wanted}"


def _wanted(container: Container) -> str:
    path = container.termination_message_path
    return posixpath.normpath(f"/{path.lstrip('/')}") if path else ""


def _is_mounted_at(container: Container, path: str) -> bool:
    """Whether a volume has the place, which docker gives to one only."""
    return any(posixpath.normpath(mount.mount_path) == path for mount in container.volume_mounts)


def _field(container: Container) -> str:
    return f"spec.containers[{container.name}].terminationMessagePath"


_WHY_NOT: Mapping[str, str] = {
    EXEC: "driver exec keeps nothing that is written there; use a path below /local, or FallbackToLogsOnError",
    RAW_EXEC: "its driver has no file system of its own, so nothing is read there; use FallbackToLogsOnError",
}
