"""Pods that Vault's agent injector has changed before we see them: its webhook runs when a Pod is admitted.

Nomad's clients do what the agent would do (`translators.vault`), so what was put into the Pod for the agent is taken
out again, and its containers never run. Names are the injector's (hashicorp/vault-k8s agent-inject/agent).
"""

from collections.abc import Mapping
from typing import Any

_STATUS = "vault.hashicorp.com/agent-inject-status"
_INJECTED = "injected"
_CONTAINERS = frozenset({"vault-agent", "vault-agent-init"})
_VOLUMES = frozenset(
    {
        "home-init",
        "home-sidecar",
        "vault-config",
        "vault-secrets",
        "vault-tls-secrets",
        "extra-secrets",
        "vault-agent-cache",
    }
)
_CUSTOM_VOLUMES = "vault-secrets-custom-"


def without_agent(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Pod as the API serves it, without what the injector added; any other Pod as it is."""
    metadata, spec = raw.get("metadata"), raw.get("spec")
    if not isinstance(metadata, Mapping) or not isinstance(spec, Mapping):
        return raw
    if (metadata.get("annotations") or {}).get(_STATUS) != _INJECTED:
        return raw
    kept = dict(spec)
    for kind in ("containers", "initContainers"):
        if kind in spec:
            kept[kind] = [_without_mounts(one) for one in spec[kind] or () if one.get("name") not in _CONTAINERS]
    if "volumes" in spec:
        kept["volumes"] = [one for one in spec["volumes"] or () if not _is_agents(one.get("name", ""))]
    return {**raw, "spec": kept}


def _without_mounts(container: Mapping[str, Any]) -> Mapping[str, Any]:
    mounts = container.get("volumeMounts") or ()
    return {**container, "volumeMounts": [one for one in mounts if not _is_agents(one.get("name", ""))]}


def _is_agents(volume: str) -> bool:
    return volume in _VOLUMES or volume.startswith(_CUSTOM_VOLUMES)
