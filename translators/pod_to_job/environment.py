"""The environment of a task, computed as a kubelet computes it and carried through Nomad unchanged.

Source of the order: kubernetes pkg/kubelet/kubelet_pods.go makeEnvironmentVariables: `envFrom` in its order, then `env`
in its order, each value expanded with what stands before it and with the variables of Services, which never win.

A value travels in one of three ways: in `Env` of the job; in a template of the job, as base64, where Nomad would
replace a part of it; or, when a part of it came out of a ConfigMap or Secret, in the Pod's Nomad Variable, so that it
is never part of a job.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from unicodedata import is_normalized

from translators.errors import Finding, Hindrance, Refused, Waiting
from translators.interpolation import (
    Reference,
    environment_file,
    environment_template,
    expression,
    is_template_name,
    would_be_replaced,
)
from translators.material import CONFIG_MAP, SECRET, Material, ObjectKey
from translators.pod_to_job import downward
from translators.pod_to_job.expansion import expand, pieces
from translators.records.jobs import Template
from translators.records.pods import Container, Pod
from translators.records.sources import EnvFromSource, EnvVar, EnvVarSource, KeySelector, ObjectReference

#: The client's address, filled in by Nomad when the task starts.
HOST_IP = "${attr.unique.network.ip-address}"

#: Where the client writes the env templates; a tmpfs of the task.
TEMPLATE_PATH = "secrets/.vnode/env"
PRIVATE_PATH = "secrets/.vnode/private-env"

_HOST_FIELDS = frozenset({"status.hostIP", "status.hostIPs"})
_POD_FIELDS = frozenset({"status.podIP", "status.podIPs"})

#: nomad/client/taskenv: names with these prefixes are rewritten to letters, digits, `_` and `.`.
_CLEANED = ("NOMAD_ADDR_", "NOMAD_IP_", "NOMAD_PORT_", "NOMAD_HOST_PORT_", "NOMAD_META_")


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable holds: `private` if a part of it came out of an object, `on_client` if the client fills it in."""

    text: str = field(repr=False)
    private: bool = False
    on_client: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a container finds in its environment.

    `env` and `templates` are what the job holds of it, `private` is the rest, for the Pod's Nomad Variable: a file of
    variables, empty where there is none. `values` is what `$(NAME)` expands to.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    templates: tuple[Template, ...] = ()
    private: bytes = field(default=b"", repr=False)
    values: Mapping[str, Value] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()

    def exposes(self, texts: Iterable[str]) -> bool:
        """Whether one of these commands or arguments refers to data of an object."""
        names = {name for name, value in self.values.items() if value.private}
        return bool(names) and any(piece.name in names for text in texts for piece in pieces(text))

    def expand(self, text: str, path: str) -> str:
        """Expand `$(NAME)` in a command or argument.

        What only the client may know stays a reference to the variable, for the client.

        Raises:
            Refused: for what cannot be said so, or cannot be received by a process.
        """
        if "$" not in text:
            return text
        values = self.values
        expanded = expand(text, {name: value.text for name, value in values.items()})
        _check_text(expanded, path)
        foreign = {name for name, value in values.items() if value.private or value.on_client}
        parts = tuple(
            Reference(name) if name in foreign else values[name].text if name in values else literal
            for literal, name in pieces(text)
        )
        if not any(isinstance(part, Reference) for part in parts):
            return expanded
        if not is_normalized("NFC", expanded):
            raise _refused(
                path, "becomes a text that is not in Unicode's composed form (NFC), which Nomad would change"
            )
        try:
            return expression(parts)
        except ValueError as error:
            raise _refused(path, str(error)) from None


def environment(
    container: Container, pod: Pod, material: Material, services: Mapping[str, str], *, pod_ip: str
) -> Environment:
    """The environment of a container.

    `services` are the variables of Services. `pod_ip` is what Nomad replaces by the Pod's address, empty where it
    knows none.

    Raises:
        Refused: for a source that is not supported, and for a name or value that Nomad cannot carry exactly.
        Waiting: for an object or key that is not there yet.
    """
    values = {name: Value(text) for name, text in services.items()}
    skipped: list[Finding] = []
    for index, source in enumerate(container.env_from):
        found, warning = _from(source, pod, material, container.name, index)
        values.update(found)
        skipped += warning
    for variable in container.env:
        path = f"spec.containers[{container.name}].env[{variable.name}]"
        _check_name(variable.name, path)
        value = _value(variable, _Lookup(pod, container, material, pod_ip), values, path)
        if value is not None:
            values[variable.name] = value
    return _carried(values, container.name, tuple(skipped))


@dataclass(frozen=True, slots=True)
class _Lookup:
    pod: Pod
    container: Container
    material: Material
    pod_ip: str


def _carried(values: Mapping[str, Value], container: str, warnings: tuple[Finding, ...]) -> Environment:
    plain: dict[str, str] = {}
    exact: dict[str, str] = {}
    private: dict[str, str] = {}
    for name, value in values.items():
        path = f"spec.containers[{container}].env[{name}]"
        if value.private and value.on_client:
            message = "joins an address that only the Nomad client knows to data of an object; use two variables"
            raise _refused(path, message)
        if value.on_client or not (value.private or would_be_replaced(value.text)):
            plain[name] = value.text
            continue
        if not is_template_name(name):
            message = "Nomad can carry this value only in a variable whose name is made of letters, digits, '_' and '.'"
            raise _refused(path, f"{message}; rename the variable")
        (private if value.private else exact)[name] = value.text
    templates = (_template(exact),) if exact else ()
    return Environment(
        env=plain, templates=templates, private=_file(private, container), values=values, warnings=warnings
    )


def _template(values: Mapping[str, str]) -> Template:
    return Template(embedded_tmpl=environment_template(values), dest_path=TEMPLATE_PATH, envvars=True)


def _file(values: Mapping[str, str], container: str) -> bytes:
    try:
        return environment_file(values)
    except ValueError as error:
        raise _refused(f"spec.containers[{container}].env", f"{error}; mount it as a file") from None


def _value(variable: EnvVar, lookup: _Lookup, values: Mapping[str, Value], path: str) -> Value | None:
    """The value, None for one that is optional and absent."""
    if variable.value:
        value = _expanded(variable.value, values, path)
    elif variable.value_from is not None:
        found = _sourced(variable.value_from, lookup, path)
        if found is None:
            return None
        value = found
    else:
        value = Value("")
    _check_text(value.text, path)
    return value


def _expanded(text: str, values: Mapping[str, Value], path: str) -> Value:
    if "$" not in text:
        return Value(text)
    named = [values[name] for _, name in pieces(text) if name in values]
    expanded = expand(text, {name: value.text for name, value in values.items()})
    on_client = any(value.on_client for value in named)
    literals = [literal for literal, name in pieces(text) if name not in values]
    literals += [value.text for value in named if not value.on_client]
    if on_client and any("${" in each for each in literals):
        raise _refused(path, "joins an address that only the Nomad client knows to a ${…}; use two variables")
    return Value(expanded, private=any(value.private for value in named), on_client=on_client)


def _sourced(source: EnvVarSource, lookup: _Lookup, path: str) -> Value | None:
    where = f"{path}.valueFrom"
    if source.field_ref is not None:
        return _field(source.field_ref.field_path, lookup, where)
    if source.resource_field_ref is not None:
        return Value(downward.resource(lookup.container, source.resource_field_ref, where))
    if source.config_map_key_ref is not None:
        return _of_key(source.config_map_key_ref, CONFIG_MAP, lookup, path)
    if source.secret_key_ref is not None:
        return _of_key(source.secret_key_ref, SECRET, lookup, path)
    raise _refused(
        where, "is of a kind that is not supported (fileKeyRef is one); mount the file and let the program read it"
    )


def _field(field_path: str, lookup: _Lookup, where: str) -> Value:
    if field_path in _HOST_FIELDS:
        return Value(HOST_IP, on_client=True)
    if field_path not in _POD_FIELDS:
        return Value(downward.field(lookup.pod, field_path, where))
    if not lookup.pod_ip:
        raise _refused(f"{where}.fieldRef", f"{field_path} is not known to Nomad for this Pod; use status.hostIP")
    return Value(lookup.pod_ip, on_client=True)


def _of_key(selector: KeySelector, kind: str, lookup: _Lookup, path: str) -> Value | None:
    key = _key(kind, selector.name)
    with _For(lookup.container.name):
        found = lookup.material.find(key) if selector.optional else lookup.material.get(key)
        if found is not None and selector.key in found.texts:
            return Value(
                _text(found.texts[selector.key], f"{kind} {selector.name}, key {selector.key}", path), private=True
            )
        if selector.optional:
            return None
        namespace = lookup.pod.metadata.namespace
        message = f"couldn't find key {selector.key} in {kind} {namespace}/{selector.name}"
        raise Waiting(Hindrance(message=message))


def _from(
    source: EnvFromSource, pod: Pod, material: Material, container: str, index: int
) -> tuple[dict[str, Value], list[Finding]]:
    path = f"spec.containers[{container}].envFrom[{index}]"
    reference = source.config_map_ref or source.secret_ref
    if reference is None:
        raise _refused(path, "is of a kind that is not supported; use configMapRef or secretRef")
    kind = CONFIG_MAP if source.config_map_ref is not None else SECRET
    texts = _texts(reference, kind, material, container)
    names = {source.prefix + key: key for key in sorted(texts)}
    odd = [key for name, key in names.items() if not _is_carried(name)]
    found = {
        name: Value(_text(texts[key], f"{kind} {reference.name}, key {key}", path), private=True)
        for name, key in names.items()
        if _is_carried(name)
    }
    for name, value in found.items():
        _check_text(value.text, f"{path}: {name}")
    if not odd:
        return found, []
    # The words and the reason of a kubelet before 1.30, which skipped names too.
    source_name = f"{kind[0].lower()}{kind[1:]} {pod.metadata.namespace}/{reference.name}"
    message = (
        f"Keys [{', '.join(odd)}] from the EnvFrom {source_name} "
        "were skipped: Nomad carries variables whose names are made of letters, digits, '_' and '.'"
    )
    return found, [Finding("InvalidEnvironmentVariableNames", "", message)]


def _texts(reference: ObjectReference, kind: str, material: Material, container: str) -> Mapping[str, bytes]:
    with _For(container):
        key = _key(kind, reference.name)
        found = material.find(key) if reference.optional else material.get(key)
    return {} if found is None else found.texts


class _For:
    """Says which container waits, and with the reason that a kubelet gives."""

    def __init__(self, container: str) -> None:
        self._container = container

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, Waiting):
            message = error.hindrance.message
            reason = "CreateContainerConfigError" if message else ""
            raise Waiting(Hindrance(reason, message, self._container)) from None


def _key(kind: str, name: str) -> ObjectKey:
    return ObjectKey(SECRET if kind == SECRET else CONFIG_MAP, name)


def _text(content: bytes, what: str, path: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _refused(
            path, f"{what} is not UTF-8, which no variable can carry through Nomad; mount it as a file"
        ) from None


def wants_pod_ip(containers: Iterable[Container]) -> bool:
    """Whether a variable shows the Pod's own address."""
    return any(path in _POD_FIELDS for path in _field_paths(containers))


def _field_paths(containers: Iterable[Container]) -> Iterator[str]:
    for container in containers:
        for variable in container.env:
            if variable.value_from is not None and variable.value_from.field_ref is not None:
                yield variable.value_from.field_ref.field_path


def _is_carried(name: str) -> bool:
    return is_template_name(name) and not (name.startswith(_CLEANED) and not _is_clean(name))


def _is_clean(name: str) -> bool:
    return all(character.isascii() and (character.isalnum() or character in "_.") for character in name)


def _check_name(name: str, path: str) -> None:
    if not name or "=" in name or "\0" in name:
        raise _refused(path, "is no name that an environment variable can have")
    if name.startswith(_CLEANED) and not _is_clean(name):
        raise _refused(path, "Nomad rewrites names of this prefix to letters, digits, '_' and '.'; rename the variable")


def _check_text(text: str, path: str) -> None:
    if "\0" in text:
        raise _refused(path, "holds a NUL character, which no environment and no process can receive")


def _refused(path: str, message: str) -> Refused:
    return Refused(Finding("PodFeatureUnsupported", path, message))
