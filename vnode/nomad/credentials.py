"""The token and the TLS identity that we show to Nomad, read anew when their files change.

Files are looked at when a request is made, in a thread and at most every few seconds: a process without requests
has nothing to refresh. A half-written rotation (a certificate without its key) leaves the old identity in use.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from vnode.nomad.settings import NomadSettings

_CHECK_EVERY = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """One consistent reading; `tls` verifies always, `token` is empty without ACLs."""

    token: str = field(repr=False)
    tls: ssl.SSLContext


_Stamp = tuple[tuple[int, int, int], ...]


class Credentials:
    """The current identity. `now` is a monotonic clock in seconds."""

    def __init__(self, settings: NomadSettings, now: Callable[[], float]) -> None:
        self._settings = settings
        self._now = now
        self._tls_files = _given(settings.ca_cert, settings.client_cert, settings.client_key)
        self._token_files = _given(settings.token_file)
        self._tls_stamp: _Stamp | None = None
        self._token_stamp: _Stamp | None = None
        self._identity: Identity | None = None
        self._checked = 0.0
        self._reading = asyncio.Lock()

    async def identity(self) -> Identity:
        """What to show now; raises OSError, ssl.SSLError or ValueError only while nothing was ever read."""
        known = self._identity
        if known is None:
            return await self._read()
        has_files = bool(self._tls_files or self._token_files)
        return await self.reread() if has_files and self._now() - self._checked >= _CHECK_EVERY else known

    async def reread(self) -> Identity:
        """Look at the files now, for instance because Nomad did not accept what we showed."""
        known = self._identity
        try:
            return await self._read()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            if known is None:
                raise
            _log.warning("keeping the previous Nomad credentials", error=type(error).__name__, reason=_reason(error))
            return known

    async def _read(self) -> Identity:
        self._checked = self._now()
        async with self._reading:
            self._identity = await asyncio.to_thread(self._load, self._identity)
            return self._identity

    def _load(self, known: Identity | None) -> Identity:
        token_stamp, tls_stamp = _stamp(self._token_files), _stamp(self._tls_files)
        token = known.token if known and token_stamp == self._token_stamp else self._load_token()
        tls = known.tls if known and tls_stamp == self._tls_stamp else self._load_tls()
        self._token_stamp, self._tls_stamp = token_stamp, tls_stamp
        return known if known and known.token == token and known.tls is tls else Identity(token, tls)

    def _load_token(self) -> str:
        path = self._settings.token_file
        token = (path.read_text() if path else self._settings.token).strip()
        if path and not token:
            raise ValueError(f"the Nomad token file {path} is empty")
        # Checked here because the HTTP library quotes a header that it refuses in its error.
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ValueError(f"the Nomad token{f' in {path}' if path else ''} holds characters that no token has")
        return token

    def _load_tls(self) -> ssl.SSLContext:
        if not any(address.startswith("https:") for address in self._settings.addresses):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used, and trusts nobody
        tls = ssl.create_default_context(cafile=self._settings.ca_cert)
        if self._settings.client_cert:
            tls.load_cert_chain(self._settings.client_cert, self._settings.client_key)
        return tls


def _given(*paths: Path | None) -> tuple[Path, ...]:
    return tuple(path for path in paths if path)


def _stamp(paths: tuple[Path, ...]) -> _Stamp:
    states = [path.stat() for path in paths]
    return tuple((state.st_mtime_ns, state.st_size, state.st_ino) for state in states)


def _reason(error: OSError | ValueError) -> str:
    return str(error) if isinstance(error, OSError) else "malformed"
