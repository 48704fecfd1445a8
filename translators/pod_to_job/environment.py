"""The environment of a task, computed as a kubelet computes it and carried through Nomad unchanged.

Source of the order: kubernetes pkg/kubelet/kubelet_pods.go makeEnvironmentVariables: `env` in its order, each
value expanded with what stands before it and with the variables of Services, which never win over `env`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from translators.errors import Finding, Refused
from translators.interpolation import environment_template, is_template_name, would_be_replaced
from translators.pod_to_job.expansion import expand, references
from translators.records.jobs import Template
from translators.records.pods import Container, EnvVar, EnvVarSource, Pod

#: The client's address, filled in by Nomad when the task starts.
HOST_IP = "${attr.unique.network.ip-address}"

#: Where the client writes the env template; a tmpfs of the task.
TEMPLATE_PATH = "secrets/.vnode/env"

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_HOST_FIELDS = frozenset({"status.hostIP", "status.hostIPs"})
_POD_FIELDS = frozenset({"status.podIP", "status.podIPs"})

#: nomad/client/taskenv: names with these prefixes are rewritten to letters, digits, `_` and `.`.
_CLEANED = ("NOMAD_ADDR_", "NOMAD_IP_", "NOMAD_PORT_", "NOMAD_HOST_PORT_", "NOMAD_META_")
_CLEAN = re.compile(r"[A-Za-z_.][A-Za-z0-9_.]*")
_NOT_YET = ("config_map_key_ref", "secret_key_ref", "resource_field_ref", "file_key_ref")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a container finds in its environment.

    `env` and `templates` are how it gets there; `values` is what `$(NAME)` expands to; `on_client` names the
    variables that only the client can fill in.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    templates: tuple[Template, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    on_client: frozenset[str] = frozenset()

    def expand(self, text: str, path: str) -> str:
        """Expand `$(NAME)` in a command or argument.

        Raises:
            Refused: where it refers to what only the client knows.
        """
        return _expand(text, self.values, self.on_client, path)


def environment(
    container: Container, pod: Pod, kubernetes_service: tuple[str, int] | None, *, on_host_address: bool
) -> Environment:
    """The environment of a container; `on_host_address` says whether the Pod's address is its host's.

    Raises:
        Refused: for a source that is not supported, and for a name or value that Nomad cannot carry exactly.
    """
    service = _service_variables(kubernetes_service)
    values: dict[str, str] = dict(service)
    on_client: set[str] = set()
    for variable in container.env:
        path = f"spec.containers[{container.name}].env[{variable.name}]"
        _check_name(variable.name, path)
        on_client.discard(variable.name)
        if _is_on_client(variable, pod, path, on_host_address=on_host_address):
            on_client.add(variable.name)
            values[variable.name] = HOST_IP
        else:
            values[variable.name] = _value(variable, pod, values, on_client, path)
    return _carried(values, frozenset(on_client), container.name)


def _carried(values: Mapping[str, str], on_client: frozenset[str], container: str) -> Environment:
    plain, exact = dict(values), {}
    for name, value in values.items():
        if name in on_client or not would_be_replaced(value):
            continue
        if not is_template_name(name):
            message = (
                "Nomad would replace the ${…} in this value, and can keep it only for a variable whose name is "
                "made of letters, digits, '_' and '.'; rename the variable"
            )
            raise _refused(f"spec.containers[{container}].env[{name}]", message)
        exact[name] = plain.pop(name)
    templates = (_template(exact),) if exact else ()
    return Environment(env=plain, templates=templates, values=values, on_client=on_client)


def _template(values: Mapping[str, str]) -> Template:
    return Template(embedded_tmpl=environment_template(values), dest_path=TEMPLATE_PATH, envvars=True)


def _value(variable: EnvVar, pod: Pod, values: Mapping[str, str], on_client: set[str], path: str) -> str:
    if variable.value:
        text = _expand(variable.value, values, on_client, path)
    elif variable.value_from is not None:
        text = _field(variable.value_from, pod, path)
    else:
        text = ""
    if "\0" in text:
        raise _refused(path, "holds a NUL character, which no environment can carry")
    return text


def _expand(text: str, values: Mapping[str, str], on_client: set[str] | frozenset[str], path: str) -> str:
    if on_client:
        unknown = [name for name in references(text) if name in on_client]
        if unknown:
            raise _refused(
                path,
                f"$({unknown[0]}) is an address that only the Nomad client knows; let the program read the variable "
                f"{unknown[0]} itself",
            )
    expanded = expand(text, values)
    if "\0" in expanded:
        raise _refused(path, "holds a NUL character, which no process can receive")
    return expanded


def _field(source: EnvVarSource, pod: Pod, path: str) -> str:
    selector = source.field_ref
    if selector is None:
        raise _refused(f"{path}.valueFrom", _source_not_supported(source))
    found = _SUBSCRIPT.fullmatch(selector.field_path)
    if found is not None:
        entries = pod.metadata.labels if found[1] == "labels" else pod.metadata.annotations
        return entries.get(found[2], "")
    fields = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
    }
    if selector.field_path not in fields:
        raise _refused(f"{path}.valueFrom.fieldRef", f"{selector.field_path!r} is no field that a variable can show")
    return fields[selector.field_path]


def _is_on_client(variable: EnvVar, pod: Pod, path: str, *, on_host_address: bool) -> bool:
    if variable.value or variable.value_from is None or variable.value_from.field_ref is None:
        return False
    field_path = variable.value_from.field_ref.field_path
    if field_path in _HOST_FIELDS:
        return True
    if field_path not in _POD_FIELDS:
        return False
    if on_host_address or pod.spec.host_network:
        return True
    raise _refused(
        f"{path}.valueFrom.fieldRef",
        f"{field_path} is not known before the task is placed; use hostNetwork, the annotation "
        "nomad.hashinetes.io/ports: static, or status.hostIP",
    )


def _source_not_supported(source: EnvVarSource) -> str:
    found = [name for name in _NOT_YET if getattr(source, name) is not None]
    if not found:
        return "is of a kind that this version does not know; use `value` or `fieldRef`"
    first, *rest = found[0].split("_")
    return f"{first}{''.join(word.capitalize() for word in rest)} is not supported yet; use `value` or `fieldRef`"


def _service_variables(service: tuple[str, int] | None) -> dict[str, str]:
    if service is None:
        return {}
    host, port = service
    base = f"KUBERNETES_PORT_{port}_TCP"
    url = f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
        "KUBERNETES_PORT": url,
        base: url,
        f"{base}_PROTO": "tcp",
        f"{base}_PORT": str(port),
        f"{base}_ADDR": host,
    }


def _check_name(name: str, path: str) -> None:
    if not name or "=" in name or "\0" in name:
        raise _refused(path, "is no name that an environment variable can have")
    if name.startswith(_CLEANED) and _CLEAN.fullmatch(name) is None:
        raise _refused(path, "Nomad rewrites names of this prefix to letters, digits, '_' and '.'; rename the variable")


def _refused(path: str, message: str) -> Refused:
    return Refused(Finding("PodFeatureUnsupported", path, message))
