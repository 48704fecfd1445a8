"""The annotations `nomad.hashinetes.io/…`: which there are, and which of them speaks for a container.

Three places can set the same thing for a container; the nearest wins: `<setting>.<container>`, then the entry of
the container in `containers`, then the bare `<setting>` for the whole Pod.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

from translators.errors import Finding, Refused
from translators.records.pods import Pod

PREFIX = "nomad.hashinetes.io/"

#: Datacenters as the Nomad provider of 2018 named them.
LEGACY_DATACENTERS = "nomad.hashicorp.com/datacenters"

DRIVER = "driver"
ARTIFACT = "artifact"
USER = "user"
WORK_DIR = "work-dir"
PORTS = "ports"
TASK_CONFIG = "task-config"
CONSTRAINTS = "constraints"
AFFINITIES = "affinities"
DATACENTERS = "datacenters"
NODE_POOL = "node-pool"
PRIORITY = "priority"
CONTAINERS = "containers"

_OF_A_CONTAINER = (DRIVER, ARTIFACT, USER, WORK_DIR, PORTS, TASK_CONFIG, CONSTRAINTS, AFFINITIES)
_OF_THE_POD = (DATACENTERS, NODE_POOL, PRIORITY, CONTAINERS)

#: Every setting that an annotation can make.
SETTINGS = (*_OF_A_CONTAINER, *_OF_THE_POD)

#: How the annotations of workload identities begin; their names follow.
IDENTITY = "identity-"
_NOT_YET = ("consul.hashicorp.com/connect-inject",)
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})


class Setting(NamedTuple):
    """What an annotation says, and its key, so that an error can name it."""

    text: str
    key: str

    def refused(self, message: str) -> Refused:
        """The refusal of a Pod over this annotation."""
        return Refused(Finding("InvalidAnnotation", f"metadata.annotations[{self.key}]", message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """The settings of a Pod by name, those of its containers by container, and what is odd about them."""

    pod: Mapping[str, Setting] = field(default_factory=dict)
    containers: Mapping[str, Mapping[str, Setting]] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()

    def setting(self, name: str, container: str | None = None) -> Setting | None:
        """The setting of a container, which the Pod's stands in for, or of the Pod."""
        if container is not None and container in self.containers and name in self.containers[container]:
            return self.containers[container][name]
        return self.pod.get(name)

    def beginning(self, prefix: str, container: str) -> dict[str, Setting]:
        """The settings of a container whose names begin alike, by the rest of their names."""
        scopes = (self.pod, self.containers.get(container, {}))
        return {
            name.removeprefix(prefix): setting
            for scope in scopes
            for name, setting in scope.items()
            if name.startswith(prefix)
        }

    def everywhere(self, name: str) -> tuple[Setting, ...]:
        """All that is said about a setting that adds up: for the Pod and for each container."""
        if not self.containers:
            return (self.pod[name],) if name in self.pod else ()
        scopes = (self.pod, *(self.containers[container] for container in sorted(self.containers)))
        return tuple(scope[name] for scope in scopes if name in scope)


_NOTHING = Annotations()


def read(pod: Pod) -> Annotations:
    """Sort a Pod's annotations by whom they are about.

    Raises:
        Refused: for a malformed `containers`, or a setting that no single container can have.
    """
    present = pod.metadata.annotations
    if not any(key.startswith((PREFIX, LEGACY_DATACENTERS)) or key in _NOT_YET for key in present):
        return _NOTHING
    names = [container.name for container in pod.spec.every_container]
    own = {key.removeprefix(PREFIX): Setting(present[key].strip(), key) for key in _ours(present) if present[key]}
    containers = _container_map(own.pop(CONTAINERS, None))
    found: dict[str, Setting] = {}
    warnings = [*_not_yet(present), *_strangers(containers, names)]
    for name, setting in own.items():
        base, dot, container = name.partition(".")
        if not dot:
            warnings += _odd(base, setting)
            found[base] = setting
            continue
        warnings += _odd(base, setting) or _odd_container(container, names, setting)
        if base in _OF_THE_POD:
            raise setting.refused(f"{base} is a setting of the whole Pod; write {PREFIX}{base}")
        containers.setdefault(container, {})[base] = setting
    if LEGACY_DATACENTERS in present:
        found.setdefault(DATACENTERS, Setting(present[LEGACY_DATACENTERS].strip(), LEGACY_DATACENTERS))
    return Annotations(pod=found, containers=containers, warnings=tuple(warnings))


def json_object(setting: Setting) -> dict[str, Any]:
    """The JSON object that an annotation holds.

    Raises:
        Refused: for anything else.
    """
    try:
        value = json.loads(setting.text)
    except (ValueError, RecursionError) as error:
        raise setting.refused(f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise setting.refused("must be a JSON object, e.g. {…}")
    return value


def _ours(present: Mapping[str, str]) -> list[str]:
    return sorted(key for key in present if key.startswith(PREFIX))


def _container_map(setting: Setting | None) -> dict[str, dict[str, Setting]]:
    if setting is None:
        return {}
    return {name: _container_settings(setting, name, entry) for name, entry in sorted(json_object(setting).items())}


def _container_settings(setting: Setting, container: str, entry: object) -> dict[str, Setting]:
    if not isinstance(entry, dict):
        raise setting.refused(f'{container}: must be an object of settings, e.g. {{"driver": "exec"}}')
    found = {}
    for name, value in entry.items():
        if name not in _OF_A_CONTAINER and not name.startswith(IDENTITY):
            near = _nearest(name, _OF_A_CONTAINER)
            raise setting.refused(f"{container}.{name} is no setting of a container{near}")
        if isinstance(value, dict) and name == TASK_CONFIG:
            value = json.dumps(value)  # noqa: PLW2901 - the object is the text that the plain annotation would hold
        if not isinstance(value, str):
            raise setting.refused(f"{container}.{name} must be a text")
        found[name] = Setting(value.strip(), setting.key)
    return found


def _odd(name: str, setting: Setting) -> list[Finding]:
    if name in SETTINGS or name.startswith(IDENTITY):
        return []
    return [_warning(setting.key, f"is no setting and has no effect{_nearest(name, SETTINGS)}")]


def _odd_container(container: str, names: list[str], setting: Setting) -> list[Finding]:
    if container in names:
        return []
    return [_warning(setting.key, f"the Pod has no container {container!r}{_nearest(container, names)}")]


def _strangers(containers: Mapping[str, object], names: list[str]) -> list[Finding]:
    key = PREFIX + CONTAINERS
    strange = [name for name in containers if name not in names]
    return [_warning(key, f"the Pod has no container {name!r}{_nearest(name, names)}") for name in strange]


def _not_yet(present: Mapping[str, str]) -> list[Finding]:
    return [_warning(key, "is not honoured yet") for key in _NOT_YET if present.get(key) in _TRUE]


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _warning(key: str, message: str) -> Finding:
    return Finding("UnknownAnnotation", f"metadata.annotations[{key}]", message)
