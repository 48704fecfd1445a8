"""Compares the rights that somebody used with the rights that manifests grant.

`used - granted` is what is missing, `granted - used` is what could go. Requests that were refused count as used. URLs
that are no resources (/version, /healthz, discovery) are open to every authenticated user and left out.
"""

import base64
import datetime as dt
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Right(NamedTuple):
    """A verb on a resource; the core group is the empty string, a subresource stands behind a slash."""

    verb: str
    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


_WRITING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_CREDENTIAL = "authentication.kubernetes.io/credential-id"
#: Bad request, unsupported media type, unprocessable.
_NOT_TAKEN = frozenset({400, 415, 422})
_IDENTITY = "metadata.uid"
# A role of every cluster, to which our manifests only bind.
_BUILT_IN = {
    "extension-apiserver-authentication-reader": {Right(verb, "", "configmaps") for verb in ("get", "list", "watch")}
}


def used(log: Path, user: str, *, agent: str = "") -> set[Right]:
    """The rights that `user` exercised, e.g. ``system:serviceaccount:vnode:vnode``, by the API server's audit log.

    With `agent` only by programs whose User-Agent begins so: tests borrow vnode's name.
    """
    return {
        _right(event["verb"], event["objectRef"])
        for event in _events(log)
        if event["user"].get("username") == user
        and event.get("userAgent", "").startswith(agent)
        and "resource" in event.get("objectRef", {})
    }


def writes(log: Path, user: str, after: dt.datetime, *, credential: str = "") -> list[str]:
    """What `user` wrote after a moment, one text a request: ``patch pods/status web-1``.

    With `credential` (``JTI=…``) only by means of this token: several processes may have the same user.
    """
    return [
        f"{event['verb']} {_right(event['verb'], event['objectRef']).resource} {event['objectRef'].get('name', '')}"
        for event in _events(log)
        if event["user"].get("username") == user
        and credential in ("", *event["user"].get("extra", {}).get(_CREDENTIAL, ()))
        and event["verb"] in _WRITING
        and "resource" in event.get("objectRef", {})
        and dt.datetime.fromisoformat(event["requestReceivedTimestamp"]) > after
    ]


def rejected(log: Path, user: str, right: Right, *, agent: str = "") -> list[str]:
    """What the API server said to requests of `user` whose content it did not take, one text a request.

    That a patch names another UID than the object has is no such thing: it is how somebody learns that there is
    another object of the name.
    """
    return [
        f"{event['objectRef'].get('namespace', '')}/{event['objectRef'].get('name', '')}: {_said(event)}"
        for event in _events(log)
        if event["user"].get("username") == user
        and event.get("userAgent", "").startswith(agent)
        and "resource" in event.get("objectRef", {})
        and _right(event["verb"], event["objectRef"]) == right
        and event.get("responseStatus", {}).get("code") in _NOT_TAKEN
        and _IDENTITY not in _said(event)
    ]


def credential(token: str) -> str:
    """What the audit log calls a ServiceAccount's token."""
    body = token.split(".")[1]
    return f"JTI={json.loads(base64.urlsafe_b64decode(body + '=' * (-len(body) % 4)))['jti']}"


def granted(manifests: Iterable[Path]) -> set[Right]:
    """The rights in all Roles and ClusterRoles of these YAML files and folders, in whatever namespace."""
    rights: set[Right] = set()
    for manifest in _documents(manifests):
        for rule in manifest.get("rules") or ():
            rights |= {
                Right(verb, group, resource)
                for verb in rule["verbs"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
            }
        rights |= _BUILT_IN.get(manifest.get("roleRef", {}).get("name"), set())
    return rights


def _said(event: dict[str, Any]) -> str:
    return str(event.get("responseStatus", {}).get("message", ""))


def _right(verb: str, reference: dict[str, str]) -> Right:
    resource = reference["resource"]
    if subresource := reference.get("subresource"):
        resource = f"{resource}/{subresource}"
    return Right(verb, reference.get("apiGroup", ""), resource)


def _events(log: Path) -> Iterator[dict[str, Any]]:
    with log.open() as lines:
        for line in lines:
            # The last line may be half written.
            if line.endswith("\n"):
                yield json.loads(line)


def _documents(manifests: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in manifests:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else (path,):
            yield from filter(None, yaml.safe_load_all(file.read_text()))
