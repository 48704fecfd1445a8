"""The serving certificate by the cluster's own signer, for an API server that verifies it; renewed under way."""

import ssl
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.kubectls_of_users import Kubectl
from tests.e2e.manifests import pod
from tests.e2e.namespace import LATER, SOON, Namespace
from tests.e2e.signing import approve

_NODE = "signed-node"
_LIFE_SECONDS = 24
_POD = "counts"
_COUNTS = "i=0; while true; do i=$((i+1)); echo $i; sleep 0.5; done"

pytestmark = pytest.mark.timeout(200, func_only=True)


@pytest.fixture
def signed(bed: Bed) -> Iterator[VnodeProcess]:
    if bed.profile != "secured":
        pytest.skip("the API server of the plain profile does not verify")
    with (
        bed.control_plane.signing_for(_LIFE_SECONDS),
        bed.vnode("--server-tls-bootstrap", node_name=_NODE, with_certificate=False) as process,
    ):
        yield process
    bed.kubectl("delete", "node", _NODE)


def test_it_waits_for_approval_and_is_renewed_under_an_open_log_and_an_open_exec(
    bed: Bed, signed: VnodeProcess, namespaces: Namespaces
) -> None:
    with namespaces() as namespace:
        namespace.create(pod(_POD, _COUNTS, node=_NODE))
        namespace.wait_ready(_POD)
        _nobody_vouches_for_it_yet(signed, namespace)
        approve(bed, _NODE)
        wait_until("a log by a verified connection", lambda: _log(namespace).returncode == 0, within=SOON)
        first = _served(signed)
        with (
            bed.kubectl_process("logs", "--follow", _POD, f"--namespace={namespace.name}") as following,
            Kubectl().beside(namespace, "exec", "--stdin", _POD, "--", "cat") as typing,
        ):
            assert following.stdout is not None
            assert following.stdout.readline() == "1\n"
            assert _repeats(typing, b"before\n")
            approve(bed, _NODE)
            wait_until("the next certificate", lambda: _served(signed) != first, within=LATER)
            wait_until("a log by the next certificate", lambda: _log(namespace).returncode == 0, within=SOON)
            last = int(_log(namespace).stdout.split()[-1])
            numbers = (int(line) for line in following.stdout)
            assert next(number for number in numbers if number > last) == last + 1
            assert following.poll() is None
            assert _repeats(typing, b"after\n")
            assert typing.stdin is not None
            typing.stdin.close()
            assert typing.wait(SOON) == 0
        # The Pod is deleted while its Node is served.
        namespace.empty()


def _nobody_vouches_for_it_yet(signed: VnodeProcess, namespace: Namespace) -> None:
    refused = _log(namespace)
    assert refused.returncode != 0
    assert "certificate signed by unknown authority" in refused.stderr
    unverified = namespace.kubectl("logs", _POD, "--insecure-skip-tls-verify-backend")
    assert unverified.stdout.startswith("1\n")
    said = signed.log.read_text()
    assert "kubectl certificate approve signed-node-serving-" in said
    assert "SELF-SIGNED" in said


def _repeats(process: subprocess.Popen[bytes], line: bytes) -> bool:
    """Whether what is typed comes back, over the connection that was opened at the beginning."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline() == line


def _log(namespace: Namespace) -> subprocess.CompletedProcess[str]:
    return namespace.kubectl("logs", _POD, check=False)


def _served(vnode: VnodeProcess) -> str:
    try:
        return ssl.get_server_certificate(vnode.kubelet_address, timeout=10)
    except OSError as problem:
        raise BedError(f"no TLS at {vnode.kubelet_address}: {problem}") from problem
