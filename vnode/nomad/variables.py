"""Nomad's variables: what we hand to tasks beside their job.

Their items may be secret: they are in no error, and the answer to a write, which repeats them, is not read.
"""

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from vnode.errors import NotFound, Unavailable
from vnode.nomad.pages import pages
from vnode.nomad.records import HeldVariable, Variable, VariableStub
from vnode.nomad.transport import Transport

_VARIABLE = TypeAdapter(Variable)
_HELD = TypeAdapter(HeldVariable)
_STUBS = TypeAdapter(list[VariableStub])


class NomadVariables:
    """Requests about variables; all methods raise the kinds of `vnode.errors`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(self, namespace: str, path: str, items: Mapping[str, str], *, index: int = 0) -> None:
        """Write a variable that does not exist, or that has this modify index; raises Conflict when it differs."""
        body = _VARIABLE.dump_json(Variable(path=path, items=dict(items)), by_alias=True)
        query = {"namespace": namespace, "cas": str(index)}
        await self._transport.request("PUT", _target(path), query, body=body, control=True)

    async def put(self, namespace: str, path: str, items: Mapping[str, str]) -> None:
        """Write a variable, whatever it held."""
        body = _VARIABLE.dump_json(Variable(path=path, items=dict(items)), by_alias=True)
        await self._transport.request("PUT", _target(path), {"namespace": namespace}, body=body, control=True)

    async def get(self, namespace: str, path: str) -> HeldVariable | None:
        """What a variable holds; None where there is none."""
        try:
            reply = await self._transport.request("GET", _target(path), {"namespace": namespace}, control=True)
        except NotFound:
            return None
        try:
            return _HELD.validate_json(reply.body)
        except ValidationError:
            # The validator's words would quote what is secret.
            raise Unavailable("Nomad's answer about a variable is not understood") from None

    async def delete(self, namespace: str, path: str) -> None:
        """Remove a variable; one that is not there is no error."""
        await self._transport.request("DELETE", _target(path), {"namespace": namespace}, control=True)

    async def paths(self, namespace: str, prefix: str) -> list[str]:
        """The paths of all variables that begin with `prefix` and that we may list."""
        found: list[str] = []
        async for page in pages(self._transport, "/v1/vars", {"namespace": namespace, "prefix": prefix}):
            try:
                found += [stub.path for stub in _STUBS.validate_json(page)]
            except ValidationError:
                raise Unavailable("Nomad's list of variables is not understood") from None
        return found


def _target(path: str) -> str:
    return f"/v1/var/{quote(path)}"
