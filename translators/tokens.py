"""Tokens that were found again: their life is written in them."""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta

from pydantic_core import from_json

from translators.material import Token, TokenNeed

_PARTS = 3


def remembered(text: bytes, need: TokenNeed) -> Token | None:
    """The token in a text, or None where there is none that can be read; it is not verified here.

    The API server may let a token live longer than was asked for: what was asked for counts.
    """
    parts = text.split(b".")
    if len(parts) != _PARTS:
        return None
    try:
        claims = from_json(urlsafe_b64decode(parts[1] + b"=="))
        issued, expires = (datetime.fromtimestamp(int(claims[name]), UTC) for name in ("iat", "exp"))
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
    life = min(expires - issued, timedelta(seconds=need.expiration_seconds))
    return Token(text.decode(), issued, issued + life)
