"""Finds secrets where none may be: in the texts of both sides, plain or encoded."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

#: Shorter texts would be found by chance.
SHORTEST = 12


def leaks(texts: Mapping[str, str], secrets: Iterable[str]) -> list[str]:
    """The places whose text holds a secret, in any of the forms that a program gives it."""
    forms = {form for secret in secrets for form in _forms(secret)}
    return [place for place, text in texts.items() if any(form in text for form in forms)]


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
