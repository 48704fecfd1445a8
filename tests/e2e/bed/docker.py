"""A Docker engine of the bed's own: Debian's dockerd and containerd with all their state in the bed's directory."""

import json
from pathlib import Path

from tests.e2e.bed import network, rootfs
from tests.e2e.bed.processes import Children, run, wait_until
from tests.e2e.bed.slot import Slot

#: Takes capabilities out of what runc is told to give, by names separated with blanks.
_WITHOUT = """#!/bin/sh
for word; do
  case "$before" in
    --bundle) told="$word/config.json" ;;
    --process) told="$word" ;;
  esac
  before="$word"
done
if [ "$told" ]; then
  for name in {names}; do
    sed -i -e "s/\\"$name\\",//g" -e "s/,\\"$name\\"//g" "$told"
  done
fi
exec runc "$@"
"""


class Docker:
    """containerd and dockerd, and the images that the bed knows."""

    def __init__(self, directory: Path, slot: Slot, children: Children) -> None:
        """Start both; `wait_ready` imports the images."""
        home = directory / "docker"
        home.mkdir()
        self.socket = home / "docker.sock"
        # dockerd would use a containerd of the system if there is one; ours keeps the two apart.
        containerd_socket = home / "containerd.sock"
        configuration = home / "containerd.toml"
        configuration.write_text(
            f'version = 2\nroot = "{home}/containerd/root"\nstate = "{home}/containerd/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\n  address = "{containerd_socket}"\n'
        )
        (home / "daemon.json").write_text(json.dumps(_runtime(home)))
        self.containerd = children.add("containerd", "containerd", "--config", configuration)
        self.dockerd = children.add(
            "dockerd",
            "dockerd",
            f"--config-file={home}/daemon.json",
            f"--data-root={home}/data",
            f"--exec-root={home}/exec",
            f"--pidfile={home}/docker.pid",
            f"--host=unix://{self.socket}",
            f"--containerd={containerd_socket}",
            f"--bridge={network.add_docker_bridge(slot)}",
            # docker-proxy publishes ports without rules, and this host's FORWARD policy stays as it was.
            "--iptables=false",
            "--ip6tables=false",
            "--exec-opt=native.cgroupdriver=cgroupfs",
        )
        self._home = home
        self._containerd_socket = containerd_socket
        self.containerd.start()

    @property
    def endpoint(self) -> str:
        """The address for DOCKER_HOST and Nomad's docker plugin."""
        return f"unix://{self.socket}"

    def wait_ready(self, busybox: Path) -> None:
        """Start dockerd when containerd answers, then import the images."""
        wait_until("containerd", self._containerd_socket.exists, within=30, of=[self.containerd])
        self.dockerd.start()
        wait_until("dockerd", self._answers, within=60, of=[self.containerd, self.dockerd])
        pause = self._home / "pause"
        rootfs.build_pause(pause)
        self._import(pause, rootfs.pause_image(), 'ENTRYPOINT ["/pause"]')
        self._import(busybox, rootfs.BUSYBOX_IMAGE, 'CMD ["sh"]', "ENV PATH=/bin:/usr/bin")
        self._import(busybox, rootfs.OTHER_IMAGE, 'CMD ["sh"]', "ENV PATH=/bin:/usr/bin", "ENV OTHER=yes")

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run a docker command against this engine."""
        return run("docker", "--host", self.endpoint, *arguments, stdin=stdin)

    def add_image(self, name: str, root: Path, program: Path) -> None:
        """One more image: a file system that exists, and a program in its /bin."""
        archive = rootfs.archive(root, program)
        self.run("import", "--change", "ENV PATH=/bin:/usr/bin", "-", name, stdin=archive)

    def remove_containers(self, allocations: set[str]) -> None:
        """Kill and remove the containers of these allocations, whose ids end their names."""
        names = self.run("ps", "--all", "--format", "{{.Names}}").split()
        if ours := [name for name in names if name[-36:] in allocations]:
            self.run("rm", "--force", *ours)

    def _answers(self) -> bool:
        return bool(self.run("version", "--format", "{{.Server.Version}}"))

    def _import(self, root: Path, image: str, *changes: str) -> None:
        options = [word for change in changes for word in ("--change", change)]
        self.run("import", *options, "-", image, stdin=rootfs.archive(root))


def _runtime(home: Path) -> dict[str, object]:
    """Settings for a machine that lacks capabilities: docker would give a privileged container all that there are."""
    names = run("setpriv", "--list-caps").split()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    has = int(status["CapBnd"], 16)
    lacks = [f"CAP_{name.upper()}" for number, name in enumerate(names) if not has >> number & 1]
    if not lacks:
        return {}
    runtime = home / "runc-without"
    runtime.write_text(_WITHOUT.replace("{names}", " ".join(lacks)))
    runtime.chmod(0o755)
    return {"default-runtime": runtime.name, "runtimes": {runtime.name: {"path": str(runtime)}}}
