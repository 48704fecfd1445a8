"""Configuration files of the Nomad agents: one server, and clients that pretend to be machines of their own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.bed.certificates import Pair
from tests.e2e.bed.processes import MARK

LOOPBACK = "127.0.0.1"
DRIVERS = ("docker", "exec", "raw_exec", "mock_driver")
#: The same on every machine, so that tests can count: five clients share one host and would each report all of it.
CLIENT_MHZ, CLIENT_MEMORY_MB = 16000, 16384

_AWAY = ("env_aws", "env_gce", "env_azure", "env_digitalocean", "consul")
#: For whom the servers sign the identities with which clients log in to Vault.
VAULT_AUDIENCE = "vault.io"


@dataclass(frozen=True)
class Ports:
    """The three listeners of an agent."""

    http: int
    rpc: int
    serf: int


@dataclass(frozen=True)
class Security:
    """mTLS with ACLs."""

    authority: Path
    server: Pair
    client: Pair


@dataclass(frozen=True)
class VaultAccess:
    """How a client reaches Vault: address, CA, and the path of the auth method that knows Nomad."""

    address: str
    authority: Path
    auth_path: str


@dataclass(frozen=True)
class ClientPlace:
    """Where a client lives: what a machine would bring along."""

    #: What it remembers. In the folder of a machine the sockets of CSI plugins below it would have too long a path.
    state: Path
    device: str
    bridge: str
    bridge_subnet: str
    dynamic_ports: tuple[int, int]
    #: Whether it measures its tasks, which costs a process table a second for each.
    measures: bool = False
    #: Whether its containers may be privileged, where vnode lets them.
    privileged: bool = False
    vault: VaultAccess | None = None


@dataclass(frozen=True)
class Shared:
    """What all clients of a bed have in common."""

    server_rpc: int
    cni: Path
    docker_endpoint: str
    pause_image: str
    rootfs: Path


def server(
    name: str, home: Path, ports: Ports, security: Security | None, *, joins: int | None = None
) -> dict[str, Any]:
    """The first server, or one that joins it by the port of its gossip, and leaves again when it is stopped."""
    role = (
        {"bootstrap_expect": 1}
        if joins is None
        else {"server_join": {"retry_join": [f"{LOOPBACK}:{joins}"], "retry_interval": "1s"}}
    )
    return {
        **_agent(name, home, ports, security, None if security is None else security.server),
        "leave_on_terminate": joins is not None,
        "server": {
            "enabled": True,
            **role,
            # Each Pod is a job of its own, and Nomad packs jobs on few clients unless told otherwise.
            "default_scheduler_config": {"scheduler_algorithm": "spread"},
        },
        # A server talks to no Vault: it lets jobs ask for one and signs what their clients log in with.
        "vault": {"enabled": True, "default_identity": {"aud": [VAULT_AUDIENCE], "ttl": "1h"}},
    }


def client(
    name: str, pool: str, home: Path, ports: Ports, security: Security | None, place: ClientPlace, shared: Shared
) -> dict[str, Any]:
    """One client."""
    first, last = place.dynamic_ports
    return {
        **_agent(name, home, ports, security, None if security is None else security.client),
        "telemetry": {"publish_allocation_metrics": place.measures},
        **({} if place.vault is None else {"vault": _vault(place.vault)}),
        "client": {
            "enabled": True,
            "state_dir": str(place.state),
            "node_pool": pool,
            "servers": [f"{LOOPBACK}:{shared.server_rpc}"],
            "network_interface": place.device,
            "bridge_network_name": place.bridge,
            "bridge_network_subnet": place.bridge_subnet,
            # With any host network declared, a bridge's port belongs to this client's address only, as on a machine of
            # its own. (bind_wildcard_default_host_network = false is lost when Nomad merges its defaults, 1.11.3.)
            "host_network": {"machine": {"interface": place.device}},
            "min_dynamic_port": first,
            "max_dynamic_port": last,
            "cni_path": str(shared.cni),
            "cni_config_dir": str(home / "cni"),
            "cpu_total_compute": CLIENT_MHZ,
            "memory_total_mb": CLIENT_MEMORY_MB,
            "max_kill_timeout": "10m",
            # Finished allocations stay readable: tests look at them, and a full disk is not what is tested.
            "gc_max_allocs": 100_000,
            "gc_disk_usage_threshold": 99.5,
            "gc_inode_usage_threshold": 99.5,
            # The default chroot links half of the host's file system, for 12 s and more a task.
            "chroot_env": {str(shared.rootfs / folder): f"/{folder}" for folder in ("bin", "etc", "usr")},
            "options": {
                "driver.allowlist": ",".join(DRIVERS),
                # These reach for metadata addresses or servers that are not there, and delay the start.
                "fingerprint.denylist": ",".join((*_AWAY, *(() if place.vault else ("vault",)))),
                # raw_exec and exec tasks inherit the agent's environment.
                "env.denylist": MARK,
            },
        },
        "plugin": {
            "raw_exec": {"config": {"enabled": True}},
            "docker": {
                "config": {
                    "endpoint": shared.docker_endpoint,
                    "infra_image": shared.pause_image,
                    "volumes": {"enabled": True},
                    "allow_privileged": place.privileged,
                    # Imported images cannot be pulled again; other clients' containers are not dangling.
                    "gc": {"image": False, "dangling_containers": {"enabled": False}},
                }
            },
        },
    }


def _vault(access: VaultAccess) -> dict[str, Any]:
    return {
        "enabled": True,
        "address": access.address,
        "ca_file": str(access.authority),
        "jwt_auth_backend_path": access.auth_path,
    }


def write(home: Path, configuration: dict[str, Any]) -> Path:
    """Write an agent's file."""
    file = home / "agent.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(configuration, indent=2))
    return file


def _agent(name: str, home: Path, ports: Ports, security: Security | None, pair: Pair | None) -> dict[str, Any]:
    listeners = {"http": ports.http, "rpc": ports.rpc, "serf": ports.serf}
    agent: dict[str, Any] = {
        "name": name,
        "data_dir": str(home / "data"),
        "bind_addr": LOOPBACK,
        "ports": listeners,
        # Outside -dev, an agent refuses to advertise loopback unless told to.
        "advertise": {kind: f"{LOOPBACK}:{port}" for kind, port in listeners.items()},
        "disable_update_check": True,
        "log_level": "INFO",
    }
    if security is not None and pair is not None:
        # Tests wait for the end of a token.
        agent["acl"] = {"enabled": True, "token_min_expiration_ttl": "5s"}
        agent["tls"] = {
            "http": True,
            "rpc": True,
            "ca_file": str(security.authority),
            "cert_file": str(pair.certificate),
            "key_file": str(pair.key),
            "verify_server_hostname": True,
            "verify_https_client": True,
        }
    return agent
