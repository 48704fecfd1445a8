"""What a Pod is made of beside its own spec: ConfigMaps, Secrets, tokens, Services, as far as they are known.

Values are bytes and never shown in a representation.
"""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from translators.errors import Hindrance, Waiting
from translators.records.sources import ConfigMap, Secret, Service
from translators.records.storage import Claim, PersistentVolume

CONFIG_MAP: Literal["ConfigMap"] = "ConfigMap"
SECRET: Literal["Secret"] = "Secret"  # noqa: S105 - the name of a kind

#: How a kubelet calls the kinds in its messages.
_IN_MESSAGES = {CONFIG_MAP: "configmap", SECRET: "secret"}

#: A kubelet's part of a token's life after which it asks for the next one, and the longest time it waits for that.
_REFRESHED_AFTER = 0.8
_LONGEST_USE = timedelta(hours=24)
#: What our clock and the API server's may differ by.
_CLOCKS_DIFFER = timedelta(minutes=1)


class ObjectKey(NamedTuple):
    """A ConfigMap or Secret in the namespace of the Pod that names it."""

    kind: Literal["ConfigMap", "Secret"]
    name: str


class TokenNeed(NamedTuple):
    """A token that a Pod asks for; an empty audience is the API server's own."""

    audience: str
    expiration_seconds: int


@dataclass(frozen=True, slots=True)
class DataObject:
    """The content of a ConfigMap or Secret; `texts` is what can become a variable, `files` what can be a file."""

    version: str
    texts: Mapping[str, bytes] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A ServiceAccount token and its life, by our clock, be that right or wrong."""

    value: str = field(repr=False)
    issued: datetime
    expires: datetime

    def refresh_at(self, jitter: float) -> datetime:
        """When the next one is to be asked for; `jitter` in [-1, 1] spreads that over 20 s, as a kubelet does."""
        due = self.issued + min((self.expires - self.issued) * _REFRESHED_AFTER, _LONGEST_USE)
        return due + timedelta(seconds=10 * jitter)

    def is_due(self, now: datetime, jitter: float) -> bool:
        """Whether the next one is to be asked for now; of one from the future nobody knows how old it is."""
        return self.refresh_at(jitter) <= now or now + _CLOCKS_DIFFER < self.issued

    def shifted(self, step: timedelta) -> "Token":
        """The same, by a clock that was set by so much."""
        return replace(self, issued=self.issued + step, expires=self.expires + step)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What is known of a claim by its name: the claim and the volume that it names, None where there is none."""

    claim: Claim | None = None
    volume: PersistentVolume | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims of a Pod by their names.

    `served` is false where claims are not looked at. One that is not in `found` was not looked for yet, or, as
    `problem` says in a sentence, could not be.
    """

    served: bool = False
    problem: str = ""
    found: Mapping[str, Claimed] = field(default_factory=dict)


_NO_CLAIMS = Claims()


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What is known of the objects that a Pod names.

    An object that was looked for and is not there is None; one that is absent from `objects` was not looked for
    yet. `denied` says in a sentence why one may not be read. `needs` are the tokens that the Pod asks for. `live` says
    that files of the Pod follow what is here, and `stamp` changes with it.
    """

    objects: Mapping[ObjectKey, DataObject | None] = field(default_factory=dict)
    denied: Mapping[ObjectKey, str] = field(default_factory=dict)
    tokens: Mapping[TokenNeed, Token] = field(default_factory=dict)
    needs: frozenset[TokenNeed] = frozenset()
    live: bool = False
    services: tuple[Service, ...] | None = ()
    stamp: str = ""
    claims: Claims = _NO_CLAIMS

    def find(self, key: ObjectKey) -> DataObject | None:
        """The object, or None where there is none.

        Raises:
            Waiting: while it is not known whether there is one, or we may not read it.
        """
        if key in self.objects:
            return self.objects[key]
        raise Waiting(Hindrance(message=self.denied.get(key, "")))

    def get(self, key: ObjectKey) -> DataObject:
        """The object, that must be there.

        Raises:
            Waiting: while it is not.
        """
        found = self.find(key)
        if found is None:
            raise Waiting(Hindrance(message=f'{_IN_MESSAGES[key.kind]} "{key.name}" not found'))
        return found


NOTHING = Material()


def config_map(served: ConfigMap) -> DataObject:
    """The content of a ConfigMap."""
    texts = {key: text.encode() for key, text in served.data.items()}
    files = {**{key: b64decode(text) for key, text in served.binary_data.items()}, **texts}
    return DataObject(served.metadata.resource_version, texts, files, bool(served.immutable))


def secret(served: Secret) -> DataObject:
    """The content of a Secret."""
    content = {key: b64decode(text) for key, text in served.data.items()}
    return DataObject(served.metadata.resource_version, content, content, bool(served.immutable))
