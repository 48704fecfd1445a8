"""ConfigMaps and Secrets as tests write them, and how Pods name them."""

import base64
from collections.abc import Mapping
from typing import Any

from tests.e2e.canaries import SHORTEST
from tests.e2e.manifests import Manifest

_KNOWN_BY = 200


def config_map(name: str, data: Mapping[str, str], **fields: Any) -> Manifest:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data), **fields}


def secret(name: str, data: Mapping[str, str | bytes], **fields: Any) -> Manifest:
    """A Secret."""
    content = {key: value if isinstance(value, bytes) else value.encode() for key, value in data.items()}
    encoded = {key: base64.b64encode(value).decode() for key, value in content.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded, **fields}


def texts_of(made: Manifest) -> set[str]:
    """What a Secret holds, its beginning at most, as far as it is text and long enough to be known again."""
    values = (base64.b64decode(value).decode(errors="ignore")[:_KNOWN_BY] for value in made["data"].values())
    return {value for value in values if len(value.strip("\0")) >= SHORTEST}


def of_key(name: str, kind: str, source: str, key: str, **fields: Any) -> Manifest:
    """A variable that takes its value from a key of a `configMap` or a `secret`."""
    return {"name": name, "valueFrom": {f"{kind}KeyRef": {"name": source, "key": key, **fields}}}


def of_field(name: str, path: str) -> Manifest:
    """A variable that shows a field of the Pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
