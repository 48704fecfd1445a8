"""Finds secrets where none may be: in the texts of both sides, plain or encoded."""

import base64
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from urllib.parse import quote

#: Shorter texts would be found by chance.
SHORTEST = 12

#: A JWT (RFC 7519): head, claims and signature.
_TOKEN = re.compile(r"\b(eyJ[\w-]+\.eyJ[\w-]+)\.[\w-]{20,}")


def leaks(texts: Mapping[str, str], secrets: Iterable[str]) -> list[str]:
    """The places whose text holds a secret, in any of the forms that a program gives it."""
    forms = {form for secret in secrets for form in _forms(secret)}
    others = {form for form in forms if "\n" in form or "\0" in form}
    lines = forms - others
    return [
        place for place, text in texts.items() if _has_line_with(lines, text) or any(form in text for form in others)
    ]


def _has_line_with(wanted: Collection[str], text: str) -> bool:
    """Whether a line holds one of a thousand texts: a search for each in hundreds of megabytes takes minutes."""
    with tempfile.NamedTemporaryFile() as patterns:
        patterns.write("\n".join(wanted).encode())
        patterns.flush()
        command = ["grep", "--quiet", "--text", "--fixed-strings", f"--file={patterns.name}"]
        done = subprocess.run(command, input=text.encode(), env={**os.environ, "LC_ALL": "C"}, check=False)
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"grep ended with {done.returncode}")
    return bool(wanted) and done.returncode == 0


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
