"""More is asked of Nomad than one address may ask: who comes too late is told so, stop and status go on."""

from collections.abc import Iterator
from contextlib import ExitStack
from subprocess import Popen

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import pod
from tests.e2e.namespace import SOON, Namespace

_NODE = "narrow"
#: Five sixths are for logs, of which each takes two: one for each of its streams.
_STREAMS = 6
_TICKS = "while true; do echo tick; sleep 0.2; done"


@pytest.fixture(scope="module")
def narrow(bed: Bed) -> Iterator[VnodeProcess]:
    with bed.vnode("--node-pool=all", f"--nomad-streams={_STREAMS}", node_name=_NODE) as process:
        yield process
    bed.kubectl("delete", "node", _NODE)


def test_logs_and_commands_beyond_the_budget_get_a_sentence_and_starve_nobody(
    bed: Bed, narrow: VnodeProcess, namespaces: Namespaces
) -> None:
    narrow.child.must_live()
    with namespaces() as namespace:
        namespace.create(pod("talks", _TICKS, node=_NODE, terminationGracePeriodSeconds=1))
        namespace.wait_ready("talks")
        with ExitStack() as streams:

            def begin(*arguments: str, first: str) -> Popen[str]:
                process = streams.enter_context(bed.kubectl_process(f"--namespace={namespace.name}", *arguments))
                assert _line(process) == first
                return process

            log = begin("logs", "--follow", "talks", first="tick\n")
            begin("logs", "--follow", "talks", first="tick\n")
            assert "end another `kubectl logs`" in _refused(namespace, "logs", "talks")
            for _ in range(2):
                begin("exec", "talks", "--", "/bin/sh", "-c", "echo here; exec sleep 600", first="here\n")
            assert "end one and try again" in _refused(namespace, "exec", "talks", "--", "/bin/true")
            namespace.create(pod("new", "exec sleep 600", node=_NODE))
            namespace.wait_ready("new")
            namespace.delete("new", grace=1)
            namespace.wait_gone("new")
            assert _line(log) == "tick\n"
        wait_until("room for another log", lambda: _reads(namespace), within=SOON)


def _line(process: Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _refused(namespace: Namespace, *arguments: str) -> str:
    """What a user reads; it names Nomad's limit and ours."""
    done = namespace.kubectl(*arguments, check=False)
    assert done.returncode != 0
    for words in ("limits.http_max_conns_per_client", "--nomad-streams"):
        assert words in done.stderr
    return done.stderr


def _reads(namespace: Namespace) -> bool:
    return namespace.kubectl("logs", "talks", "--tail=1", check=False).stdout == "tick\n"
