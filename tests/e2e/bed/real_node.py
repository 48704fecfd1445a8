"""A Node with a real kubelet, containerd and runc: what vnode has to look like, beside it on the same API server.

    with real_node(bed) as node:
        namespace.create(pod("there", "exec sleep 60", node=node.name))

It has the taint of a virtual Node, so that a Pod moves from one to the other by its node's name alone, and it runs the
bed's images. kubelet and containerd work in the host's network: Pods get addresses of a bridge that only this host
sees, and nothing is forwarded or published. Services need a kube-proxy, which it has not.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.e2e.bed import kubeconfigs, network, rootfs, sweep
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.binaries import binary, cni_directory
from tests.e2e.bed.processes import Child, run, wait_until

_TAINT = {"key": "virtual-kubelet.io/provider", "value": "nomad", "effect": "NoSchedule"}
_START_SECONDS = 90


@dataclass(frozen=True)
class RealNode:
    """A Ready Node; `kubelet` and `containerd` can be stopped and started."""

    name: str
    kubelet: Child
    containerd: Child


@contextmanager
def real_node(bed: Bed, name: str = "real") -> Iterator[RealNode]:
    """Run a Node until the block ends, which leaves nothing of it, the Node's object included."""
    home = bed.directory / name
    home.mkdir()
    containerd = _containerd(bed, home)
    kubelet = _kubelet(bed, home, name)
    try:
        containerd.start()
        wait_until("containerd", _socket(home).exists, within=_START_SECONDS, of=[containerd])
        _import_images(bed, home)
        kubelet.start()
        what = f"the kubelet of Node {name}"
        wait_until(what, lambda: _is_ready(bed, name), within=_START_SECONDS, of=[containerd, kubelet])
        yield RealNode(name, kubelet, containerd)
    finally:
        kubelet.kill()
        containerd.kill()
        sweep.end(home)
        network.remove_real_node(bed.slot)
        shutil.rmtree(home)
        bed.kubectl("delete", "node", name, "--ignore-not-found")


def _containerd(bed: Bed, home: Path) -> Child:
    state = home / "containerd"
    plugins = home / "cni.d"
    plugins.mkdir()
    bridge = {
        "type": "bridge",
        "bridge": network.real_node_bridge(bed.slot),
        "isGateway": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(home / "addresses"),
            "ranges": [[{"subnet": bed.slot.real_node_subnet}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    (plugins / "10-bed.conflist").write_text(
        json.dumps({"cniVersion": "1.0.0", "name": "bed", "plugins": [bridge, {"type": "loopback"}]})
    )
    configuration = home / "containerd.toml"
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    configuration.write_text(
        f'version = 2\nroot = "{state}/root"\nstate = "{state}/state"\n'
        f'[grpc]\n  address = "{_socket(home)}"\n'
        f'[{cri}]\n  sandbox_image = "{rootfs.pause_image()}"\n'
        # Containers would get a score below the one that this process itself is allowed.
        "  restrict_oom_score_adj = true\n  netns_mounts_under_state_dir = true\n"
        f'[{cri}.cni]\n  bin_dir = "{cni_directory()}"\n  conf_dir = "{plugins}"\n'
        f'[{cri}.containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n'
        f'[{cri}.containerd.runtimes.runc.options]\n  Root = "{home}/runc"\n  SystemdCgroup = false\n'
    )
    return bed.children.add(f"{home.name}-containerd", "containerd", "--config", configuration, home=home)


def _kubelet(bed: Bed, home: Path, name: str) -> Child:
    plane = bed.control_plane
    user = plane.authority.issue(f"node-{name}", f"system:node:{name}", organization="system:nodes")
    kubeconfig = kubeconfigs.with_certificate(
        home / "kubeconfig.yaml", plane.address, plane.authority.certificate, user
    )
    configuration = home / "kubelet.yaml"
    configuration.write_text(yaml.safe_dump(_configuration(bed, home)))
    return bed.children.add(
        f"{name}-kubelet",
        binary("kubelet"),
        f"--config={configuration}",
        f"--kubeconfig={kubeconfig}",
        f"--root-dir={home}/kubelet",
        f"--hostname-override={name}",
        f"--node-ip={bed.node_address}",
        home=home,
    )


def _configuration(bed: Bed, home: Path) -> dict[str, object]:
    plane = bed.control_plane
    serving = plane.kubelet_serving
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": bed.node_address,
        "port": bed.free_port(),
        "healthzPort": 0,
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(plane.authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{_socket(home)}",
        "registerWithTaints": [_TAINT],
        "podLogsDir": str(home / "logs"),
        # As much as Nomad keeps of a task.
        "containerLogMaxSize": "100Mi",
        "volumePluginDir": str(home / "plugins"),
        # Other machines' groups and rules are nobody's business here, and two beds may run side by side.
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        # Whatever the disk and the memory of this machine are like, Pods and images stay.
        "evictionHard": {"nodefs.available": "0%", "memory.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "failSwapOn": False,
    }


def _import_images(bed: Bed, home: Path) -> None:
    images = home / "images.tar"
    known = (rootfs.BUSYBOX_IMAGE, rootfs.OTHER_IMAGE, rootfs.pause_image())
    bed.docker.run("save", "--output", str(images), *known)
    # containerd answers a moment after its socket is there.
    wait_until("containerd to take images", lambda: _imported(home, images), within=_START_SECONDS)
    images.unlink()


def _imported(home: Path, images: Path) -> bool:
    run("ctr", f"--address={_socket(home)}", "--namespace=k8s.io", "images", "import", images)
    return True


def _is_ready(bed: Bed, name: str) -> bool:
    conditions = bed.control_plane.api(f"/api/v1/nodes/{name}")["status"].get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _socket(home: Path) -> Path:
    return home / "containerd.sock"
