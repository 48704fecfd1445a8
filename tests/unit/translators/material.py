"""ConfigMaps, Secrets and tokens that tests of the data of Pods start from."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from translators.material import CONFIG_MAP, SECRET, DataObject, Material, ObjectKey, Token, TokenNeed

ISSUED = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
VAULT = TokenNeed("vault", 600)


def token(value: str = "a.b.c", life: timedelta = timedelta(minutes=10)) -> Token:
    """A token that was issued at noon."""
    return Token(value, ISSUED, ISSUED + life)


def material(
    *,
    maps: Mapping[str, Mapping[str, str]] | None = None,
    secrets: Mapping[str, Mapping[str, bytes]] | None = None,
    missing: tuple[ObjectKey, ...] = (),
    tokens: Mapping[TokenNeed, Token] | None = None,
    immutable: bool = False,
) -> Material:
    """What is known of some objects."""
    objects: dict[ObjectKey, DataObject | None] = dict.fromkeys(missing)
    for name, texts in (maps or {}).items():
        content = {key: text.encode() for key, text in texts.items()}
        objects[ObjectKey(CONFIG_MAP, name)] = DataObject("1", content, content, immutable)
    for name, data in (secrets or {}).items():
        objects[ObjectKey(SECRET, name)] = DataObject("1", data, data, immutable)
    return Material(objects=objects, tokens=tokens or {}, needs=frozenset(tokens or {}), live=True, stamp="s1")
