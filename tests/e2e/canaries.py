"""Finds secrets where none may be: in the texts of both sides, plain or encoded."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

#: Shorter texts would be found by chance.
SHORTEST = 12

#: A JWT (RFC 7519): head, claims and signature.
_TOKEN = re.compile(r"\b(eyJ[\w-]+\.eyJ[\w-]+)\.[\w-]{20,}")


def leaks(texts: Mapping[str, str], secrets: Iterable[str]) -> list[str]:
    """The places whose text holds a secret, in any of the forms that a program gives it."""
    forms = {form for secret in secrets for form in _forms(secret)}
    return [place for place, text in texts.items() if any(form in text for form in forms)]


def tokens(text: str) -> list[str]:
    """The tokens of ServiceAccounts in a text, without their signatures: by their form and by what they claim."""
    return [found[1] for found in _TOKEN.finditer(text) if b'"kubernetes.io"' in _claims(found[1])]


def _claims(unsigned: str) -> bytes:
    body = unsigned.partition(".")[2]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def _forms(secret: str) -> Iterator[str]:
    if len(secret) < SHORTEST:
        raise ValueError(f"a canary of {len(secret)} characters proves nothing")
    yield secret
    yield json.dumps(secret)[1:-1]
    yield quote(secret)
    yield secret.encode().hex()
    yield repr(secret)[1:-1]
    for shift in range(3):
        # Without the characters that depend on what stands beside it.
        encoded = base64.b64encode(b" " * shift + secret.encode()).decode()
        inner = encoded[(0, 2, 3)[shift] : len(encoded.rstrip("=")) - 1]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
