"""Which Nomad namespace the Pods of a Kubernetes namespace run in."""

import re

PLACEHOLDER = "{namespace}"

#: nomad/structs `validNamespaceName`.
_VALID = re.compile(r"[a-zA-Z0-9-]{1,128}")


def nomad_namespace(pattern: str, kubernetes_namespace: str) -> str:
    """The namespace that a pattern such as `k8s-{namespace}` makes of a Kubernetes namespace.

    Without the placeholder the pattern is itself the namespace, one for all.

    Raises:
        ValueError: when the result is no name that Nomad accepts.
    """
    name = pattern.replace(PLACEHOLDER, kubernetes_namespace)
    if _VALID.fullmatch(name) is None:
        raise ValueError(
            f"the namespace map {pattern!r} makes {name!r} of {kubernetes_namespace!r}; "
            "Nomad allows letters, digits and '-', at most 128 of them"
        )
    return name
