"""`vnode gc`: what an uninstall leaves in Nomad is collected, and nothing of others is touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.bed.bed import REPOSITORY, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import pod
from tests.e2e.namespace import LATER, SOON, Namespace, container_status

_NODE = "leaving"
_WITHIN = 120
_RUNS = "echo $$$$; exec sleep 3600"


@pytest.mark.timeout(300, func_only=True)
def test_it_collects_what_has_no_pod_and_all_where_told_so(bed: Bed, namespace: Namespace) -> None:
    names = ("stays", "gone-1", "gone-2")
    with bed.vnode("--node-pool=all", node_name=_NODE) as vnode:
        namespace.create(pod("elsewhere", _RUNS), *(pod(name, _RUNS, node=_NODE) for name in names))
        processes = {name: _process(namespace, name) for name in ("elsewhere", *names)}
        jobs = {name: f"{namespace.name}/{name} (vk-{namespace.pod(name)['metadata']['uid']})" for name in processes}
        vnode.stop()
        for name in ("gone-1", "gone-2"):
            namespace.kubectl("delete", "pod", name, "--grace-period=0", "--force")

        orphans = {jobs["gone-1"], jobs["gone-2"]}
        assert _gc(bed, "--dry-run") == {f"would remove {job}" for job in orphans}
        assert _living(processes) == set(processes)

        assert _gc(bed) == {f"removed {job}" for job in orphans}
        assert _living(processes) == {"elsewhere", "stays"}
        assert _left(namespace) == {"elsewhere", "stays"}
        assert _gc(bed) == set()

        assert _gc(bed, "--all", "--dry-run") == {f"would remove {jobs['stays']}"}
        assert _living(processes) == {"elsewhere", "stays"}

        assert _gc(bed, "--all") == {f"removed {jobs['stays']}"}
        assert _living(processes) == {"elsewhere"}
        assert _left(namespace) == {"elsewhere"}
        assert namespace.holds("stays")

        # Who changes their mind: the Pod that is still there runs again.
        vnode.start()
        namespace.wait(
            "stays",
            "to run anew",
            lambda found: (
                container_status(found).get("restartCount") == 1 and "running" in container_status(found)["state"]
            ),
            within=LATER,
        )
        namespace.empty()
    bed.kubectl("delete", "node", _NODE)


def _gc(bed: Bed, *flags: str) -> set[str]:
    """Run it, and give its lines."""
    done = subprocess.run(
        [sys.executable, "-m", "vnode", "gc", *bed.vnode_arguments(_NODE), "--node-pool=all", *flags],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **bed.vnode_environment()},
        capture_output=True,
        text=True,
        timeout=_WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


def _process(namespace: Namespace, name: str) -> int:
    """The process of a raw_exec Pod, by its own word."""
    namespace.wait_ready(name)
    return int(wait_until(f"the log of {name}", lambda: namespace.logs(name), within=SOON))


def _living(processes: dict[str, int]) -> set[str]:
    return {name for name, process in processes.items() if Path(f"/proc/{process}").exists()}


def _left(namespace: Namespace) -> set[str]:
    return {job["Name"].removeprefix(f"{namespace.name}/") for job in namespace.nomad_jobs()}
