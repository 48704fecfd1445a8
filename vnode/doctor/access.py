"""What a Nomad token may do: its policies, as Nomad itself would judge them.

Source: nomad/acl acl.go and policy.go (1.11). Policies come with their rules parsed (`RulesJSON`), where `policy =
"write"` has been written out as capabilities already.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from translators.pod_to_job import permit

#: What a run needs in every Nomad namespace that it uses, and what does not work without.
CAPABILITIES: Mapping[str, str] = {
    "list-jobs": "following jobs",
    "read-job": "reading jobs and allocations",
    "submit-job": "starting and stopping Pods",
    "alloc-lifecycle": "ending containers early",
    "alloc-exec": "kubectl exec and cp",
    "read-fs": "kubectl logs",
    # Nomad lets those list who may read (expandVariablesCapabilities).
    "variables:read": "knowing what may start, delivering ConfigMaps and Secrets, and tokens after a restart",
    "variables:write": "starting Pods of restartPolicy Never",
    "variables:destroy": "keeping them from starting again",
}
#: What serving claims needs beside that.
OF_VOLUMES: Mapping[str, str] = {
    "host-volume-read": "finding the volumes of claims",
    "host-volume-create": "making volumes for claims",
    "host-volume-delete": "removing them after their claims",
}
#: The paths of our variables, see `translators.pod_to_job.permit`.
VARIABLES = f"{permit.PREFIX}*"

_OF_VARIABLES = "variables:"

#: For clients: the capacity of the Node.
NODE_READ = "node:read"

_DENY = "deny"
#: Finer capabilities that together are as good (Nomad 1.11.2).
_EQUIVALENT: Mapping[str, frozenset[str]] = {
    "submit-job": frozenset({"register-job", "deregister-job", "purge-job"}),
}
_READS = frozenset({"read", "write"})


@dataclass(frozen=True, slots=True)
class Access:
    """The union of a token's policies: capabilities by namespace or glob, and who may read clients and agents."""

    namespaces: Mapping[str, frozenset[str]] = field(default_factory=dict)
    node_read: bool = False
    agent_read: bool = False

    def lacking(self, namespace: str, needed: Iterable[str] = CAPABILITIES) -> tuple[str, ...]:
        """The capabilities, of those that are needed, that are missing in a namespace."""
        held = self._held(namespace)
        return tuple(wanted for wanted in needed if _DENY in held or not _covered(wanted, held))

    def _held(self, namespace: str) -> frozenset[str]:
        if namespace in self.namespaces:
            return self.namespaces[namespace]
        globs = [glob for glob in self.namespaces if fnmatchcase(namespace, glob)]
        # The closest glob alone counts: the one whose stars stand for the fewest characters.
        closest = min(globs, key=lambda glob: len(namespace) - len(glob) + glob.count("*"), default=None)
        return self.namespaces[closest] if closest is not None else frozenset()


def access(rules: Iterable[Mapping[str, Any]]) -> Access:
    """Put the parsed rules (`RulesJSON`) of all policies of a token together."""
    namespaces: dict[str, frozenset[str]] = {}
    nodes: list[str] = []
    agents: list[str] = []
    for each in rules:
        for stated in each.get("Namespaces") or ():
            capabilities = frozenset(stated.get("Capabilities") or ()) | _on_variables(stated.get("Variables") or {})
            namespaces[stated["Name"]] = namespaces.get(stated["Name"], frozenset()) | capabilities
        nodes.append((each.get("Node") or {}).get("Policy", ""))
        agents.append((each.get("Agent") or {}).get("Policy", ""))
    return Access(namespaces, _reads(nodes), _reads(agents))


def rule(capability: str, namespace: str) -> str:
    """The rule of a policy that grants it."""
    if capability == NODE_READ:
        return 'node { policy = "read" }'
    if capability.startswith(_OF_VARIABLES):
        held = f'path "{VARIABLES}" {{ capabilities = ["{capability.removeprefix(_OF_VARIABLES)}"] }}'
        return f'namespace "{namespace}" {{ variables {{ {held} }} }}'
    return f'namespace "{namespace}" {{ capabilities = ["{capability}"] }}'


def _on_variables(stated: Mapping[str, Any]) -> frozenset[str]:
    """What the closest of the paths that cover ours grants."""
    paths = [each for each in stated.get("Paths") or () if fnmatchcase(VARIABLES, each.get("PathSpec", ""))]
    closest: Mapping[str, Any] = max(paths, key=lambda each: len(each["PathSpec"]), default={})
    return frozenset(_OF_VARIABLES + name for name in closest.get("Capabilities") or ())


def _covered(wanted: str, held: frozenset[str]) -> bool:
    equivalent = _EQUIVALENT.get(wanted)
    return wanted in held or (equivalent is not None and equivalent <= held)


def _reads(policies: Sequence[str]) -> bool:
    return _DENY not in policies and any(policy in _READS for policy in policies)
