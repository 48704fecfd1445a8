"""The Nomad namespaces that --namespace-map leads to: are they there, and may the token work in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from translators.namespaces import PLACEHOLDER, nomad_namespace
from vnode.doctor.access import CAPABILITIES, NODE_READ, rule
from vnode.doctor.findings import Finding, fine, trouble
from vnode.doctor.independent import Independent
from vnode.doctor.probes import Verdicts, probe
from vnode.doctor.problems import Problem
from vnode.doctor.tokens import Rights
from vnode.errors import Denied, NotFound, PeerError
from vnode.nomad.transport import Transport

CHECKED = "Nomad namespaces"


@dataclass(frozen=True, slots=True)
class Namespaces:
    """`usable` are those that rights are worth looking at in."""

    findings: tuple[Finding, ...]
    usable: tuple[str, ...] = ()


async def examine(nomad: Independent, pattern: str, kubernetes_namespaces: Iterable[str]) -> Namespaces:
    """Look for the namespaces; of a pattern those that exist, and those of the Pods that are bound to our Node."""
    try:
        if PLACEHOLDER not in pattern:
            return await _one(nomad, nomad_namespace(pattern, ""))
        needed = {nomad_namespace(pattern, name) for name in kubernetes_namespaces}
        stubs = await nomad.ask(lambda api: api.namespaces.get_namespaces())
    except ValueError as error:
        return Namespaces((trouble(Problem.NOMAD_SETTINGS, "--namespace-map", str(error)),))
    except PeerError as error:
        return Namespaces((trouble(Problem.NOMAD_NAMESPACE, CHECKED, str(error), namespace=pattern),))
    return _several(pattern, needed, [str(stub["Name"]) for stub in stubs])


async def capabilities(
    transport: Transport, namespaces: Sequence[str], rights: Rights, needed: Mapping[str, str] = CAPABILITIES
) -> tuple[Finding, ...]:
    """What the token lacks, by its policies, or by trying where those are not readable; `needed` says for what."""
    found: list[Finding] = []
    for namespace in namespaces:
        found += await _capabilities(transport, namespace, rights, needed)
    return tuple(found)


def lacks(capability: str, namespace: str, purpose: str) -> Finding:
    """A capability is missing."""
    where = f" in {namespace}" if namespace else ""
    text = f"the token does not have it; needed for {purpose}"
    return trouble(Problem.NOMAD_CAPABILITY, f"capability {capability}{where}", text, rule=rule(capability, namespace))


def lacks_node_read() -> Finding:
    """The one right that is not of a namespace."""
    return lacks(NODE_READ, "", "the capacity of the Node")


async def _one(nomad: Independent, name: str) -> Namespaces:
    try:
        await nomad.ask(lambda api: api.namespace.get_namespace(name))
    except NotFound:
        return _several(name, {name}, [])
    except Denied:
        # Without any right in it Nomad does not say whether it is there; the capabilities will tell.
        return Namespaces((), (name,))
    return _several(name, {name}, [name])


def _several(pattern: str, needed: set[str], existing: Sequence[str]) -> Namespaces:
    glob = pattern.replace(PLACEHOLDER, "*")
    usable = [name for name in existing if fnmatchcase(name, glob)]
    missing = sorted(needed - set(existing))
    if not usable and not missing:
        example = nomad_namespace(pattern, "default")
        text = f"none matches {pattern}, or the token has no right in any"
        return Namespaces((trouble(Problem.NOMAD_NAMESPACE, CHECKED, text, namespace=example),))
    found = [
        trouble(Problem.NOMAD_NAMESPACE, f"Nomad namespace {name}", "it does not exist", namespace=name)
        for name in missing
    ]
    if usable:
        found.insert(0, fine(CHECKED, ", ".join(usable)))
    return Namespaces(tuple(found), tuple(usable))


async def _capabilities(
    transport: Transport, namespace: str, rights: Rights, needed: Mapping[str, str]
) -> list[Finding]:
    checked = f"capabilities in {namespace}"
    if rights.everything:
        return [fine(checked, "all")]
    if rights.access is not None:
        lacking = rights.access.lacking(namespace, needed)
        verdicts: Verdicts = {capability: capability not in lacking for capability in needed}
    else:
        verdicts = {**dict.fromkeys(needed), **await probe(transport, namespace)}
    found = [lacks(name, namespace, needed[name]) for name, granted in verdicts.items() if granted is False]
    unknown = [name for name, granted in verdicts.items() if granted is None]
    if unknown:
        found.append(trouble(Problem.NOMAD_CAPABILITY_UNKNOWN, checked, f"not known: {', '.join(unknown)}"))
    return found or [fine(checked, ", ".join(verdicts))]
