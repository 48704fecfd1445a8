"""Parameters of the kernel that a Pod may set: those that a kubelet holds for safe, where the Pod alone has them.

Source: kubernetes pkg/kubelet/sysctl/safe_sysctls.go and allowlist.go.
"""

from collections.abc import Iterable

from translators.errors import Finding, Refused
from translators.records.pods import Sysctl

#: Those of an IPC name space and of a network name space of the container's own.
_OF_IPC = frozenset({"kernel.shm_rmid_forced"})
_OF_NETWORK = frozenset(
    {
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    }
)

_FIELD = "spec.securityContext.sysctls"

#: The network of a container that shares it with none.
_OWN = "own"


def sysctls(wanted: Iterable[Sysctl], network: str) -> dict[str, str]:
    """By name, as docker is told; `network` is which one the Pod's containers share.

    Raises:
        Refused: for one that a kubelet does not hold for safe, and one of a network that is not the container's own.
    """
    return {_name(each, network): each.value for each in wanted}


def _name(wanted: Sysctl, network: str) -> str:
    name = wanted.name.replace("/", ".")
    if name in _OF_IPC:
        return name
    if name not in _OF_NETWORK:
        raise Refused(Finding("SysctlForbidden", _FIELD, f'forbidden sysctl: "{name}" not allowlisted'))
    if network != _OWN:
        message = f"{name} belongs to a network that containers share here; it can be set by a Pod of one container "
        raise Refused(Finding("PodFeatureUnsupported", _FIELD, f"{message}without ports and hostNetwork"))
    return name
