"""Who calls: by the client certificate of the TLS connection, else by bearer token.

A kubelet's order. There is no anonymous caller. Source: kubernetes pkg/kubelet/server/auth.go,
apiserver pkg/authentication/request/x509 (CommonNameUserConversion).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass as record

from translators.records.base import KUBERNETES, Many, Mapped, Text
from vnode.kube.api import Requests, decode_as
from vnode.kubelet.expiring_cache import ExpiringCache

#: Seconds; a kubelet believes for two minutes. A token may be a person's, and a withdrawn one must not work on.
TOKENS_LAST = 10.0

#: Callers that are remembered; a few hundred bytes each.
_KEPT = 1024

_AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated user, as SubjectAccessReview wants it described."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


@record(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class _User:
    username: Text = ""
    uid: Text = ""
    groups: Many[str] = ()
    extra: Mapped[str, tuple[str, ...]] = field(default_factory=dict)


@record(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class _TokenStatus:
    authenticated: Any = None
    user: _User = field(default_factory=_User)


@record(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class _TokenReview:
    status: _TokenStatus = field(default_factory=_TokenStatus)


@dataclass(frozen=True, slots=True)
class _Answer:
    caller: Caller | None


_REVIEW = TypeAdapter(_TokenReview)


def caller_of_certificate(certificate: Mapping[str, Any] | None) -> Caller | None:
    """The caller named by a verified certificate as `ssl.SSLObject.getpeercert()` describes it.

    None without a certificate or without a common name. Several common names name nobody: which of them
    a signer meant to vouch for is unknown.
    """
    subject = [pair for name in (certificate or {}).get("subject", ()) for pair in name]
    names = [value for kind, value in subject if kind == "commonName"]
    if len(names) != 1 or not names[0]:
        return None
    groups = tuple(value for kind, value in subject if kind == "organizationName")
    return Caller(name=names[0], groups=(*groups, _AUTHENTICATED))


def bearer_token(authorization: str | None) -> str:
    """The token of an Authorization header; empty when there is none."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Authenticator:
    """Finds the caller; asks TokenReview for tokens and believes an answer for ten seconds."""

    def __init__(self, kubernetes: Requests, clock: Callable[[], float]) -> None:
        self._kubernetes = kubernetes
        self._answers = ExpiringCache[bytes, _Answer](size=_KEPT, clock=clock)

    async def authenticate(self, certificate: Mapping[str, Any] | None, authorization: str | None) -> Caller | None:
        """The caller, or None for nobody we know. Raises vnode.errors when a token cannot be reviewed."""
        if (caller := caller_of_certificate(certificate)) is not None:
            return caller
        if not (token := bearer_token(authorization)):
            return None
        # The token itself must not stay in memory longer than its request.
        key = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        answer = self._answers.get(key)
        if answer is None:
            answer = _Answer(await self._review(token))
            self._answers.put(key, answer, TOKENS_LAST)
        return answer.caller

    async def _review(self, token: str) -> Caller | None:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        body = await self._kubernetes.request(
            "POST", "/apis/authentication.k8s.io/v1/tokenreviews", body=json.dumps(review).encode()
        )
        status = decode_as("TokenReview", _REVIEW.validate_python, body).status
        if status.authenticated is not True or not status.user.username:
            return None
        user = status.user
        return Caller(name=user.username, uid=user.uid, groups=user.groups, extra=tuple(sorted(user.extra.items())))
