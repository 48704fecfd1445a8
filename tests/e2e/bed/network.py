"""Addresses that are not loopback, for a loopback podIP is refused by EndpointSlices and by the API server's proxy.

One veth pair each for the host and for every Nomad client (Nomad takes an interface, not an address, and minimal
kernels have no dummy devices). Both ends stay on this host: the address is local and answers from everywhere on it.
CNI's and Nomad's own chains (CNI-FORWARD, NOMAD-ADMIN, CNI-HOSTPORT-*) belong to all Nomads of a host and stay, empty.
"""

import json
import shlex

from tests.e2e.bed.processes import run
from tests.e2e.bed.slot import Slot


def add_host(slot: Slot) -> None:
    """Create the host's address."""
    _add_pair(slot.device("h"), slot.host_address)


def add_client(slot: Slot, client: int) -> str:
    """Create a client's address and return the name of its device."""
    device = slot.device(f"c{client}")
    _add_pair(device, slot.client_address(client))
    return device


def remove_client(slot: Slot, client: int) -> None:
    """Remove the devices of one client."""
    for device in (slot.device(f"c{client}"), slot.device(f"b{client}")):
        if device in _devices():
            run("ip", "link", "delete", device)


def add_docker_bridge(slot: Slot) -> str:
    """Create docker's bridge (dockerd uses a bridge of another name than docker0 only if it exists)."""
    device = slot.device("d")
    run("ip", "link", "add", device, "type", "bridge")
    run("ip", "address", "add", slot.docker_subnet, "dev", device)
    run("ip", "link", "set", device, "up")
    return device


def client_bridge(slot: Slot, client: int) -> str:
    """The name of the bridge that Nomad makes for a client's `network { mode = "bridge" }`."""
    return slot.device(f"b{client}")


def real_node_bridge(slot: Slot) -> str:
    """The name of the bridge of a Node with a kubelet, which its CNI plugin makes."""
    return slot.device("r")


def remove_real_node(slot: Slot) -> None:
    """Remove the bridge of a Node with a kubelet."""
    if (bridge := real_node_bridge(slot)) in _devices():
        run("ip", "link", "delete", bridge)


def remove_all(slot: Slot) -> None:
    """Remove every device and every iptables rule of this slot."""
    ours = slot.device("")
    for device in _devices():
        # The far end of a veth pair goes with the near one.
        if device.startswith(ours) and device in _devices():
            run("ip", "link", "delete", device)
    for table in ("nat", "filter"):
        _remove_rules(table, slot)


def _add_pair(device: str, address: str) -> None:
    run("ip", "link", "add", device, "type", "veth", "peer", "name", f"{device}p")
    run("ip", "address", "add", f"{address}/32", "dev", device)
    for end in (device, f"{device}p"):
        # One address per device: no link-local one beside it.
        run("ip", "link", "set", end, "addrgenmode", "none", "up")


def _devices() -> list[str]:
    return [str(link["ifname"]) for link in json.loads(run("ip", "-json", "link"))]


def _remove_rules(table: str, slot: Slot) -> None:
    """Delete what CNI left behind when its agent was killed: rules with our addresses, then chains nobody jumps to."""
    prefix = str(slot.network).removesuffix("0.0/16")
    rules = run("iptables", "-w", "-t", table, "-S").splitlines()
    chains = {rule.split()[1] for rule in rules if rule.startswith("-A CNI-") and prefix in rule} - {"CNI-FORWARD"}
    for rule in rules:
        words = rule.split()
        target = words[words.index("-j") + 1] if "-j" in words else ""
        if words[0] == "-A" and (prefix in rule or target in chains) and words[1] not in chains:
            run("iptables", "-w", "-t", table, "-D", *shlex.split(rule)[1:])
    for chain in sorted(chains):
        run("iptables", "-w", "-t", table, "-F", chain)
        run("iptables", "-w", "-t", table, "-X", chain)
