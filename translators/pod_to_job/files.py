"""What a Pod mounts, and what its tasks find of it.

The one volume that is let through is the ServiceAccount token that admission puts into nearly every Pod.
"""

from collections.abc import Mapping

from translators.errors import Finding
from translators.policy import DOCKER, EXEC
from translators.records.pods import Pod

#: The volumes that the admission plugin ServiceAccount makes are named like this.
INJECTED = "kube-api-access-"

_AWAITS_TOKEN = frozenset({DOCKER, EXEC})


def warnings(pod: Pod, drivers: Mapping[str, str]) -> tuple[Finding, ...]:
    """Say once that a ServiceAccount token is missing where a task has a file system of its own to find it in."""
    for container in pod.spec.containers:
        if drivers[container.name] in _AWAITS_TOKEN:
            for mount in container.volume_mounts:
                if mount.name.startswith(INJECTED):
                    message = (
                        f"the ServiceAccount token is not delivered yet to {mount.mount_path}; set "
                        "automountServiceAccountToken: false if the program does not need it"
                    )
                    path = f"spec.containers[{container.name}].volumeMounts[{mount.name}]"
                    return (Finding("ServiceAccountTokenNotDelivered", path, message),)
    return ()
