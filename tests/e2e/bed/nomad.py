"""A Nomad cluster of separate processes: one server, clients in two node pools, optionally with ACLs and mTLS."""

import contextlib
import json
import shutil
import ssl
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.bed import network, nomad_configuration, rootfs, sweep
from tests.e2e.bed.binaries import binary, cni_directory
from tests.e2e.bed.certificates import Authority, Pair
from tests.e2e.bed.docker import Docker
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.nomad_configuration import DRIVERS, LOOPBACK, ClientPlace, Ports, Security, Shared, VaultAccess
from tests.e2e.bed.processes import Child, Children, wait_until
from tests.e2e.bed.slot import MAX_CLIENTS, Slot

POOLS: Mapping[str, int] = {"default": 3, "edge": 2}
#: Where containers may be privileged, if vnode lets them too.
_PRIVILEGED_POOL = "edge"
NAMESPACE = "k8s-team-b"
_DEPLOY = Path(__file__).parents[3] / "deploy"
POLICY = _DEPLOY / "base" / "vnode" / "nomad-policy.hcl"
VOLUMES_POLICY = _DEPLOY / "components" / "persistent-volumes" / "nomad-policy.hcl"
_START_SECONDS = 60


class Client:
    """One Nomad client agent, as a machine that can be drained, crash, come back or vanish."""

    def __init__(self, cluster: "Nomad", name: str, pool: str, index: int) -> None:
        """Made by `Nomad.add_client`."""
        self.name = name
        self.pool = pool
        self.index = index
        self.home = cluster.home / name
        self.state = cluster.home.parent / "state" / str(index)
        self.address = cluster.slot.client_address(index)
        self.child = cluster.agent(name, self.home)
        self._cluster = cluster

    @property
    def attributes(self) -> dict[str, str]:
        """What it has found out about its machine."""
        return dict(self._cluster.api(f"/v1/node/{self.node['ID']}")["Attributes"])

    @property
    def node(self) -> dict[str, Any]:
        """The node as Nomad's servers see it; a BedError if they do not know it."""
        for node in self._cluster.api("/v1/nodes?resources=true"):
            if node["Name"] == self.name:
                return dict(node)
        raise BedError(f"Nomad knows no client {self.name}")

    def start(self) -> None:
        """Start the agent, also again: it finds its tasks."""
        self.child.start()

    def wait_ready(self, within: float = _START_SECONDS) -> None:
        """Wait until the client is ready and all its drivers are healthy."""
        wait_until(f"Nomad client {self.name}", self._ready, within=within, of=[self.child])

    def stop(self) -> None:
        """End the agent in order; its tasks run on."""
        self.child.stop()

    def kill(self) -> None:
        """End the agent as a crash would; its tasks run on."""
        self.child.kill()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Lost, as a machine whose power or network is gone; back at the end of the block, with what ran there."""
        self.kill()
        try:
            yield
        finally:
            self.start()
            self.wait_ready()

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Nothing new is placed here until the block ends; what runs stays."""
        self._let_in(new=False)
        try:
            yield
        finally:
            self._let_in(new=True)

    def drain(self, deadline: float = 3600, *, ignore_system_jobs: bool = False) -> None:
        """Drain the client: seconds until what still runs is stopped, negative to stop it at once."""
        self._drain({"Deadline": int(deadline * 1e9), "IgnoreSystemJobs": ignore_system_jobs})

    def undrain(self) -> None:
        """End the drain and make the client eligible."""
        self._drain(None)

    def remove(self) -> None:
        """Take the machine away, tasks and all, and make Nomad forget it."""
        node = self.node["ID"]
        self.kill()
        self._cluster.docker.remove_containers(sweep.workloads(self.home))
        sweep.end(self.home)
        network.remove_client(self._cluster.slot, self.index)
        self._cluster.api(f"/v1/node/{node}/purge", "POST")
        del self._cluster.clients[self.name]

    def _let_in(self, *, new: bool) -> None:
        eligibility = "eligible" if new else "ineligible"
        self._cluster.api(f"/v1/node/{self.node['ID']}/eligibility", "POST", {"Eligibility": eligibility})

    def _ready(self) -> bool:
        node = self.node
        drivers = node["Drivers"]
        return node["Status"] == "ready" and all(drivers.get(name, {}).get("Healthy") for name in DRIVERS)

    def _drain(self, specification: dict[str, Any] | None) -> None:
        body = {"DrainSpec": specification, "MarkEligible": specification is None}
        self._cluster.api(f"/v1/node/{self.node['ID']}/drain", "POST", body)


@dataclass(frozen=True)
class Server:
    """One server among several: where its API is, where its peers find it, and its process."""

    address: str
    rpc: str
    child: Child


class Nomad:
    """The cluster. Its clients stand in `clients` by name, e.g. ``default-0`` and ``edge-1``."""

    def __init__(
        self,
        directory: Path,
        slot: Slot,
        children: Children,
        docker: Docker,
        rootfs_directory: Path,
        *,
        secured: bool,
    ) -> None:
        """Write the server's configuration; nothing runs yet."""
        self.slot = slot
        self.docker = docker
        self.home = directory / "nomad"
        self.clients: dict[str, Client] = {}
        #: The management token, for the bed itself.
        self.management_token = str(uuid.uuid4()) if secured else None
        #: The token that has exactly the policies we ship.
        self.vnode_token: str | None = None
        self.cli: Pair | None = None
        self.security: Security | None = None
        self._children = children
        self._added: Counter[str] = Counter()
        if secured:
            self._issue_certificates(directory / "pki" / "nomad")
        ports = self._ports()
        self._gossip = ports.serf
        self._rpc = f"{LOOPBACK}:{ports.rpc}"
        self.address = f"{'https' if secured else 'http'}://{LOOPBACK}:{ports.http}"
        self._shared = Shared(ports.rpc, cni_directory(), docker.endpoint, rootfs.pause_image(), rootfs_directory)
        home = self.home / "server"
        nomad_configuration.write(home, nomad_configuration.server("server", home, ports, self.security))
        self.server = self.agent("server", home)
        self._http = self.http(token=self.management_token)

    def start_server(self) -> None:
        """Start the server, for the first time or again; `wait_leader` waits for it."""
        self.server.start()

    def snapshot(self) -> bytes:
        """All that the servers hold."""
        return self._http.get("/v1/operator/snapshot").raise_for_status().content

    def restore(self, snapshot: bytes) -> None:
        """Put everything back to a snapshot, as after a disaster: the indexes of what it holds are of the past."""
        self._http.put("/v1/operator/snapshot", content=snapshot).raise_for_status()
        self.wait_leader()

    def lose_data(self) -> None:
        """Kill the server, take its data away, start it, and do what its administrator did at first.

        Tokens are new, but for the management token; clients that run on are refused with what the lost keyring signed.
        """
        self.server.kill()
        shutil.rmtree(self.home / "server" / "data")
        self.start_server()
        self.wait_leader()
        self.set_up()

    def wait_leader(self) -> None:
        """Wait until the server leads itself."""
        leader = "/v1/status/leader"
        wait_until("Nomad's leader", lambda: self.api(leader), within=_START_SECONDS, of=[self.server])

    def wait_paths(self) -> None:
        """Wait until the server can reach all ready clients: those that it lost with a restart take up to 16 s."""
        wait_until("a path to each client", self._reaches_clients, within=_START_SECONDS, of=[self.server])

    def set_up(self) -> None:
        """Create tokens, the second pool and the second namespace."""
        if self.management_token:
            # The leader answers before it has set ACLs up.
            wait_until("Nomad's ACLs", self._bootstrap, within=_START_SECONDS, of=[self.server])
            # As docs/security.md says for raw_exec, which the tests' namespaces may use.
            rules = POLICY.read_text().replace('"alloc-exec"', '"alloc-exec", "alloc-node-exec"')
            policy = {"Name": "vnode", "Rules": rules}
            self.api("/v1/acl/policy/vnode", "POST", policy)
            volumes = {"Name": "vnode-volumes", "Rules": VOLUMES_POLICY.read_text()}
            self.api("/v1/acl/policy/vnode-volumes", "POST", volumes)
            policies = ["vnode", "vnode-volumes"]
            token = self.api("/v1/acl/token", "POST", {"Name": "vnode", "Type": "client", "Policies": policies})
            self.vnode_token = str(token["SecretID"])
        self.api("/v1/node/pools", "POST", {"Name": "edge", "Description": "small machines far away"})
        self.api(f"/v1/namespace/{NAMESPACE}", "POST", {"Name": NAMESPACE})

    @contextlib.contextmanager
    def with_three_servers(self) -> Iterator[list[Server]]:
        """Two more servers join the first one, and leave again at the end; while they are here, any one may die."""
        first = Server(self.address, self._rpc, self.server)
        servers = [first, self._add_server("server-2"), self._add_server("server-3")]
        try:
            self.wait_healthy(servers)
            yield servers
            self.wait_healthy(servers)
        finally:
            for added in servers[1:]:
                added.child.stop()
            self.wait_leader()
            self.wait_paths()

    @contextlib.contextmanager
    def beside_an_open_one(self) -> Iterator[str]:
        """The address of another cluster, until the block ends: one server with neither TLS nor ACLs."""
        ports, home = self._ports(), self.home / "open"
        nomad_configuration.write(home, nomad_configuration.server("open", home, ports, None))
        address, child = f"http://{LOOPBACK}:{ports.http}", self.agent("open", home)
        child.start()
        try:
            with self.http(token=None, address=address) as http:
                leader = partial(http.get, "/v1/status/leader")
                wait_until("the open Nomad", lambda: leader().is_success, within=_START_SECONDS, of=[child])
            yield address
        finally:
            child.stop()

    @contextlib.contextmanager
    def answering(self, connections: int) -> Iterator[None]:
        """Let the server answer so many connections of one address, until the block ends; it is restarted for that."""
        self._limit({"http_max_conns_per_client": connections})
        try:
            yield
        finally:
            self._limit({})

    def wait_healthy(self, servers: Sequence[Server]) -> None:
        """Wait until all of them are up and vote; one that has just joined does not for 10 s."""
        children = [server.child for server in servers]
        wait_until("Nomad's servers", lambda: self._are_healthy(servers), within=_START_SECONDS, of=children)

    def leader(self, asked: Server) -> str:
        """The address, for peers, of the server that leads, by the word of one of them."""
        with self.http(token=self.management_token, address=asked.address) as http:
            return str(http.get("/v1/status/leader").json())

    def add_client(self, pool: str, *, measures: bool = False, vault: VaultAccess | None = None) -> Client:
        """Configure and start one more client; `Client.wait_ready` waits for it. With `measures` it knows usage."""
        index = self._added.total()
        if index >= MAX_CLIENTS:
            raise BedError(f"a bed has addresses and ports for {MAX_CLIENTS} clients in its life")
        name = f"{pool}-{self._added[pool]}"
        self._added[pool] += 1
        client = Client(self, name, pool, index)
        place = ClientPlace(
            client.state,
            network.add_client(self.slot, index),
            network.client_bridge(self.slot, index),
            self.slot.client_subnet(index),
            self.slot.dynamic_ports(index),
            measures=measures,
            privileged=pool == _PRIVILEGED_POOL,
            vault=vault,
        )
        configuration = nomad_configuration.client(
            name, pool, client.home, self._ports(), self.security, place, self._shared
        )
        nomad_configuration.write(client.home, configuration)
        self.clients[name] = client
        client.start()
        return client

    @contextlib.contextmanager
    def joined(self, pool: str, *, measures: bool = False) -> Iterator[Client]:
        """One more client until the block ends, or until it is removed in it."""
        client = self.add_client(pool, measures=measures)
        try:
            client.wait_ready()
            yield client
        finally:
            if client.name in self.clients:
                client.remove()

    def _limit(self, limits: dict[str, int]) -> None:
        file = self.home / "server" / "agent.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "limits": limits}))
        self.server.stop()
        self.start_server()
        self.wait_leader()
        self.wait_paths()

    def _reaches_clients(self) -> bool:
        ready = (node["ID"] for node in self.api("/v1/nodes") if node["Status"] == "ready")
        try:
            return all(self.api(f"/v1/client/stats?node_id={node}") for node in ready)
        except BedError:
            return False

    def _add_server(self, name: str) -> Server:
        ports, home = self._ports(), self.home / name
        configuration = nomad_configuration.server(name, home, ports, self.security, joins=self._gossip)
        nomad_configuration.write(home, configuration)
        child = self.agent(name, home)
        child.start()
        scheme = self.address.partition(":")[0]
        return Server(f"{scheme}://{LOOPBACK}:{ports.http}", f"{LOOPBACK}:{ports.rpc}", child)

    def _are_healthy(self, servers: Sequence[Server]) -> bool:
        known = self.api("/v1/operator/autopilot/health")["Servers"]
        return len([each for each in known if each["Healthy"] and each["Voter"]]) == len(servers)

    def close(self) -> None:
        """Close our own connections."""
        self._http.close()

    def api(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Send one request with the management token; an error status becomes a BedError with Nomad's words."""
        answer = self._http.request(method, path, json=body)
        if answer.is_error:
            raise BedError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def http(self, *, token: str | None, with_certificate: bool = True, address: str = "") -> httpx2.Client:
        """A client of the HTTP API with the rights you choose; close it."""
        context: ssl.SSLContext | bool = True
        if self.security and self.cli:
            context = ssl.create_default_context(cafile=str(self.security.authority))
            if with_certificate:
                context.load_cert_chain(self.cli.certificate, self.cli.key)
        headers = {"X-Nomad-Token": token} if token else {}
        return httpx2.Client(
            base_url=address or self.address, verify=context, headers=headers, trust_env=False, timeout=30
        )

    def environment(self, token: str | None) -> dict[str, str]:
        """The standard variables of Nomad's command line, for people and for vnode."""
        variables = {"NOMAD_ADDR": self.address}
        if self.security and self.cli:
            variables["NOMAD_CACERT"] = str(self.security.authority)
            variables["NOMAD_CLIENT_CERT"] = str(self.cli.certificate)
            variables["NOMAD_CLIENT_KEY"] = str(self.cli.key)
        if token:
            variables["NOMAD_TOKEN"] = token
        return variables

    def agent(self, name: str, home: Path) -> Child:
        """The process of an agent whose configuration lies in `home`."""
        command = (binary("nomad"), "agent", f"-config={home / 'agent.json'}")
        return self._children.add(f"nomad-{name}", *command, home=home)

    def _ports(self) -> Ports:
        return Ports(self.slot.port(), self.slot.port(), self.slot.port())

    def _issue_certificates(self, folder: Path) -> None:
        authority = Authority(folder, "hashinetes-bed-nomad")

        def issue(role: str) -> Pair:
            name = f"{role}.global.nomad"
            return authority.issue(role, name, names=(name, "localhost", LOOPBACK))

        self.security = Security(authority.certificate, issue("server"), issue("client"))
        self.cli = issue("cli")

    def _bootstrap(self) -> bool:
        return bool(self.api("/v1/acl/bootstrap", "POST", {"BootstrapSecret": self.management_token}))
