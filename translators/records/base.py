"""What all records share: how JSON names become field names, and what `null` means."""

from typing import Annotated, TypeVar

from pydantic import BeforeValidator, ConfigDict

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


def _kubernetes_name(field: str) -> str:
    first, *rest = field.split("_")
    acronyms = {"api": "API", "ip": "IP", "ips": "IPs", "id": "ID"}
    return first + "".join(acronyms.get(word, word.capitalize()) for word in rest)


def _nomad_name(field: str) -> str:
    acronyms = {"id": "ID", "mb": "MB", "ip": "IP", "url": "URL", "ui": "UI", "dc": "DC"}
    return "".join(acronyms.get(word, word.capitalize()) for word in field.split("_"))


#: Kubernetes writes camelCase. Unknown fields are ignored: an API server is often newer than we are.
KUBERNETES = ConfigDict(alias_generator=_kubernetes_name, validate_by_name=True, validate_by_alias=True, extra="ignore")

#: Nomad writes PascalCase.
NOMAD = ConfigDict(alias_generator=_nomad_name, validate_by_name=True, validate_by_alias=True, extra="ignore")


def _empty_list_for_null(value: object) -> object:
    return () if value is None else value


def _empty_map_for_null(value: object) -> object:
    return {} if value is None else value


def _empty_text_for_null(value: object) -> object:
    return "" if value is None else value


#: A list that Go may write as `null` when it is empty.
Many = Annotated[tuple[T, ...], BeforeValidator(_empty_list_for_null)]

#: A map that Go may write as `null` when it is empty.
Mapped = Annotated[dict[K, V], BeforeValidator(_empty_map_for_null)]

#: A text that may be absent or `null`.
Text = Annotated[str, BeforeValidator(_empty_text_for_null)]
