"""The bed: everything real that an end-to-end test needs, behind one plain object.

    with Bed.start(directory, profile="secured") as bed:
        bed.kubectl("get", "nodes")
        with bed.vnode() as vnode:
            vnode.kill()
            vnode.start()

Profile ``plain`` is Nomad without ACLs and TLS, and vnode as administrator. Profile ``secured`` is a site done
properly: Nomad demands client certificates and tokens, the API server verifies vnode's certificate, and vnode has
exactly the rights that deploy/ grants.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import yaml

from tests.e2e.bed import kubectls, network, rootfs, vnode_process
from tests.e2e.bed.control_plane import ControlPlane
from tests.e2e.bed.docker import Docker
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.nomad import POOLS, Nomad
from tests.e2e.bed.processes import Child, Children, system_path
from tests.e2e.bed.slot import Slot
from tests.e2e.bed.sweep import sweep
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.bed.warden import Warden

Profile = Literal["plain", "secured"]
PROFILES: tuple[Profile, ...] = get_args(Profile)
REPOSITORY = Path(__file__).parents[3]
RIGHTS = (
    *(
        REPOSITORY / "deploy" / "base" / "vnode" / f"{name}.yaml"
        for name in ("namespace", "serviceaccount", "rbac", "workloads")
    ),
    REPOSITORY / "deploy" / "components" / "server-tls-bootstrap" / "rbac.yaml",
    REPOSITORY / "deploy" / "components" / "persistent-volumes" / "rbac.yaml",
)
BINDING = REPOSITORY / "deploy" / "components" / "workloads" / "rolebinding.yaml"
VNODE_USER = "system:serviceaccount:vnode:vnode"
_SOCKET_PATH_LIMIT = 70


class Bed:
    """A running bed; `Bed.start` makes one."""

    def __init__(self, directory: Path, profile: Profile, slot: Slot, children: Children) -> None:
        """Start everything; `start` is the way in, for it also cleans up."""
        began = time.monotonic()
        self.directory = directory
        self.profile = profile
        self.slot = slot
        self.children = children
        self.logs = children.logs
        self.node_address = slot.host_address
        #: What tests have put into Secrets, for the last of them to look for.
        self.secrets: set[str] = set()
        secured = profile == "secured"
        network.add_host(slot)
        self.docker = Docker(directory, slot, children)
        self.control_plane = ControlPlane(
            directory,
            children,
            ports=[slot.port() for _ in range(5)],
            host_address=slot.host_address,
            verify_kubelet=secured,
        )
        busybox = directory / "rootfs"
        rootfs.build_busybox(busybox)
        self.nomad = Nomad(directory, slot, children, self.docker, busybox, secured=secured)
        # Everything that takes its time is started first and waited for afterwards.
        self.control_plane.start()
        self.nomad.start_server()
        self.docker.wait_ready(busybox)
        self.nomad.wait_leader()
        self.nomad.set_up()
        for pool, count in POOLS.items():
            for _ in range(count):
                self.nomad.add_client(pool)
        self.control_plane.wait_ready()
        for client in self.nomad.clients.values():
            client.wait_ready()
        self.admin_kubeconfig = self.control_plane.admin_kubeconfig
        self.vnode_kubeconfig = self._install_rights() if secured else self.admin_kubeconfig
        self._runs = 0
        self.started_in = time.monotonic() - began

    @classmethod
    @contextlib.contextmanager
    def start(cls, directory: Path, *, profile: Profile = "secured") -> Iterator["Bed"]:
        """Run a bed in an empty directory; nothing survives the end of the block, or of this process."""
        directory = directory.resolve()
        if len(str(directory)) > _SOCKET_PATH_LIMIT:
            raise BedError(f"{directory} is too long a path for the sockets in it ({_SOCKET_PATH_LIMIT} characters)")
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise BedError(f"{directory} is not empty: a bed starts from nothing")
        # Tasks of other users walk through it to their files.
        directory.chmod(0o755)
        for stale in Slot.stale():
            if stale.directory:
                sweep(stale.directory, stale)
            stale.directory = None
        slot = Slot.acquire()
        slot.directory = directory
        warden = Warden(slot, directory)
        children = Children(directory)
        try:
            bed = cls(directory, profile, slot, children)
            with contextlib.closing(bed.control_plane), contextlib.closing(bed.nomad):
                yield bed
        finally:
            warden.dismiss()
            children.bury()
            slot.release()

    @property
    def audit_log(self) -> Path:
        """Every request the API server answered (audit.py reads it)."""
        return self.control_plane.audit_log

    def bind_workloads(self, namespace: str) -> None:
        """Let vnode read what the Pods of a namespace name, as its administrator does."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
        self.control_plane.api(path, "POST", yaml.safe_load(BINDING.read_text()))

    def free_port(self) -> int:
        """A port for a server that a test starts."""
        return self.slot.port()

    def kubectl(
        self,
        *arguments: str,
        version: str | None = None,
        kubeconfig: Path | None = None,
        stdin: str | None = None,
        check: bool = True,
        within: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, as administrator unless told otherwise; with `check`, a failure is a BedError."""
        command = (str(kubectls.kubectl(version)), *arguments)
        environment = self._environment({"KUBECONFIG": str(kubeconfig or self.admin_kubeconfig)})
        done = subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, timeout=within, check=False
        )
        if check and done.returncode:
            raise BedError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done

    @contextlib.contextmanager
    def kubectl_process(
        self, *arguments: str, version: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Run kubectl, as administrator, beside the block; at its end it is killed if it has not ended by itself."""
        command = (str(kubectls.kubectl(version)), *arguments)
        environment = self._environment({"KUBECONFIG": str(self.admin_kubeconfig), **(environment or {})})
        with subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def vnode_environment(self) -> dict[str, str]:
        """Environment of `vnode run`: Nomad's address, certificates and token by their standard names."""
        variables = self.nomad.environment(self.nomad.vnode_token)
        # --nomad-address says it.
        del variables["NOMAD_ADDR"]
        return variables

    def vnode_identity(self, name: str) -> tuple[Path, str]:
        """A new token of vnode's ServiceAccount, in a kubeconfig and bare; the audit log tells tokens apart."""
        token = self.kubectl("create", "token", "vnode", "--namespace=vnode", "--duration=24h").stdout.strip()
        return self.control_plane.kubeconfig(name, token), token

    def vnode_arguments(
        self, node_name: str = "nomad", kubelet_port: int = 10250, settings: Mapping[str, object] | None = None
    ) -> list[str]:
        """Flags of `vnode run`; settings for the file of --config replace the bed's own, which allow every driver."""
        everything = {"policy": {"drivers": {driver: {"namespaces": ["*"]} for driver in ("raw_exec", "mock_driver")}}}
        text = yaml.safe_dump(dict(everything if settings is None else settings))
        # Named for what it says: a vnode that is started again finds its own, whatever another was told meanwhile.
        configuration = self.directory / f"vnode-{hashlib.sha256(text.encode()).hexdigest()[:12]}.yaml"
        configuration.write_text(text)
        return [
            f"--kubeconfig={self.vnode_kubeconfig}",
            f"--node-name={node_name}",
            f"--node-address={self.node_address}",
            f"--kubelet-port={kubelet_port}",
            f"--nomad-address={self.nomad.address}",
            f"--kubernetes-service={self.control_plane.endpoint}",
            "--namespace-map=default",
            "--default-driver=docker",
            f"--config={configuration}",
        ]

    def serving_arguments(self) -> list[str]:
        """Flags of `vnode run` for a serving certificate that the API server trusts."""
        pair = self.control_plane.kubelet_serving
        return [f"--kubelet-certificate={pair.certificate}", f"--kubelet-key={pair.key}"]

    @contextlib.contextmanager
    def vnode(
        self,
        *extra: str,
        node_name: str = "nomad",
        settings: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        with_certificate: bool = True,
    ) -> Iterator[VnodeProcess]:
        """Run vnode until the block ends, its Node Ready; flags in `extra` come last and win.

        `with_certificate` gives it files to serve with; without them it is for the flags to say what.
        """
        port = self.free_port()
        serving = self.serving_arguments() if with_certificate else []
        child = self._vnode([*serving, *extra], node_name, port, settings, environment)
        process = VnodeProcess(node_name, (self.node_address, port), child, self.control_plane)
        try:
            process.start()
            yield process
        finally:
            process.stop()

    @contextlib.contextmanager
    def vnode_child(self, *extra: str, node_name: str) -> Iterator[Child]:
        """Run vnode until the block ends, whatever it does: nothing is waited for."""
        child = self._vnode([*self.serving_arguments(), *extra], node_name, self.free_port(), None, None)
        try:
            child.start()
            yield child
        finally:
            child.stop()

    def _vnode(
        self,
        extra: Sequence[str],
        node_name: str,
        port: int,
        settings: Mapping[str, object] | None,
        environment: Mapping[str, str] | None,
    ) -> Child:
        self._runs += 1
        arguments = [*self.vnode_arguments(node_name, port, settings), *extra]
        return self.children.add(
            f"vnode-{node_name}-{self._runs}",
            *vnode_process.command(Path(sys.executable), arguments),
            environment={"PYTHONPATH": str(REPOSITORY), **self.vnode_environment(), **(environment or {})},
        )

    def environment(self) -> dict[str, str]:
        """What a person exports to look around with kubectl, nomad and docker."""
        return {
            "KUBECONFIG": str(self.admin_kubeconfig),
            **self.nomad.environment(self.nomad.management_token),
            "DOCKER_HOST": self.docker.endpoint,
        }

    def _install_rights(self) -> Path:
        """Apply the rights we ship and return a kubeconfig with a token that has them and no more."""
        # Not the whole kustomization: its Deployment has no node here to run on, the bed runs vnode itself.
        for file in RIGHTS:
            self.kubectl("apply", "--filename", str(file))
        return self.vnode_identity("vnode")[0]

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": system_path(),
            "HOME": str(self.directory),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            **variables,
        }
