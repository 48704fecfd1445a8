"""The opening handshake of RFC 6455, section 4.2."""

import base64
import binascii
import hashlib
from collections.abc import Mapping

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_LENGTH = 16


def accept(headers: Mapping[str, str]) -> str | None:
    """The value of Sec-WebSocket-Accept, or None where the request is not a right one of version 13."""
    key = headers.get("Sec-WebSocket-Key", "").strip()
    try:
        whole = len(base64.b64decode(key, validate=True)) == _KEY_LENGTH
    except binascii.Error:
        whole = False
    if not whole or headers.get("Sec-WebSocket-Version", "").strip() != "13":
        return None
    digest = hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()
