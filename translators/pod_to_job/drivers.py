"""Which driver runs a container, and the driver's `Config` for it.

Every text that comes from the Pod is escaped on its way into `Config`, the user's own `task-config` too: it is
data, and a `${…}` in it means these very characters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from translators import annotations, interpolation
from translators.annotations import Annotations, Setting
from translators.errors import Finding, Refused
from translators.policy import DOCKER, DRIVERS, MOCK, driver_name
from translators.records.pods import Container, Pod

#: How long a container of mock_driver runs unless `task-config` says otherwise: ten years.
MOCK_RUN_FOR = "87600h"

_RUNTIME_CLASS = "nomad-"
_PULL_ALWAYS = "Always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a container starts, expanded but not yet escaped; `hostname` is empty where none can be set.

    `binds`, `mounts`, `hosts` (`name:address`), `security`, `auth` and `resolver` are docker's.
    """

    command: tuple[str, ...]
    args: tuple[str, ...]
    work_dir: str
    host_network: bool
    hostname: str
    binds: tuple[str, ...] = ()
    mounts: tuple[Mapping[str, Any], ...] = ()
    hosts: tuple[str, ...] = ()
    security: Mapping[str, Any] = field(default_factory=dict)
    auth: Mapping[str, str] = field(default_factory=dict)
    resolver: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def driver(container: Container, pod: Pod, settings: Annotations, default: str) -> str:
    """The driver of a container: by annotation, else by RuntimeClass, else the default.

    Raises:
        Refused: for a driver that is not known.
    """
    setting = settings.setting(annotations.DRIVER, container.name)
    if setting is not None:
        return _known(setting.text, f"metadata.annotations[{setting.key}]")
    runtime_class = pod.spec.runtime_class_name
    if runtime_class.startswith(_RUNTIME_CLASS):
        return _known(runtime_class.removeprefix(_RUNTIME_CLASS), "spec.runtimeClassName")
    if runtime_class:
        message = f"{runtime_class!r} means nothing to Nomad; name a driver: {_RUNTIME_CLASS}exec"
        raise Refused(Finding("InvalidDriver", "spec.runtimeClassName", message))
    return _known(default, "default driver")


def driver_of(pod: Pod, name: str, default: str) -> str:
    """The driver of a container of a Pod that runs; what its annotations say by now may make no sense any more."""
    container = next(each for each in pod.spec.every_container if each.name == name)
    try:
        return driver(container, pod, annotations.read(pod), default)
    except Refused:
        return default


def config(driver: str, container: Container, launch: Launch, written: Mapping[str, Any]) -> dict[str, Any]:
    """The driver's configuration of a container, with what the user wrote for it on top.

    Raises:
        Refused: when there is nothing to start, or a text that no process can receive.
    """
    if driver == DOCKER:
        own = _docker(container, launch)
    elif driver == MOCK:
        own = {"run_for": MOCK_RUN_FOR}
    else:
        own = _binary(driver, container, launch)
    try:
        escaped: dict[str, Any] = interpolation.escape_all(own)
    except ValueError as error:
        raise Refused(Finding("InvalidField", f"spec.containers[{container.name}]", str(error))) from None
    return {**escaped, **{key: _joined(escaped.get(key), value) for key, value in written.items()}}


def _joined(own: Any, written: Any) -> Any:
    """What the user wrote wins; a list, of mounts say, is added to ours where there is one."""
    return (
        [*own, *written]
        if own and isinstance(written, list) and own is not written and isinstance(own, list)
        else written
    )


def task_config(setting: Setting | None) -> tuple[dict[str, Any], frozenset[str]]:
    """What the user wrote for the driver, escaped, and the names that it sets.

    Raises:
        Refused: when the annotation holds no JSON object, or one that no driver can read.
    """
    if setting is None:
        return {}, frozenset()
    value = annotations.json_object(setting)
    try:
        return interpolation.escape_all(value), frozenset(value)
    except ValueError as error:
        raise setting.refused(str(error)) from None


def _docker(container: Container, launch: Launch) -> dict[str, Any]:
    if not container.image:
        message = "the docker driver needs an image"
        raise Refused(Finding("InvalidField", f"spec.containers[{container.name}].image", message))
    settings: dict[str, Any] = {
        "image": container.image,
        "entrypoint": list(launch.command),
        "args": list(launch.args),
        "work_dir": launch.work_dir,
        "network_mode": "host" if launch.host_network else "",
        "hostname": launch.hostname,
        "volumes": list(launch.binds),
        "mount": list(launch.mounts),
        "extra_hosts": list(launch.hosts),
        **launch.security,
        "auth": dict(launch.auth),
        **{name: list(values) for name, values in launch.resolver.items()},
        "force_pull": container.image_pull_policy == _PULL_ALWAYS,
    }
    return {name: value for name, value in settings.items() if value}


def _binary(driver: str, container: Container, launch: Launch) -> dict[str, Any]:
    path = f"spec.containers[{container.name}]"
    if not launch.command or not launch.command[0]:
        message = (
            f"driver {driver} needs a program: set `command`, or the annotation "
            f"{annotations.PREFIX}{annotations.ARTIFACT} to run a downloaded file"
        )
        raise Refused(Finding("InvalidField", f"{path}.command", message))
    if launch.work_dir and not launch.work_dir.startswith("/"):
        message = f"driver {driver} needs an absolute path, not {launch.work_dir!r}"
        raise Refused(Finding("InvalidField", f"{path}.workingDir", message))
    found: dict[str, Any] = {"command": launch.command[0], "args": [*launch.command[1:], *launch.args]}
    if launch.work_dir:
        found["work_dir"] = launch.work_dir
    return found


def _known(text: str, path: str) -> str:
    name = driver_name(text)
    if name in DRIVERS:
        return name
    near = get_close_matches(name, DRIVERS, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(DRIVERS)}"
    raise Refused(Finding("InvalidDriver", path, f"there is no driver {text!r}{hint}"))
