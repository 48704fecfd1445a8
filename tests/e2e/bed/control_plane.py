"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler, each a process that can be killed and restarted."""

import shutil
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.bed import certificates, kubeconfigs
from tests.e2e.bed.binaries import binary
from tests.e2e.bed.certificates import Authority, Pair
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import Child, Children, wait_until

_SERVICE_NETWORK, _SERVICE_ADDRESS = "10.96.0.0/16", "10.96.0.1"
_LOOPBACK = "127.0.0.1"
_START_SECONDS = 90
# One line per finished request: enough to compute the rights that a user needs (audit.py). What vnode tells about Pods
# and its Node stands there whole, so that a test can look for what may not be told.
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Request
    users: ["system:serviceaccount:vnode:vnode"]
    verbs: [create, update, patch]
    resources: [{group: "", resources: [events, pods/status, nodes, nodes/status]}]
  - level: Metadata
"""


class ControlPlane:
    """A Kubernetes without nodes. `start` only starts; `wait_ready` waits until Pods can be created."""

    def __init__(
        self, directory: Path, children: Children, *, ports: Sequence[int], host_address: str, verify_kubelet: bool
    ) -> None:
        """Write certificates, kubeconfigs and command lines; five ports are needed."""
        self._directory = directory
        self._etcd_data = directory / "etcd"
        etcd_port, etcd_peer_port, api_port, manager_port, scheduler_port = ports
        # Not loopback: Pods with a network of their own talk to the API server, too.
        self.endpoint = f"{host_address}:{api_port}"
        self.address = f"https://{self.endpoint}"
        self.audit_log = children.logs / "audit.log"
        self.authority = Authority(directory / "pki" / "kubernetes", "hashinetes-bed-kubernetes")
        self.admin = self.authority.issue("admin", "admin", organization="system:masters")
        #: What vnode serves its kubelet API with.
        self.kubelet_serving = self.authority.issue(
            "kubelet-serving", "system:node:nomad", organization="system:nodes", names=(_LOOPBACK, host_address)
        )
        self._serving = self.authority.issue("serving", "kube-components", names=("localhost", _LOOPBACK))
        self.admin_kubeconfig = self._kubeconfig("admin", self.admin)
        #: The private key that signs ServiceAccount tokens.
        self.token_key = directory / "pki" / "service-account.key"
        certificates.write_key_pair(self.token_key, self.token_key.with_suffix(".pub"))
        self.etcd = children.add("etcd", binary("etcd"), *self._etcd_flags(etcd_port, etcd_peer_port))
        flags = self._apiserver_flags(api_port, etcd_port, host_address, verify_kubelet=verify_kubelet)
        self.apiserver = children.add("kube-apiserver", binary("kube-apiserver"), *flags)
        name = "kube-controller-manager"
        self.controller_manager = children.add(name, binary(name), *self._manager_flags(manager_port))
        name = "kube-scheduler"
        self.scheduler = children.add(name, binary(name), *self._component_flags(name, scheduler_port))
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(self.admin.certificate, self.admin.key)
        self._http = httpx2.Client(base_url=self.address, verify=context, trust_env=False, timeout=30)

    def start(self) -> None:
        """Start etcd and the API server; the other two follow in `wait_ready`, when there is something to talk to."""
        self.etcd.start()
        self.apiserver.start()

    def wait_ready(self) -> None:
        """Wait until the API server is ready and the controllers have made the default ServiceAccount."""
        children: tuple[Child, ...] = (self.etcd, self.apiserver)
        wait_until("kube-apiserver", self._ready, within=_START_SECONDS, of=children)
        for child in (self.controller_manager, self.scheduler):
            if not child.running:
                child.start()
        children += (self.controller_manager, self.scheduler)
        accounts = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_until("the default ServiceAccount", lambda: self.api(accounts), within=_START_SECONDS, of=children)

    def is_ready(self) -> bool:
        """Whether the API server answers, and says that all of it and etcd are ready."""
        try:
            return self._ready()
        except httpx2.HTTPError:
            return False

    @contextmanager
    def away(self) -> Iterator[None]:
        """An outage of the API server; what it keeps is kept, and at the end of the block it is ready again."""
        self.apiserver.kill()
        try:
            yield
        finally:
            self.apiserver.start()
            self.wait_ready()

    def snapshot(self, name: str) -> Path:
        """A copy of all that etcd holds, taken while it is down for a moment."""
        copy = self._directory / f"etcd-{name}"
        with self._without_etcd():
            shutil.copytree(self._etcd_data, copy)
        return copy

    def restore(self, copy: Path) -> None:
        """Put everything back to a snapshot, as after a disaster: with it, revisions begin again in the past.

        Controllers are restarted, as the handbooks demand: they would wait for a future that never comes.
        """
        for child in (self.scheduler, self.controller_manager):
            child.stop()
        with self._without_etcd():
            shutil.rmtree(self._etcd_data)
            shutil.copytree(copy, self._etcd_data)

    def close(self) -> None:
        """Close our own connections."""
        self._http.close()

    def api(self, path: str, method: str = "GET", body: object = None, **headers: str) -> Any:
        """Send one request as administrator; an error status becomes a BedError with the server's words."""
        answer = self._http.request(method, path, json=body, headers=headers)
        if answer.is_error:
            raise BedError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[str]]:
        """Send one request as administrator and read its answer line by line, for a watch with `timeoutSeconds`."""
        with self._http.stream("GET", path, timeout=None) as answer:
            yield answer.iter_lines()

    @contextmanager
    def signing_for(self, seconds: int) -> Iterator[None]:
        """Let the signers give certificates a short life, until the block ends."""
        self._restart_manager([f"--cluster-signing-duration={seconds}s"])
        try:
            yield
        finally:
            self._restart_manager([])

    def kubeconfig(self, name: str, token: str) -> Path:
        """Write a kubeconfig for a ServiceAccount's token."""
        file = self._directory / "kubeconfigs" / f"{name}.yaml"
        return kubeconfigs.with_token(file, self.address, self.authority.certificate, token)

    @contextmanager
    def _without_etcd(self) -> Iterator[None]:
        # In order it would wait for the ends of all watches, for longer than anybody has.
        self.apiserver.kill()
        self.etcd.stop()
        try:
            yield
        finally:
            self.etcd.start()
            self.apiserver.start()
            self.wait_ready()

    def _restart_manager(self, extra: list[str]) -> None:
        manager = self.controller_manager
        manager.stop()
        flags = [flag for flag in manager.command if not flag.startswith("--cluster-signing-duration")]
        manager.command = [*flags, *extra]
        manager.start()

    def _ready(self) -> bool:
        return self._http.get("/readyz").text == "ok"

    def _kubeconfig(self, name: str, pair: Pair) -> Path:
        file = self._directory / "kubeconfigs" / f"{name}.yaml"
        return kubeconfigs.with_certificate(file, self.address, self.authority.certificate, pair)

    def _etcd_flags(self, port: int, peer_port: int) -> list[str]:
        client, peer = f"http://{_LOOPBACK}:{port}", f"http://{_LOOPBACK}:{peer_port}"
        return [
            f"--data-dir={self._etcd_data}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # The bed does not survive a power cut, and waiting for disks is most of etcd's time.
            "--unsafe-no-fsync",
        ]

    def _apiserver_flags(self, port: int, etcd_port: int, host_address: str, *, verify_kubelet: bool) -> list[str]:
        names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", _LOOPBACK)
        serving = self.authority.issue("apiserver", "kube-apiserver", names=(*names, host_address, _SERVICE_ADDRESS))
        kubelet = self.authority.issue("kubelet-client", "kube-apiserver-kubelet-client", organization="system:masters")
        front = Authority(self._directory / "pki" / "front-proxy", "hashinetes-bed-front-proxy")
        proxy = front.issue("front-proxy-client", "front-proxy-client")
        policy = self._directory / "pki" / "audit-policy.yaml"
        policy.write_text(_AUDIT_POLICY)
        self.audit_log.parent.mkdir(parents=True, exist_ok=True)
        flags = [
            f"--etcd-servers=http://{_LOOPBACK}:{etcd_port}",
            f"--bind-address={host_address}",
            f"--secure-port={port}",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={self.authority.certificate}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            f"--service-cluster-ip-range={_SERVICE_NETWORK}",
            # A single server that comes and goes has no use for leases of endpoints.
            "--endpoint-reconciler-type=none",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-client-certificate={kubelet.certificate}",
            f"--kubelet-client-key={kubelet.key}",
            f"--service-account-issuer={self.address}",
            f"--service-account-key-file={self.token_key.with_suffix('.pub')}",
            f"--service-account-signing-key-file={self.token_key}",
            f"--requestheader-client-ca-file={front.certificate}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={proxy.certificate}",
            f"--proxy-client-key-file={proxy.key}",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-maxsize=4096",
        ]
        if verify_kubelet:
            flags.append(f"--kubelet-certificate-authority={self.authority.certificate}")
        return flags

    def _component_flags(self, name: str, port: int) -> list[str]:
        kubeconfig = self._kubeconfig(name, self.authority.issue(name, f"system:{name}"))
        return [
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={_LOOPBACK}",
            f"--secure-port={port}",
            f"--tls-cert-file={self._serving.certificate}",
            f"--tls-private-key-file={self._serving.key}",
            # There is one of each, and waiting for the lease of a killed one would take 15 s.
            "--leader-elect=false",
        ]

    def _manager_flags(self, port: int) -> list[str]:
        return [
            *self._component_flags("kube-controller-manager", port),
            "--controllers=*",
            "--use-service-account-credentials=true",
            f"--root-ca-file={self.authority.certificate}",
            f"--service-account-private-key-file={self.token_key}",
            f"--cluster-signing-cert-file={self.authority.certificate}",
            f"--cluster-signing-key-file={self.authority.pair.key}",
        ]
