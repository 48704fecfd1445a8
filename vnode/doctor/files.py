"""Which of the files about Nomad cannot be used: an error of `ssl` names none."""

import ssl
from pathlib import Path

from vnode.doctor import tls
from vnode.settings import Settings


def complaint(settings: Settings, error: OSError | ValueError) -> str:
    """Name the flag and the file behind a failure to load token and certificates; reads the files."""
    for flag, path in _files(settings).items():
        reason = _unreadable(flag, path)
        if reason:
            return f"{flag} {path}: {reason}"
    if isinstance(error, ssl.SSLError):
        pair = f"--nomad-client-cert {settings.nomad_client_cert} with --nomad-client-key {settings.nomad_client_key}"
        return f"{pair}: {tls.said(error)}"
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)


def _files(settings: Settings) -> dict[str, Path]:
    given = {
        "--nomad-ca-cert": settings.nomad_ca_cert,
        "--nomad-client-cert": settings.nomad_client_cert,
        "--nomad-client-key": settings.nomad_client_key,
        "--nomad-token-file": settings.nomad_token_file,
    }
    return {flag: path for flag, path in given.items() if path is not None}


def _unreadable(flag: str, path: Path) -> str:
    try:
        path.read_bytes()
        if flag == "--nomad-ca-cert":
            ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        return f"it holds no certificate in PEM ({tls.said(error)})"
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""
