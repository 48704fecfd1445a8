"""Writes kubeconfig files."""

import base64
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.e2e.bed.certificates import Pair


def with_certificate(file: Path, server: str, authority: Path, pair: Pair) -> Path:
    """A kubeconfig whose user is a client certificate."""
    user = {"client-certificate-data": _data(pair.certificate), "client-key-data": _data(pair.key)}
    return _write(file, server, authority, user)


def with_token(file: Path, server: str, authority: Path, token: str) -> Path:
    """A kubeconfig whose user is a bearer token."""
    return _write(file, server, authority, {"token": token})


def _write(file: Path, server: str, authority: Path, user: Mapping[str, str]) -> Path:
    cluster = {"server": server, "certificate-authority-data": _data(authority)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bed", "cluster": cluster}],
        "users": [{"name": "bed", "user": dict(user)}],
        "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "bed"}}],
        "current-context": "bed",
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    file.chmod(0o600)
    return file


def _data(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
