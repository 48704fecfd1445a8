"""The resolver of a Pod's containers: what `dnsPolicy` None and `dnsConfig` say, for docker.

Containers with a network of their own get it from docker, those that share one from Nomad's group network: docker takes
no such settings for a container that joins another's network. Source: kubernetes pkg/kubelet/network/dns/dns.go.
"""

from collections.abc import Mapping
from ipaddress import ip_address

from translators.errors import Finding, Refused
from translators.policy import DOCKER
from translators.records.jobs import Dns
from translators.records.pods import Pod

_NONE = "None"


def resolver(pod: Pod, drivers: Mapping[str, str]) -> Dns | None:
    """What the containers' resolver is told; None where it is their host's.

    Raises:
        Refused: for what would be added to the settings of the host, which are not known here, and for other drivers.
    """
    config, policy = pod.spec.dns_config, pod.spec.dns_policy
    if policy == _NONE and (config is None or not config.nameservers):
        raise _refused("spec.dnsConfig.nameservers", "dnsPolicy None needs a name server")
    if config is None or not (config.nameservers or config.searches or config.options):
        return None
    if any(driver != DOCKER for driver in drivers.values()):
        raise _refused("spec.dnsConfig", "the resolver is that of the host; docker honours it")
    if policy != _NONE:
        for name, found in (("nameservers", config.nameservers), ("searches", config.searches)):
            if found:
                message = "cannot be added to those of the host; name all of them, with dnsPolicy None"
                raise _refused(f"spec.dnsConfig.{name}", message)
    for server in config.nameservers:
        _check(server)
    return Dns(
        servers=config.nameservers,
        searches=config.searches,
        options=tuple(each.name if each.value is None else f"{each.name}:{each.value}" for each in config.options),
    )


def of_docker(dns: Dns | None) -> dict[str, tuple[str, ...]]:
    """The settings of docker's driver for a container that shares its network with none."""
    if dns is None:
        return {}
    return {"dns_servers": dns.servers, "dns_search_domains": dns.searches, "dns_options": dns.options}


def _check(server: str) -> None:
    try:
        ip_address(server)
    except ValueError:
        raise _refused("spec.dnsConfig.nameservers", f"{server!r} is no address") from None


def _refused(field: str, message: str) -> Refused:
    return Refused(Finding("PodFeatureUnsupported", field, message))
