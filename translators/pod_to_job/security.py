"""What docker enforces of a Pod's and a container's security contexts; other drivers have none of it.

A container's own setting wins over its Pod's. Source: kubernetes pkg/securitycontext/util.go
DetermineEffectiveSecurityContext and pkg/kubelet/kuberuntime/security_context.go.
"""

from dataclasses import dataclass
from typing import Any

from translators.annotations import Setting
from translators.errors import Finding, Refused
from translators.pod_to_job.sysctls import sysctls
from translators.records.pods import Capabilities, Container, Pod

_ROOT = 0
_RUNTIME_DEFAULT = "RuntimeDefault"
_NO_NEW_PRIVILEGES = "no-new-privileges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """As whom a container runs, None for whom its image says, and docker's settings."""

    user: str | None = None
    config: dict[str, Any]


def security(container: Container, pod: Pod, annotated: Setting | None, network: str) -> Security:
    """The security of a container of docker; `annotated` is the annotation that may name its user.

    `network` is which one the Pod's containers share.

    Raises:
        Refused: for what docker does not enforce here, and for a user that cannot be known not to be root.
    """
    path = f"spec.containers[{container.name}].securityContext"
    _check_profiles(container, pod)
    named = annotated.text if annotated is not None and annotated.text else None
    user = _user(container, pod, named, path)
    _check_root(container, pod, named or user, path)
    own = container.security_context
    config: dict[str, Any] = {}
    if own.read_only_root_filesystem:
        config["readonly_rootfs"] = True
    if own.allow_privilege_escalation is False:
        config["security_opt"] = [_NO_NEW_PRIVILEGES]
    if own.privileged:
        config["privileged"] = True
    if pod.spec.security_context.sysctls:
        config["sysctl"] = [sysctls(pod.spec.security_context.sysctls, network)]
    config |= _capabilities(own.capabilities)
    if pod.spec.security_context.supplemental_groups:
        config["group_add"] = [str(group) for group in pod.spec.security_context.supplemental_groups]
    return Security(user=user, config=config)


def _user(container: Container, pod: Pod, named: str | None, path: str) -> str | None:
    own, shared = container.security_context, pod.spec.security_context
    user = shared.run_as_user if own.run_as_user is None else own.run_as_user
    group = shared.run_as_group if own.run_as_group is None else own.run_as_group
    if user is None and group is None:
        return None
    if named is not None:
        raise _refused(f"{path}.runAsUser", f"contradicts the annotation that names the user {named!r}; remove one")
    if user is None:
        raise _refused(f"{path}.runAsGroup", "docker sets a group only beside a user; set runAsUser too")
    return str(user) if group is None else f"{user}:{group}"


def _check_root(container: Container, pod: Pod, user: str | None, path: str) -> None:
    own, shared = container.security_context.run_as_non_root, pod.spec.security_context.run_as_non_root
    if not (shared if own is None else own):
        return
    number = (user or "").partition(":")[0]
    if not number.isascii() or not number.isdigit():
        message = "whether the image's user is root is not known here; set runAsUser to a number other than 0"
        raise _refused(f"{path}.runAsNonRoot", message)
    if int(number) == _ROOT:
        raise _refused(f"{path}.runAsUser", "is root, which runAsNonRoot forbids")


def _check_profiles(container: Container, pod: Pod) -> None:
    """Docker's own profiles are always on; of another one a client would need the file."""
    for where, context in (
        (f"spec.containers[{container.name}].securityContext", container.security_context),
        ("spec.securityContext", pod.spec.security_context),
    ):
        for name, profile in (
            ("seccompProfile", context.seccomp_profile),
            ("appArmorProfile", context.app_armor_profile),
        ):
            if profile is not None and profile.type != _RUNTIME_DEFAULT:
                raise _refused(f"{where}.{name}", f"type {profile.type} is not supported; use {_RUNTIME_DEFAULT}")


def _capabilities(wanted: Capabilities) -> dict[str, list[str]]:
    """Docker's settings; in both worlds what is added wins over what is dropped."""
    found = {"cap_add": wanted.add, "cap_drop": wanted.drop}
    return {name: [_short(each) for each in names] for name, names in found.items() if names}


def _short(capability: str) -> str:
    return capability.upper().removeprefix("CAP_")


def _refused(path: str, message: str) -> Refused:
    return Refused(Finding("PodFeatureUnsupported", path, message))
