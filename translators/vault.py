"""The annotations `vault.hashicorp.com/…` of Vault's agent injector, read for what they ask of Nomad.

Nomad's clients are the agent: they log in to Vault with a workload identity of the task, render the secrets and renew
what can be renewed. Names, defaults and the meaning of each annotation are the injector's
(hashicorp/vault-k8s agent-inject/agent/annotations.go).
"""

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from translators.errors import Finding, Refused
from translators.records.pods import Pod

PREFIX = "vault.hashicorp.com/"

#: Where the injector puts files unless told otherwise.
DIRECTORY = "/vault/secrets"

_INJECT = "agent-inject"
_ROLE = "role"
_SECRET, _TEMPLATE, _TEMPLATE_FILE = "agent-inject-secret-", "agent-inject-template-", "agent-inject-template-file-"
_COMMAND = "agent-inject-command-"
_PRESERVE_CASE = "preserve-secret-case"
_VOLUME_PATH = "secret-volume-path"
_PERMS = re.compile(r"0?[0-7]{3}")
_MODE = "0644"
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False", ""})
_OF_A_SECRET = (
    _SECRET,
    _TEMPLATE,
    "agent-inject-file-",
    "agent-inject-perms-",
    "agent-template-left-delim-",
    "agent-template-right-delim-",
    "error-on-missing-key-",
    f"{_PRESERVE_CASE}-",
    f"{_VOLUME_PATH}-",
)
_OF_THE_POD = frozenset(
    {
        _INJECT,
        _ROLE,
        "namespace",
        "agent-inject-token",
        "agent-inject-containers",
        "agent-inject-default-template",
        "agent-pre-populate-only",
        # What these arrange is so, or is the business of an agent that is not there and harms nobody by its absence.
        "agent-inject-status",
        "agent-pre-populate",
        "agent-init-first",
        _PRESERVE_CASE,
        _VOLUME_PATH,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """A file that a client renders from Vault; the template is the author's own, or made from the path of a secret."""

    directory: str
    name: str
    template: str
    mode: str = _MODE
    delimiters: tuple[str, str] = ("{{", "}}")
    error_on_missing_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a Pod wants of Vault: the role of Nomad's auth method, files, and for which containers."""

    role: str
    namespace: str = ""
    files: tuple[SecretFile, ...] = ()
    containers: frozenset[str] = frozenset()
    token: bool = False
    once: bool = False
    warnings: tuple[Finding, ...] = ()


def read(pod: Pod) -> Wanted | None:
    """What a Pod wants of Vault, if anything.

    Raises:
        Refused: for an annotation that makes no sense, or asks for what cannot be done.
    """
    said = {key.removeprefix(PREFIX): text for key, text in pod.metadata.annotations.items() if key.startswith(PREFIX)}
    if not _flag(said, _INJECT):
        return None
    role = said.get(_ROLE, "").strip()
    if not role or "${" in role:
        raise _refused(_ROLE, "name a role of the auth method by which Nomad's clients log in to Vault")
    names = sorted({name for key in said for name in (_name(key, _SECRET), _name(key, _TEMPLATE)) if name})
    return Wanted(
        role=role,
        namespace=said.get("namespace", "").strip(),
        files=_distinct(tuple(_file(said, name) for name in names)),
        containers=_containers(said, pod),
        token=_flag(said, "agent-inject-token"),
        once=_flag(said, "agent-pre-populate-only"),
        warnings=_warnings(said),
    )


def _file(said: Mapping[str, str], name: str) -> SecretFile:
    directory = said.get(f"{_VOLUME_PATH}-{name}") or said.get(_VOLUME_PATH) or DIRECTORY
    if not posixpath.isabs(directory):
        raise _refused(f"{_VOLUME_PATH}-{name}", "must be an absolute path")
    keeps_case = _flag(said, f"{_PRESERVE_CASE}-{name}") or _flag(said, _PRESERVE_CASE)
    file = said.get(f"agent-inject-file-{name}") or (name if keeps_case else name.lower())
    for text in (directory, file):
        if "${" in text or "\0" in text or ":" in text or ".." in text.split("/"):
            raise _refused(f"agent-inject-file-{name}", f"a file cannot be at {text!r}: no ${{, colon, NUL or ..")
    mode = said.get(f"agent-inject-perms-{name}") or _MODE
    if not _PERMS.fullmatch(mode):
        raise _refused(f"agent-inject-perms-{name}", f"{mode!r} is no mode such as 0400")
    left, right = said.get(f"agent-template-left-delim-{name}"), said.get(f"agent-template-right-delim-{name}")
    written = said.get(f"{_TEMPLATE}{name}", "").strip()
    return SecretFile(
        directory=posixpath.normpath(directory),
        name=posixpath.normpath(file).lstrip("/"),
        template=written or _default(said, name),
        mode=mode,
        delimiters=((left or "{{", right or "}}") if written else ("{{", "}}")),
        error_on_missing_key=_flag(said, f"error-on-missing-key-{name}"),
    )


def _default(said: Mapping[str, str], name: str) -> str:
    """The injector's template of a secret that has none: a line for each key, or JSON."""
    path = said.get(f"{_SECRET}{name}", "").strip()
    if not path:
        raise _refused(f"{_SECRET}{name}", "name the path of the secret in Vault")
    kind = said.get("agent-inject-default-template") or "map"
    # A path is no template: whatever it holds stays within the quotes.
    quoted = json.dumps(path)
    if kind == "json":
        return f"{{{{ with secret {quoted} }}}}{{{{ .Data | toJSON }}}}\n{{{{ end }}}}"
    if kind != "map":
        raise _refused("agent-inject-default-template", f"{kind!r} is neither map nor json")
    lines = "{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}"
    return f"{{{{ with secret {quoted} }}}}{lines}{{{{ end }}}}"


def _distinct(files: tuple[SecretFile, ...]) -> tuple[SecretFile, ...]:
    seen: set[str] = set()
    for file in files:
        place = posixpath.join(file.directory, file.name)
        if place in seen:
            raise _refused("agent-inject-file-…", f"two secrets are to be written to {place}")
        seen.add(place)
    return files


def _containers(said: Mapping[str, str], pod: Pod) -> frozenset[str]:
    names = frozenset(name.strip() for name in said.get("agent-inject-containers", "").split(",") if name.strip())
    if strange := names - {container.name for container in pod.spec.every_container}:
        raise _refused("agent-inject-containers", f"the Pod has no container {', '.join(sorted(strange))}")
    # An init container gets nothing unless it is named, as from the injector.
    return names or frozenset(container.name for container in pod.spec.containers)


def _warnings(said: Mapping[str, str]) -> tuple[Finding, ...]:
    found = []
    for key in sorted(said):
        if key.startswith((_TEMPLATE_FILE, _COMMAND)):
            raise _refused(key, _IMPOSSIBLE[_TEMPLATE_FILE if key.startswith(_TEMPLATE_FILE) else _COMMAND])
        if key not in _OF_THE_POD and not key.startswith(_OF_A_SECRET):
            message = "has no effect: there is no agent beside the task, Nomad's client logs in to Vault as configured"
            found.append(Finding("UnknownAnnotation", f"metadata.annotations[{PREFIX}{key}]", message))
    return tuple(found)


_IMPOSSIBLE = {
    _TEMPLATE_FILE: f"templates in files of an agent are not supported; write the template in {PREFIX}{_TEMPLATE}…",
    _COMMAND: "commands after a change are not run; let the program watch its file, or remove the annotation",
}


def _name(key: str, prefix: str) -> str:
    return "" if key.startswith(_TEMPLATE_FILE) or not key.startswith(prefix) else key.removeprefix(prefix)


def _flag(said: Mapping[str, str], name: str) -> bool:
    text = said.get(name, "").strip()
    if text not in _TRUE | _FALSE:
        raise _refused(name, f"{text!r} is neither true nor false")
    return text in _TRUE


def _refused(name: str, message: str) -> Refused:
    return Refused(Finding("InvalidAnnotation", f"metadata.annotations[{PREFIX}{name}]", message))
