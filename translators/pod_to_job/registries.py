"""Credentials of registries: which of a Pod's imagePullSecrets is for an image, and the way it takes.

Nomad's client fills them into the configuration of the docker driver out of a Variable that stands at the task's own
path (`secret` block, Nomad 1.11): they are in no job, no file and no environment. The client reads the Variable's items
as lines of an env file, so each value is written as such a text. Source: nomad client/allocrunner/taskrunner
secrets_hook.go, secrets/nomad_provider.go. Which entry fits which image: kubernetes pkg/credentialprovider keyring.go.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from translators.errors import Finding, Refused, Waiting
from translators.interpolation import Expression, quoted
from translators.material import SECRET, Material, ObjectKey
from translators.pod_to_job import turns
from translators.policy import DOCKER
from translators.records.jobs import Constraint, TaskSecret
from translators.records.pods import Pod
from translators.variables import own_item

FILE = ".dockerconfigjson"
_FILES = {FILE: True, ".dockercfg": False}
#: The registry of images that name none, and the key under which `docker login` keeps its credentials.
_DEFAULT, _INDEX = "docker.io", "index.docker.io"
_API_VERSIONS = ("/v1", "/v2")

_NAME = "pull"
_USER, _PASSWORD = "username", "password"
#: Older clients know no `secret` blocks.
CONSTRAINT = Constraint(l_target="${attr.nomad.version}", operand="semver", r_target=">= 1.11.0")


@dataclass(frozen=True, slots=True)
class Login:
    """The credentials for the image of one container."""

    registry: str
    user: str
    password: str = field(repr=False)

    @property
    def auth(self) -> dict[str, str]:
        """The block of the docker driver, which names where the credentials are."""
        return {
            "username": Expression(f"${{secret.{_NAME}.{_USER}}}"),
            "password": Expression(f"${{secret.{_NAME}.{_PASSWORD}}}"),
            "server_address": self.registry,
        }

    @property
    def items(self) -> Mapping[str, str]:
        """What the Variable holds."""
        return {_USER: quoted(self.user), _PASSWORD: quoted(self.password)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """The credentials by container, and what could not be used."""

    by_container: Mapping[str, Login] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()

    @property
    def items(self) -> dict[str, bytes]:
        """The items of the Pod's data that are for one task each."""
        return {
            own_item(name): json.dumps(dict(login.items), sort_keys=True).encode()
            for name, login in self.by_container.items()
        }


_NONE = Logins()


def named(pod: Pod, drivers: Mapping[str, str]) -> tuple[ObjectKey, ...]:
    """The Secrets in which a Pod's credentials are; none where no container is an image."""
    if DOCKER not in drivers.values():
        return ()
    return tuple(dict.fromkeys(ObjectKey(SECRET, each.name) for each in pod.spec.image_pull_secrets if each.name))


def logins(pod: Pod, drivers: Mapping[str, str], material: Material) -> Logins:
    """The credentials of a Pod's images; a Secret that is missing or malformed is told, as by a kubelet, and left out.

    Raises:
        Waiting: while it is not known whether a Secret is there.
        Refused: where a task's own path is taken by its turn.
    """
    keys = named(pod, drivers)
    if not keys:
        return _NONE
    entries: list[tuple[str, Mapping[str, Any]]] = []
    warnings: list[Finding] = []
    for key in keys:
        try:
            found = material.find(key)
        except Waiting as waiting:
            if not waiting.hindrance.message:
                raise
            found = None
        read = _entries(found.files) if found is not None else None
        if read is None:
            message = (
                f"Secret {key.name} is missing, may not be read or holds no credentials; images are pulled without"
            )
            warnings.append(Finding("FailedToRetrieveImagePullSecret", "spec.imagePullSecrets", message))
        else:
            entries += read
    chosen = {
        container.name: login
        for container in pod.spec.every_container
        if drivers[container.name] == DOCKER and (login := _login(container.image, entries)) is not None
    }
    for container in pod.spec.every_container:
        if container.name in chosen and turns.waits(container, pod.spec):
            message = "cannot be given to a container that waits for another; configure the clients' docker plugin"
            raise Refused(Finding("PodFeatureUnsupported", "spec.imagePullSecrets", message))
    return Logins(by_container=chosen, warnings=tuple(warnings))


def assumed(pod: Pod) -> bytes:
    """A Secret's `.dockerconfigjson` that has an account of the registry of every image, for where none is known."""
    places = {_place(container.image)[0] for container in pod.spec.every_container if container.image}
    return json.dumps({"auths": {place: {_USER: "user", _PASSWORD: ""} for place in sorted(places)}}).encode()


def secrets(login: Login | None, path: str) -> tuple[TaskSecret, ...]:
    """What the client reads before it configures the driver; it waits until the Variable is there."""
    return () if login is None else (TaskSecret(name=_NAME, path=path),)


def _entries(files: Mapping[str, bytes]) -> list[tuple[str, Mapping[str, Any]]] | None:
    """The entries of a Secret; None where it is no such Secret."""
    for name, nested in _FILES.items():
        try:
            held = json.loads(files[name])
            listed = held["auths"] if nested else held
            return [(str(place), entry) for place, entry in listed.items() if isinstance(entry, Mapping)]
        except (LookupError, ValueError, TypeError, AttributeError):
            continue
    return None


def _login(image: str, entries: list[tuple[str, Mapping[str, Any]]]) -> Login | None:
    """The entry that says most of the image's place; of several the first."""
    registry, path = _place(image)
    fitting = [(len(place), entry) for place, entry in entries if _fits(place, registry, path)]
    for _, entry in sorted(fitting, key=lambda each: -each[0]):
        user, password = _account(entry)
        if user or password:
            return Login(registry, user, password)
    return None


def _place(image: str) -> tuple[str, str]:
    """The registry of an image and its path there."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if not slash or not (set(".:") & set(first) or first == "localhost"):
        return _DEFAULT, name
    return first, rest


def _fits(place: str, registry: str, path: str) -> bool:
    host, _, rest = place.partition("://")[2].partition("/") if "://" in place else place.partition("/")
    below = f"/{rest}".rstrip("/")
    if below in _API_VERSIONS:
        below = ""
    if registry == _DEFAULT and host in {_DEFAULT, _INDEX}:
        host = registry
    return _same_host(host, registry) and f"/{path}".startswith(below)


def _same_host(pattern: str, host: str) -> bool:
    (wanted, _, port), (name, _, its_port) = pattern.partition(":"), host.partition(":")
    parts, its_parts = wanted.split("."), name.split(".")
    return port == its_port and len(parts) == len(its_parts) and all(map(fnmatchcase, its_parts, parts))


def _account(entry: Mapping[str, Any]) -> tuple[str, str]:
    user, password = entry.get("username") or "", entry.get("password") or ""
    if entry.get("auth") and not (user or password):
        try:
            user, _, password = b64decode(str(entry["auth"]), validate=False).decode().partition(":")
        except ValueError:
            return "", ""
    return str(user), str(password).rstrip("\0")
