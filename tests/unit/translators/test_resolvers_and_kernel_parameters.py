from typing import Any

import pytest

from tests.unit.translators.pods import binary, container, group, pod, task, translation
from translators.errors import Refused
from translators.policy import DriverPolicy, Policy
from translators.records.jobs import Dns

CONFIG = {
    "nameservers": ["10.0.0.53"],
    "searches": ["corp.example"],
    "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
}
PORTS = [{"containerPort": 80}]


def test_a_container_with_a_network_of_its_own_is_told_by_docker() -> None:
    made = task(pod(dnsPolicy="None", dnsConfig=CONFIG))
    assert made.config["dns_servers"] == ["10.0.0.53"]
    assert made.config["dns_search_domains"] == ["corp.example"]
    assert made.config["dns_options"] == ["ndots:2", "edns0"]


def test_containers_that_share_a_network_are_told_by_nomad() -> None:
    made = group(pod(container(ports=PORTS), dnsPolicy="None", dnsConfig=CONFIG))
    [network] = made.networks
    assert network.dns == Dns(servers=("10.0.0.53",), searches=("corp.example",), options=("ndots:2", "edns0"))
    assert not any(name.startswith("dns") for name in made.tasks[0].config)


def test_options_are_enough_with_the_servers_of_the_host() -> None:
    made = task(pod(dnsConfig={"options": [{"name": "ndots", "value": "2"}]}))
    assert made.config["dns_options"] == ["ndots:2"]
    assert "dns_servers" not in made.config


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"dnsPolicy": "None"}, "spec.dnsConfig.nameservers"),
        ({"dnsPolicy": "None", "dnsConfig": {"searches": ["x"]}}, "spec.dnsConfig.nameservers"),
        ({"dnsConfig": {"searches": ["x"]}}, "spec.dnsConfig.searches"),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["a host"]}}, "spec.dnsConfig.nameservers"),
    ],
)
def test_what_would_be_added_to_an_unknown_resolver_is_refused(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(**spec))
    assert refused.value.finding.field == field


def test_a_program_on_its_host_has_the_resolver_of_that() -> None:
    with pytest.raises(Refused, match="docker honours it"):
        translation(pod(binary(), annotations={"driver": "exec"}, dnsConfig={"options": [{"name": "ndots"}]}))


def sysctls(**values: str) -> dict[str, Any]:
    named = {name.replace("__", "."): value for name, value in values.items()}
    return {"sysctls": [{"name": name, "value": value} for name, value in named.items()]}


def test_safe_parameters_of_the_kernel_are_set() -> None:
    subject = pod(securityContext=sysctls(net__ipv4__tcp_syncookies="1", kernel__shm_rmid_forced="0"))
    assert task(subject).config["sysctl"] == [{"net.ipv4.tcp_syncookies": "1", "kernel.shm_rmid_forced": "0"}]


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("kernel__msgmax", {}, "SysctlForbidden"),
        ("net__core__somaxconn", {}, "SysctlForbidden"),
        ("net__ipv4__tcp_syncookies", {"ports": PORTS}, "PodFeatureUnsupported"),
    ],
)
def test_others_are_refused(name: str, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(container(**fields), securityContext=sysctls(**{name: "1"})))
    assert refused.value.finding.reason == reason


@pytest.mark.parametrize(("namespaces", "allowed"), [((), False), (("team-*",), True), (("other",), False)])
def test_privileges_are_for_namespaces_that_have_them(namespaces: tuple[str, ...], *, allowed: bool) -> None:
    subject = pod(container(securityContext={"privileged": True}))
    rules = Policy(drivers={"docker": DriverPolicy(privileged=namespaces)})
    if allowed:
        assert translation(subject, policy=rules).job.task_groups[0].tasks[0].config["privileged"] is True
    else:
        with pytest.raises(Refused, match=r"policy\.drivers\.docker\.privileged"):
            translation(subject, policy=rules)


def test_privileges_are_not_to_be_had_by_other_drivers() -> None:
    subject = pod(binary(securityContext={"privileged": True}), annotations={"driver": "exec"})
    with pytest.raises(Refused) as refused:
        translation(subject)
    assert refused.value.finding.field == "spec.containers[web].securityContext.privileged"
