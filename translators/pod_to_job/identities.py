"""Nomad workload identities that a Pod asks for by annotation: signed by Nomad for a task, for somebody outside it.

Nomad's servers sign them and its clients keep them fresh in a file: no token passes through us.
"""

import re
from dataclasses import dataclass, field

from translators.annotations import IDENTITY, Annotations
from translators.records.jobs import SECOND, Identity

#: Long enough that a file is seldom written, short enough that a copy of it is soon worth nothing.
_TTL = 3600 * SECOND
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
#: By these names Nomad's clients find the identities with which they log in for a task themselves.
_TAKEN = re.compile(r"default|vault_.*|consul.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """The identities of a task, and variables that say where their files are."""

    identities: tuple[Identity, ...] = ()
    env: dict[str, str] = field(default_factory=dict)


def identities(settings: Annotations, container: str) -> Identities:
    """The identities of a container.

    Raises:
        Refused: for a name or an audience that Nomad does not take, or that stands for something else.
    """
    found: list[Identity] = []
    env: dict[str, str] = {}
    for name, setting in sorted(settings.beginning(IDENTITY, container).items()):
        if not _NAME.fullmatch(name):
            raise setting.refused("name the identity with letters, digits, - and _, e.g. identity-aws")
        if _TAKEN.fullmatch(name):
            raise setting.refused(f"Nomad itself uses identities named like {name!r}; choose another name")
        if not setting.text or "${" in setting.text:
            raise setting.refused("say for whom the identity is, e.g. sts.amazonaws.com")
        variable = f"VNODE_IDENTITY_{name.upper().replace('-', '_')}"
        if variable in env:
            raise setting.refused(f"two identities would be told by the variable {variable}")
        found.append(Identity(name=name, audience=(setting.text,), ttl=_TTL))
        env[variable] = f"${{NOMAD_SECRETS_DIR}}/nomad_{name}.jwt"
    return Identities(identities=tuple(found), env=env)
