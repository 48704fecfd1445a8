"""The Nomad token: does Nomad know it, and what may it do."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vnode.doctor.access import Access, access
from vnode.doctor.findings import Finding, fine, trouble
from vnode.doctor.independent import Independent
from vnode.doctor.problems import Problem
from vnode.errors import Denied, NotFound, PeerError, Rejected

CHECKED = "Nomad token"
_ANONYMOUS = "anonymous"
#: What Nomad calls our token while it has no ACLs (1.11); older ones refuse the question instead.
_NO_ACLS = "acls-disabled"


@dataclass(frozen=True, slots=True)
class Rights:
    """What is known about the token: everything is allowed, or what its policies say, or neither is known."""

    everything: bool = False
    access: Access | None = None


@dataclass(frozen=True, slots=True)
class TokenJudgement:
    """`rights` is None when Nomad accepts no token of ours."""

    finding: Finding
    rights: Rights | None = None


async def examine(nomad: Independent) -> TokenJudgement:
    """Let Nomad look at the token."""
    try:
        token = await nomad.ask(lambda api: api.acl.get_self_token())
    except Rejected as error:
        if "ACL support disabled" in str(error):
            return _without_acls()
        return _refused(error)
    except PeerError as error:
        return _refused(error)
    return await _judged(nomad, token)


async def _judged(nomad: Independent, token: Mapping[str, Any]) -> TokenJudgement:
    if token.get("AccessorID") == _NO_ACLS:
        return _without_acls()
    if token.get("Type") == "management":
        found = trouble(Problem.NOMAD_MANAGEMENT_TOKEN, CHECKED, "it is a management token")
        return TokenJudgement(found, Rights(everything=True))
    policies = await _policies(nomad, token)
    if token.get("AccessorID") == _ANONYMOUS and not policies:
        return TokenJudgement(trouble(Problem.NOMAD_TOKEN, CHECKED, "none is given, and ACLs are on"))
    expires = f", expires at {token['ExpirationTime']}" if token.get("ExpirationTime") else ""
    found = fine(CHECKED, f"{token.get('Name') or token.get('AccessorID')}{expires}")
    return TokenJudgement(found, Rights(access=access(policies) if policies is not None else None))


async def _policies(nomad: Independent, token: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """The parsed rules of all policies of the token, None when one cannot be read.

    A token may read its own roles and policies. A policy that does not exist grants nothing.
    """
    rules = []
    try:
        async for name in _names(nomad, token):
            policy = await _existing(nomad, name)
            if policy is not None:
                rules.append(policy["RulesJSON"])
    except (PeerError, KeyError):
        return None
    return rules


async def _names(nomad: Independent, token: Mapping[str, Any]) -> AsyncIterator[str]:
    for name in token.get("Policies") or ():
        yield str(name)
    for stub in token.get("Roles") or ():
        for name in _role_policies(await _role(nomad, str(stub["ID"]))):
            yield name


async def _role(nomad: Independent, role_id: str) -> Mapping[str, Any]:
    role: Mapping[str, Any] = await nomad.ask(lambda api: api.acl.request("role", role_id, method="get").json())
    return role


def _role_policies(role: Mapping[str, Any]) -> Iterator[str]:
    links: Sequence[Mapping[str, Any]] = role.get("Policies") or ()
    return (str(link["Name"]) for link in links)


async def _existing(nomad: Independent, name: str) -> Mapping[str, Any] | None:
    try:
        policy: Mapping[str, Any] = await nomad.ask(lambda api: api.acl.get_policy(name))
    except NotFound:
        return None
    return policy


def _without_acls() -> TokenJudgement:
    return TokenJudgement(trouble(Problem.NOMAD_ACL_OFF, CHECKED, "ACLs are off"), Rights(everything=True))


def _refused(error: PeerError) -> TokenJudgement:
    known = isinstance(error, Denied | NotFound)
    text = "Nomad does not know it, or it is expired" if known else f"Nomad does not understand it: {error}"
    return TokenJudgement(trouble(Problem.NOMAD_TOKEN, CHECKED, text))
