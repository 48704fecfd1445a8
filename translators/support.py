"""Which fields of a Pod are not honoured: found when it is decoded, judged when it is translated.

A field that a newer API server brings is warned about. Values that change nothing, the API server's defaults among
them, are never held against a Pod.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from translators.errors import Finding, Refused
from translators.fields import (
    CONTAINER,
    CONTAINER_SECURITY,
    HOOKS,
    LIFECYCLE,
    MOUNT,
    PROBES,
    PROJECTION,
    ROWS,
    SPEC,
    SPEC_SECURITY,
    VOLUME,
    Row,
    Verdict,
)
from translators.injected import without_agent
from translators.records.pods import ObjectMeta, Pod, PodStatus

_BY_PATH = {row.path: row for row in ROWS}
_PASSES = frozenset({Verdict.HONOURED, Verdict.IGNORED})
_NAMES = re.compile(r"\[[^\]]*\]")
_OF_CONTAINER = re.compile(r"spec\.(?:containers|initContainers)\[([^\]]*)\]")
_POD = TypeAdapter(Pod)
#: What an init container may say of its own restarts.
_SIDECAR = ("restartPolicy", "Always")
_METADATA = TypeAdapter(ObjectMeta)
_STATUS = TypeAdapter(PodStatus)

Rows = dict[str, Row]


def _below(prefix: str) -> Rows:
    return {row.path.removeprefix(prefix): row for row in ROWS if row.path.startswith(prefix)}


_SPEC_ROWS = _below(SPEC)
_SPEC_SECURITY_ROWS = _below(SPEC_SECURITY)
_CONTAINER_ROWS = _below(CONTAINER)
_CONTAINER_SECURITY_ROWS = _below(CONTAINER_SECURITY)
_VOLUME_ROWS = _below(VOLUME)
_PROJECTION_ROWS = _below(PROJECTION)
_MOUNT_ROWS = _below(MOUNT)
_PROBE_ROWS = {name: _below(f"{CONTAINER}{name}.") for name in PROBES}
_LIFECYCLE_ROWS = _below(CONTAINER + LIFECYCLE)
_HOOK_ROWS = {name: _below(f"{CONTAINER}{LIFECYCLE}{name}.") for name in HOOKS}
_HOOK_HTTP_ROWS = {name: _below(f"{CONTAINER}{LIFECYCLE}{name}.httpGet.") for name in HOOKS}
_ACTION_ROWS = {
    (name, action): _below(f"{CONTAINER}{name}.{action}.") for name in PROBES for action in ("httpGet", "tcpSocket")
}


def decode_pod(raw: Mapping[str, Any]) -> Pod:
    """A Pod as the API serves it, with the paths of its fields that are not honoured.

    Raises:
        pydantic.ValidationError: for what is no Pod.
    """
    own = without_agent(raw)
    return _POD.validate_python({**own, "unsupported": tuple(_unsupported(own.get("spec")))})


def decode_newer(raw: Mapping[str, Any], known: Pod) -> Pod:
    """As `decode_pod`, for another version of a Pod that is known: only what can differ is decoded.

    A spec is what it was as long as its `metadata.generation` is; servers before 1.34 may not number them.

    Raises:
        pydantic.ValidationError: for what is no Pod.
    """
    metadata = raw.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("uid") != known.metadata.uid:
        return decode_pod(raw)
    if metadata.get("resourceVersion") == known.metadata.resource_version:
        return known
    if not known.metadata.generation or metadata.get("generation") != known.metadata.generation:
        return decode_pod(raw)
    return replace(
        known, metadata=_METADATA.validate_python(metadata), status=_STATUS.validate_python(raw.get("status") or {})
    )


def findings(pod: Pod, drivers: Mapping[str, str]) -> tuple[Finding, ...]:
    """The warnings about a Pod's fields; `drivers` are those of its containers.

    Raises:
        Refused: for the first field that is refused.
    """
    warnings = []
    for path in pod.unsupported:
        row = _row(path)
        if row is None:
            message = "is unknown to this version and has no effect"
            warnings.append(Finding("FieldIgnored", path, message))
        elif row.drivers and not _concerned(path, drivers) & set(row.drivers):
            continue
        elif row.verdict is Verdict.REFUSED:
            raise Refused(Finding("PodFeatureUnsupported", path, row.note))
        else:
            warnings.append(Finding("FieldIgnored", path, row.note))
    return tuple(warnings)


def _row(path: str) -> Row | None:
    """The row of a field, which init containers share with the others."""
    listed = path.replace("spec.initContainers[", "spec.containers[", 1)
    return _BY_PATH.get(_NAMES.sub("[]", listed)) or _BY_PATH.get(_NAMES.sub("", listed))


def rows() -> tuple[Row, ...]:
    """The table."""
    return ROWS


def markdown() -> str:
    """The table as a page of the documentation."""
    head = (
        "# Supported fields of a Pod\n\n"
        "What becomes of a field that is set to something other than its default. *not ours* is acted upon by the "
        "API server, the scheduler or a controller; *warning* starts the Pod and says so in an Event; *refused* "
        "fails the Pod with an Event that names the field. A field that is not listed is newer than this version: "
        "it has no effect and is warned about.\n\n"
        "| field | outcome | note |\n|---|---|---|\n"
    )
    return head + "".join(_line(row) for row in ROWS)


def _line(row: Row) -> str:
    scope = f" ({', '.join(row.drivers)})" if row.drivers else ""
    return f"| `{row.path}` | {row.verdict}{scope} | {row.note.replace('|', chr(92) + '|')} |\n"


def _concerned(path: str, drivers: Mapping[str, str]) -> set[str]:
    container = _OF_CONTAINER.match(path)
    return {drivers[container[1]]} if container and container[1] in drivers else set(drivers.values())


def _unsupported(spec: object) -> Iterator[str]:
    if not isinstance(spec, Mapping):
        return
    yield from _scan(spec, _SPEC_ROWS, SPEC)
    yield from _scan(spec.get("securityContext"), _SPEC_SECURITY_ROWS, SPEC_SECURITY)
    for volume in _objects(spec.get("volumes")):
        path = f"spec.volumes[{volume.get('name')}]."
        yield from _scan(volume, _VOLUME_ROWS, path)
        projected = volume.get("projected")
        for source in _objects(projected.get("sources")) if isinstance(projected, Mapping) else ():
            yield from _scan(source, _PROJECTION_ROWS, f"{path}projected.sources[].")
    for container in _objects(spec.get("containers")):
        yield from _of_container(container, f"spec.containers[{container.get('name')}].")
    for container in _objects(spec.get("initContainers")):
        own = {name: value for name, value in container.items() if (name, value) != _SIDECAR}
        yield from _of_container(own, f"spec.initContainers[{container.get('name')}].")


def _of_container(container: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from _scan(container, _CONTAINER_ROWS, path)
    yield from _scan(container.get("securityContext"), _CONTAINER_SECURITY_ROWS, f"{path}securityContext.")
    for mount in _objects(container.get("volumeMounts")):
        yield from _scan(mount, _MOUNT_ROWS, f"{path}volumeMounts[{mount.get('name')}].")
    for name, table in _PROBE_ROWS.items():
        yield from _scan(container.get(name), table, f"{path}{name}.")
    for (name, action), table in _ACTION_ROWS.items():
        probe = container.get(name)
        if isinstance(probe, Mapping):
            yield from _scan(probe.get(action), table, f"{path}{name}.{action}.")
    yield from _of_lifecycle(container.get("lifecycle"), f"{path}{LIFECYCLE}")
    claimed = container.get("resources")
    if isinstance(claimed, Mapping) and claimed.get("claims"):
        yield f"{path}resources.claims"


def _of_lifecycle(lifecycle: object, path: str) -> Iterator[str]:
    if not isinstance(lifecycle, Mapping):
        return
    yield from _scan(lifecycle, _LIFECYCLE_ROWS, path)
    for name in HOOKS:
        hook = lifecycle.get(name)
        yield from _scan(hook, _HOOK_ROWS[name], f"{path}{name}.")
        if isinstance(hook, Mapping):
            yield from _scan(hook.get("httpGet"), _HOOK_HTTP_ROWS[name], f"{path}{name}.httpGet.")


def _scan(fields: object, table: Rows, prefix: str) -> Iterator[str]:
    if not isinstance(fields, Mapping):
        return
    for name, value in fields.items():
        row = table.get(name)
        if row is not None and (row.verdict in _PASSES or row.harmless(value)):
            continue
        if row is not None or value:
            yield f"{prefix}{name}"


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []
