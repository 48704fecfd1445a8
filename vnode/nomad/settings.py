"""Where Nomad is and how we are known there."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from vnode.nomad.budget import STREAMS


@dataclass(frozen=True, slots=True, kw_only=True)
class NomadSettings:
    """Servers (or agents) of one Nomad cluster, in order of preference, and our identity.

    Files are read again when they change. `region` empty means that of the agent which answers.
    `tls_server_name` replaces the host of an address in the verification, e.g. `server.global.nomad`; verification
    itself cannot be switched off. Raises ValueError with a sentence for an administrator.
    """

    addresses: tuple[str, ...] = ("http://127.0.0.1:4646",)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    region: str = ""
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    tls_server_name: str = ""
    #: Logs and exec sessions at once.
    streams: int = STREAMS

    def __post_init__(self) -> None:
        """Refuse what could only fail later, or would put a secret into an error."""
        if not self.addresses:
            raise ValueError("no Nomad address is given; one looks like https://nomad.example.com:4646")
        for address in self.addresses:
            _check(address)
        if self.token and self.token_file:
            raise ValueError("give the Nomad token or a file that holds it, not both")
        if bool(self.client_cert) != bool(self.client_key):
            raise ValueError("a Nomad client certificate and its key belong together; one of the two is missing")


def _check(address: str) -> None:
    parts = urlsplit(address)
    if parts.username or parts.password:
        raise ValueError(f"the Nomad address of {parts.hostname} holds a user or password; Nomad knows tokens only")
    if parts.scheme == "unix":
        raise ValueError(f"the Nomad address {address} is a unix socket; give its http:// or https:// address")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"the Nomad address {address!r} is not a URL such as https://nomad.example.com:4646")
    if parts.query or parts.fragment:
        raise ValueError(f"the Nomad address {address!r} must end after its host, port and path")
