"""A second opinion: Nomad asked through python-nomad, and not through the client that a run uses.

Its questions are those that only an examination has. The library blocks, so every question runs in a thread, bounded
in time. Its defaults are not ours: it would not verify TLS, and would take what is not given from the environment.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nomad
import requests
from nomad.api.exceptions import BaseNomadException, TimeoutNomadException
from requests.adapters import HTTPAdapter

from vnode.errors import PeerError, Unavailable
from vnode.nomad.errors import classify

_SECONDS = 5
#: More than one request, for the library may open a connection first.
_WITHIN = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Independent:
    """Questions to one agent; `server_name` is the name in its certificate, "" for the host of its address."""

    address: str
    region: str
    token: str = field(default="", repr=False)
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    server_name: str = ""

    def at(self, address: str, server_name: str) -> "Independent":
        """The same, asking another agent."""
        return replace(self, address=address, server_name=server_name)

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        """The answer to e.g. `lambda nomad: nomad.regions.get_regions()`; raises the kinds of `vnode.errors`."""
        try:
            async with asyncio.timeout(_WITHIN):
                return await asyncio.to_thread(self._ask, question)
        except TimeoutError:
            raise Unavailable(f"Nomad at {self.address} does not answer in time") from None

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        with self._session() as session:
            try:
                return question(self._nomad(session))
            except BaseNomadException as error:
                raise _failure(error, self.address) from None
            except (TimeoutNomadException, requests.RequestException):
                raise Unavailable(f"what Nomad at {self.address} says is not understood") from None

    def _nomad(self, session: requests.Session) -> Any:
        return nomad.Nomad(
            address=self.address.rstrip("/"),
            region=self.region,
            token=self.token or None,
            timeout=_SECONDS,
            verify=_trusted(self.ca_cert),
            cert=(str(self.client_cert), str(self.client_key)) if self.client_cert else (),
            session=session,
        )

    def _session(self) -> requests.Session:
        session = requests.Session()
        # Neither proxies, nor a netrc, nor a bundle of the environment.
        session.trust_env = False
        session.mount("https://", _Named(self.server_name))
        return session


class _Named(HTTPAdapter):
    """Asks for, and verifies, a name other than the URL's host."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:  # noqa: FBT001, FBT002 - the base class's signature
        """Make the pools, with the name where there is one."""
        named = {"server_hostname": self._name, "assert_hostname": self._name} if self._name else {}
        super().init_poolmanager(connections, maxsize, block, **options, **named)


def _trusted(ca_cert: Path | None) -> str | bool:
    """The authority that is given, else the system's own, as for a run; requests would take its own bundle."""
    if ca_cert is not None:
        return str(ca_cert)
    system = ssl.get_default_verify_paths()
    return system.cafile or system.capath or True


def _failure(error: BaseNomadException, address: str) -> PeerError:
    answer = error.nomad_resp
    if isinstance(answer, requests.Response):
        return classify(answer.status_code, answer.text)
    return Unavailable(f"Nomad at {address} cannot be reached: {type(answer).__name__}")
