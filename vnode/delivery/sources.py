"""One kind of objects in one namespace: where it is served, and how it is read without ever being shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from translators.material import CONFIG_MAP, SECRET, DataObject, ObjectKey, config_map, secret
from translators.records.sources import ConfigMap, Secret

_CONFIG_MAP = TypeAdapter(ConfigMap)
_SECRET = TypeAdapter(Secret)


@dataclass(frozen=True, slots=True)
class Named:
    """An object and its name."""

    name: str
    found: DataObject


@dataclass(frozen=True, slots=True)
class Source:
    """ConfigMaps or Secrets of a namespace."""

    path: str
    resource: str
    decode: Callable[[Mapping[str, Any]], Named]


def source(namespace: str, kind: str) -> Source:
    """Where objects of a kind are served in a namespace."""
    resource = "secrets" if kind == SECRET else "configmaps"
    folder = f"/api/v1/namespaces/{quote(namespace, safe='')}/{resource}"
    return Source(folder, resource, _secret if kind == SECRET else _config_map)


def key(kind: str, name: str) -> ObjectKey:
    """The key of an object."""
    return ObjectKey(SECRET if kind == SECRET else CONFIG_MAP, name)


def _config_map(raw: Mapping[str, Any]) -> Named:
    try:
        served = _CONFIG_MAP.validate_python(raw)
        return Named(served.metadata.name, config_map(served))
    except ValueError:
        raise ValueError("a ConfigMap is not as the API promises") from None


def _secret(raw: Mapping[str, Any]) -> Named:
    try:
        served = _SECRET.validate_python(raw)
        return Named(served.metadata.name, secret(served))
    except ValueError:
        # The validator's own words quote what it read.
        raise ValueError("a Secret is not as the API promises") from None
