"""Policies by which the tasks of one job read Variables that lie deeper than Nomad lets them read by itself.

Writing ACL policies takes a management token, which is why this is asked for by a token of its own and used for
nothing else. Source: nomad/nomad acl_endpoint.go, structs ACLPolicy.JobACL (1.11).
"""

from typing import Annotated

import structlog
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from translators.records.base import NOMAD
from translators.variables import policy
from vnode.errors import Denied, NotFound, Rejected, Unavailable
from vnode.nomad.transport import Transport

_log = structlog.get_logger(__name__)

_WAY_OUT = "the token of --nomad-policy-token-file cannot be used to write an ACL policy"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _Workload:
    namespace: str
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _Policy:
    name: str
    description: str
    rules: str
    job_acl: Annotated[_Workload, Field(alias="JobACL")]


_POLICY = TypeAdapter(_Policy)


class NomadGrants:
    """Requests with the token for policies; all methods raise the kinds of `vnode.errors`.

    That this token is refused says nothing of the other one, and is Unavailable.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def allow(self, namespace: str, job: str) -> None:
        """Let the tasks of a job read what lies below its own path."""
        body = _Policy(
            name=job,
            description="The data of a Pod of Kubernetes, for its own tasks",
            rules=policy(namespace, job),
            job_acl=_Workload(namespace=namespace, job_id=job),
        )
        await self._ask("PUT", job, _POLICY.dump_json(body, by_alias=True))

    async def forbid(self, job: str) -> None:
        """Remove the policy of a job that is dead; one that is not there is no error.

        One that cannot be removed is left and logged: what it lets the job read is gone, and no Pod waits for that.
        """
        try:
            await self._ask("DELETE", job)
        except NotFound:
            return
        except Unavailable as error:
            _log.warning("the policy of a job that is gone is left in Nomad", policy=job, problem=str(error))

    async def _ask(self, method: str, job: str, body: bytes = b"") -> None:
        try:
            await self._transport.request(method, f"/v1/acl/policy/{job}", body=body, control=True)
        except (Denied, Rejected) as error:
            raise Unavailable(f"{_WAY_OUT}: {error}") from None
