"""A CSI plugin as a job of Nomad, on one client; its volumes are directories of the bed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.binaries import binary
from tests.e2e.bed.nomad import Client
from tests.e2e.bed.processes import wait_until

_PLUGIN = "directories"
_JOB = f"csi-{_PLUGIN}"
_POLICY = "csi"
#: What docs/data.md asks of vnode's token.
_RULES = 'namespace "default" { capabilities = ["csi-mount-volume"] } plugin { policy = "read" }'
_WITHIN = 60


@dataclass(frozen=True)
class CsiPlugin:
    """A plugin that is healthy."""

    bed: Bed
    folder: Path

    @contextmanager
    def volume(self, name: str) -> Iterator[Path]:
        """Register a volume until the block ends, and give its directory."""
        place = self.folder / name
        place.mkdir()
        # Nomad's exec runs tasks as nobody.
        place.chmod(0o777)
        capability = {"AccessMode": "single-node-writer", "AttachmentMode": "file-system"}
        volume = {
            "ID": name,
            "Name": name,
            "ExternalID": name,
            "PluginID": _PLUGIN,
            "Namespace": "default",
            "RequestedCapabilities": [capability],
        }
        self.bed.nomad.api(f"/v1/volume/csi/{name}", "PUT", {"Volumes": [volume]})
        yield place
        # Nomad lets go of what its clients have unmounted in its own time.
        wait_until(f"volume {name} to be free", lambda: self._remove(name), within=_WITHIN)

    def _remove(self, name: str) -> bool:
        self.bed.nomad.api(f"/v1/volume/csi/{name}", "DELETE")
        return True


@contextmanager
def plugin(bed: Bed, client: Client) -> Iterator[CsiPlugin]:
    """Run one until the block ends; vnode's token may use its volumes as long."""
    folder = bed.directory / "csi"
    folder.mkdir()
    bed.nomad.api("/v1/jobs", "PUT", {"Job": _job(client, folder)})
    try:
        wait_until("the CSI plugin", lambda: _is_healthy(bed), within=_WITHIN, of=[client.child])
        with _allowed(bed):
            yield CsiPlugin(bed, folder)
    finally:
        bed.nomad.api(f"/v1/job/{_JOB}?purge=true", "DELETE")
        shutil.rmtree(folder)


def _job(client: Client, folder: Path) -> dict[str, object]:
    # A task without a file system of its own has to know where Nomad keeps mounts (plugin_supervisor_hook.go).
    mounts = client.state / "csi" / "node" / _PLUGIN
    task = {
        "Name": "plugin",
        "Driver": "raw_exec",
        "Config": {"command": str(binary("csi")), "args": [str(folder)]},
        "CSIPluginConfig": {
            "ID": _PLUGIN,
            "Type": "node",
            "MountDir": "/csi",
            "StagePublishBaseDir": str(mounts),
        },
        "Resources": {"CPU": 20, "MemoryMB": 32},
    }
    here = {"LTarget": "${node.unique.name}", "Operand": "=", "RTarget": client.name}
    return {
        "ID": _JOB,
        "Name": _JOB,
        "Type": "service",
        "NodePool": client.pool,
        "Datacenters": ["*"],
        "Constraints": [here],
        "TaskGroups": [{"Name": "plugin", "Tasks": [task]}],
    }


def _is_healthy(bed: Bed) -> bool:
    return bool(bed.nomad.api(f"/v1/plugin/csi/{_PLUGIN}")["NodesHealthy"])


@contextmanager
def _allowed(bed: Bed) -> Iterator[None]:
    """Give vnode's token, where there are tokens, one policy more until the block ends."""
    if bed.nomad.vnode_token is None:
        yield
        return
    bed.nomad.api(f"/v1/acl/policy/{_POLICY}", "POST", {"Name": _POLICY, "Rules": _RULES})
    [listed] = [each for each in bed.nomad.api("/v1/acl/tokens") if each["Name"] == "vnode"]
    path, policies = f"/v1/acl/token/{listed['AccessorID']}", listed["Policies"]
    token = {name: listed[name] for name in ("AccessorID", "Name", "Type")}
    bed.nomad.api(path, "POST", {**token, "Policies": [*policies, _POLICY]})
    try:
        yield
    finally:
        bed.nomad.api(path, "POST", {**token, "Policies": policies})
