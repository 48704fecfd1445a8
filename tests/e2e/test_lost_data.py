"""Nomad's servers come back without their data: nobody is called ended who runs, and nothing runs twice."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.nomad import Client
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest, pod
from tests.e2e.namespace import LATER, Namespace, condition, container_status, is_ready, phase, terminated

_FOR_EVER = [{"operator": "Exists"}]
#: What runs on is ended up to a minute after its client is known again; until then nothing takes its place.
_AFTERWARDS = 240.0


@pytest.fixture
def own() -> Iterator[Bed]:
    """A bed for this alone: what its servers forget, others need."""
    directory = Path(tempfile.mkdtemp(prefix="hashinetes-lost-"))
    with Bed.start(directory) as running:
        yield running
    shutil.rmtree(directory)


def _alone(name: str, ran: Path, script: str) -> str:
    """Count its runs, and tell when two run at the same time."""
    return f"echo run >>{ran}/{name}; exec 9>>{ran}/{name}-lock; flock -n 9 || echo two >>{ran}/overlaps; {script}"


def _runs(ran: Path, name: str) -> int:
    file = ran / name
    return len(file.read_text().splitlines()) if file.exists() else 0


def _is_lost(found: Manifest) -> bool:
    return condition(found, "Ready").get("reason") == "NodeLost"


def _is_refused(client: Client) -> bool:
    log = client.child.log.read_text(errors="replace")
    return any("error heartbeating" in line and "Permission denied" in line for line in log.splitlines())


@pytest.mark.timeout(600, func_only=True)
def test_servers_come_back_without_their_data_and_clients_when_they_are_restarted(own: Bed) -> None:
    ran, token = own.directory / "ran", own.directory / "token"
    ran.mkdir()
    token.write_text(own.nomad.vnode_token or "")
    patient: dict[str, Any] = {"tolerations": _FOR_EVER, "terminationGracePeriodSeconds": 2}
    deaf = "trap '' TERM; while true; do sleep 0.1; done"
    with own.vnode("--node-pool=all", f"--nomad-token-file={token}"), Namespace.created(own, "scene-lost") as namespace:
        namespace.create(
            pod("always", _alone("always", ran, "exec sleep 3600"), **patient),
            pod("once", _alone("once", ran, "exec sleep 3600"), restart="Never", **patient),
            pod("done", _alone("done", ran, "exit 0"), restart="Never", **patient),
            pod("leaves", _alone("leaves", ran, deaf), **patient),
        )
        for name in ("always", "once", "leaves"):
            namespace.wait_ready(name, within=LATER)
        namespace.wait_phase("done", "Succeeded", within=LATER)
        own.nomad.lose_data()
        token.write_text(own.nomad.vnode_token or "")
        for name in ("always", "once", "leaves"):
            found = namespace.wait(name, "to be said to run where nobody reaches it", _is_lost, within=LATER)
            assert phase(found) == "Running"
            namespace.wait_event(name, "NodeLost", "may go on running")
        namespace.delete("leaves")
        # Agents register again only where they are told `node not found` (nomad client/client.go registerAndHeartbeat);
        # servers without the key that signed their identity refuse before they look for them (node_endpoint.go).
        wait_until("a client to be refused", lambda: any(map(_is_refused, own.nomad.clients.values())), within=LATER)
        assert own.nomad.api("/v1/nodes") == []
        for client in own.nomad.clients.values():
            client.stop()
            client.start()
        for client in own.nomad.clients.values():
            client.wait_ready()
        namespace.wait(
            "always",
            "to run again",
            lambda found: is_ready(found) and container_status(found)["restartCount"] == 1,
            within=_AFTERWARDS,
        )
        once = namespace.wait_phase("once", "Failed", within=LATER)
        assert (terminated(once)["reason"], terminated(once)["exitCode"]) == ("ContainerStatusUnknown", 137)
        namespace.wait_gone("leaves", within=LATER)
        assert phase(namespace.pod("done")) == "Succeeded"
        assert [_runs(ran, name) for name in ("always", "once", "done", "leaves", "overlaps")] == [2, 1, 1, 1, 0]
        assert [job["Name"] for job in namespace.nomad_jobs()] == [f"{namespace.name}/always"]
