"""exec, attach, cp and debug as people use them, for each driver and from each supported kubectl."""

import itertools
import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bed import kubectls
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.kubectls_of_users import Kubectl
from tests.e2e.manifests import pod
from tests.e2e.namespace import SOON, Namespace

_DRIVERS = {"docker": "docker", "exec": "exec", "raw": "raw_exec"}
_PODS = tuple(_DRIVERS)
_NO_WEBSOCKETS = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}
_KUBECTLS = [Kubectl(version, switches) for version in (None, *kubectls.VERSIONS) for switches in ({}, _NO_WEBSOCKETS)]
_USUAL = Kubectl()
_TALK = "n=0; while true; do n=$((n+1)); echo tick $n; sleep 0.2; done"
#: Arguments of `sleep` that nobody else has.
_SECONDS = itertools.count(os.getpid() * 1000)
#: Bytes that a stalled reader may cost vnode.
_STALL = 20 * 1024 * 1024


@pytest.fixture(scope="module")
def pods(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    """One Pod for each driver, and one that talks."""
    vnode.child.must_live()
    with namespaces() as namespace:
        namespace.create(
            *(
                pod(name, "exec sleep 3600", driver=driver, terminationGracePeriodSeconds=1)
                for name, driver in _DRIVERS.items()
            ),
            pod("talks", _TALK, terminationGracePeriodSeconds=1),
            pod("over", "exit 3", restart="Never"),
        )
        for name in (*_PODS, "talks"):
            namespace.wait_ready(name)
        namespace.wait_phase("over", "Failed")
        yield namespace


@pytest.fixture(scope="module")
def megabytes() -> bytes:
    return _noise(7, 20_000_000)


@pytest.fixture(scope="module")
def translated_pods(bed: Bed, namespaces: Namespaces) -> Iterator[Namespace]:
    """Pods of a Node that has no WebSockets handed on to it: the API server translates them."""
    older = ("--node-pool=all", "--no-websocket-streaming", "--no-nomad-client-agents")
    with bed.vnode(*older, node_name="older") as _, namespaces() as namespace:
        namespace.create(
            pod("docker", "exec sleep 3600", node="older", driver="docker", terminationGracePeriodSeconds=1),
            pod("raw", "exec sleep 3600", node="older", terminationGracePeriodSeconds=1),
            pod("talks", _TALK, node="older", terminationGracePeriodSeconds=1),
        )
        for name in ("docker", "raw", "talks"):
            namespace.wait_ready(name)
        yield namespace
        namespace.empty()
    bed.kubectl("delete", "node", "older")


class TestEachKubectl:
    """Against a Node to which the API server hands WebSockets on."""

    @pytest.fixture(params=_KUBECTLS, ids=str)
    def kubectl(self, request: pytest.FixtureRequest) -> Kubectl:
        found: Kubectl = request.param
        return found

    def test_output_and_exit_code(self, pods: Namespace, kubectl: Kubectl) -> None:
        done = kubectl.run(pods, "exec", "docker", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        assert (done.stdout, done.returncode) == (b"out\n", 7)
        assert done.stderr == b"err\ncommand terminated with exit code 7\n"

    def test_twenty_megabytes_there_and_back(self, pods: Namespace, kubectl: Kubectl, megabytes: bytes) -> None:
        done = kubectl.run(pods, "exec", "--stdin", "raw", "--", "cat", stdin=megabytes)
        assert (done.returncode, done.stdout == megabytes) == (0, True), (len(done.stdout), done.stderr)

    def test_a_terminal_of_changing_size(self, pods: Namespace, kubectl: Kubectl) -> None:
        with kubectl.terminal(pods, "exec", "--stdin", "--tty", "raw", "--", "sh") as terminal:
            # A size travels on its own: it may come behind what is typed.
            terminal.type("until stty size | grep '30 100'; do sleep 0.1; done; tty\n")
            terminal.see("30 100\r\n")
            terminal.see("/dev/pts/")
            terminal.resize(80, 24)
            terminal.type("until stty size | grep 80; do sleep 0.1; done\n")
            terminal.see("24 80\r\n")
            terminal.type("exit 5\n")
            assert terminal.end() == 5

    def test_copies_both_ways(self, pods: Namespace, kubectl: Kubectl, tmp_path: Path) -> None:
        there, back = tmp_path / "a tree", tmp_path / "back"
        _plant(there, files=3, size=1000)
        place = f"docker:/tmp/{abs(hash(str(kubectl)))}"
        assert kubectl.run(pods, "cp", str(there), place).returncode == 0
        assert kubectl.run(pods, "cp", place, str(back)).returncode == 0
        assert _contents(back) == _contents(there)

    def test_attach_shows_what_is_said_from_now_on(self, pods: Namespace, kubectl: Kubectl) -> None:
        known = pods.logs("talks").count("\n")
        with kubectl.beside(pods, "attach", "talks") as process:
            assert process.stdout is not None
            words, number = process.stdout.readline().split()
        assert words == b"tick"
        assert int(number) >= known

    def test_a_log_is_followed(self, pods: Namespace, kubectl: Kubectl) -> None:
        with kubectl.beside(pods, "logs", "--follow", "--tail=1", "talks") as process:
            assert process.stdout is not None
            first, second = (int(process.stdout.readline().split()[1]) for _ in range(2))
        assert second == first + 1


class TestEachKubectlThatIsTranslated(TestEachKubectl):
    """Against a Node whose API server translates WebSockets to SPDY; what is SPDY from the beginning is the same."""

    @pytest.fixture
    def pods(self, translated_pods: Namespace) -> Namespace:
        return translated_pods

    @pytest.fixture(params=[Kubectl(version) for version in kubectls.VERSIONS[1:]], ids=str)
    def kubectl(self, request: pytest.FixtureRequest) -> Kubectl:
        found: Kubectl = request.param
        return found

    def test_output_and_exit_code(self, pods: Namespace, kubectl: Kubectl) -> None:
        """The API server's first message is empty, and kubectl up to 1.35 complains when it comes too early."""
        done = kubectl.run(pods, "exec", "docker", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        assert (done.stdout, done.returncode) == (b"out\n", 7)
        said = [line for line in done.stderr.splitlines() if b"Unknown stream id" not in line]
        assert said == [b"err", b"command terminated with exit code 7"]

    def test_it_is_the_api_server_that_translates(self, bed: Bed, pods: Namespace, kubectl: Kubectl) -> None:
        before = _translations(bed)
        assert kubectl.run(pods, "exec", "docker", "--", "true").returncode == 0
        assert _translations(bed) == before + 1


def test_nothing_is_translated_where_websockets_are_handed_on(bed: Bed, pods: Namespace) -> None:
    before = _translations(bed)
    assert _USUAL.run(pods, "exec", "docker", "--", "true").returncode == 0
    assert _translations(bed) == before


@pytest.mark.parametrize("name", _PODS)
class TestEachDriver:
    def test_output_and_exit_code(self, pods: Namespace, name: str) -> None:
        done = _USUAL.run(pods, "exec", name, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        assert (done.stdout, done.returncode) == (b"out\n", 7)
        assert done.stderr == b"err\ncommand terminated with exit code 7\n"

    def test_input_and_its_end(self, pods: Namespace, name: str) -> None:
        done = _USUAL.run(pods, "exec", "--stdin", name, "--", "cat", stdin=b"some\0bytes")
        assert (done.stdout, done.returncode) == (b"some\0bytes", 0)

    def test_a_command_ends_though_nobody_closes_its_input(self, pods: Namespace, name: str) -> None:
        with _USUAL.beside(pods, "exec", "--stdin", name, "--", "echo", "here") as process:
            assert process.wait(SOON) == 0
            assert process.stdout is not None
            assert process.stdout.read() == b"here\n"

    def test_a_program_that_is_not_there(self, pods: Namespace, name: str) -> None:
        """Twice: under exec, Nomad alone would not run anything any more after the first."""
        for _ in range(2):
            done = _USUAL.run(pods, "exec", name, "--", "no-such-program")
            assert done.returncode == 127
            assert b"no-such-program" in done.stderr

    def test_the_whole_of_a_large_output(self, pods: Namespace, name: str) -> None:
        done = _USUAL.run(pods, "exec", name, "--", "sh", "-c", "head -c 5000000 /dev/zero; echo end")
        assert (len(done.stdout), done.stdout[-4:], done.returncode) == (5_000_004, b"end\n", 0)

    def test_a_terminal(self, pods: Namespace, name: str) -> None:
        with _USUAL.terminal(pods, "exec", "--stdin", "--tty", name, "--", "sh") as terminal:
            terminal.type("echo $((6*7)) $TERM; exit 3\n")
            terminal.see("42 xterm\r\n")
            assert terminal.end() == 3

    @pytest.mark.parametrize("options", [(), ("--stdin",)], ids=["without input", "with input"])
    def test_nothing_is_left_when_kubectl_is_killed(self, pods: Namespace, name: str, options: tuple[str, ...]) -> None:
        seconds = str(next(_SECONDS))
        script = f"sleep {seconds} & echo here; sleep {seconds}; true"
        with _USUAL.beside(pods, "exec", *options, name, "--", "sh", "-c", script) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"here\n"
            # Both of them: a shell goes on before the program that it started has begun.
            wait_until("the command", lambda: len(_running(seconds)) == 2, within=SOON)
        wait_until("the command to be gone", lambda: not _running(seconds), within=SOON)

    def test_nothing_is_left_when_a_terminal_is_closed(self, pods: Namespace, name: str) -> None:
        seconds = str(next(_SECONDS))
        with _USUAL.terminal(pods, "exec", "--stdin", "--tty", name, "--", "sh") as terminal:
            terminal.type(f"echo $((6*7)); sleep {seconds}\n")
            terminal.see("42\r\n")
            wait_until("the command", lambda: _running(seconds), within=SOON)
        wait_until("the command to be gone", lambda: not _running(seconds), within=SOON)


def test_fifty_megabytes_of_files_with_spaces_in_their_names(pods: Namespace, tmp_path: Path) -> None:
    there, back = tmp_path / "a tree", tmp_path / "back"
    _plant(there, files=50, size=1_000_000)
    assert _USUAL.run(pods, "cp", str(there), "docker:/tmp/large tree", within=100).returncode == 0
    done = _USUAL.run(pods, "cp", "docker:/tmp/large tree", str(back), within=100)
    assert done.returncode == 0, done.stderr
    assert _contents(back) == _contents(there)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("exec", "over", "--", "true"), "cannot exec into a container in a completed pod"),
        (("exec", "docker", "--container=other", "--", "true"), "container other is not valid for pod docker"),
        (("attach", "docker", "--stdin"), "kubectl exec -it"),
        (("exec", "nobody", "--", "true"), 'pods "nobody" not found'),
    ],
    ids=["ended", "container", "input", "pod"],
)
def test_what_it_says_when_it_cannot(pods: Namespace, arguments: tuple[str, ...], words: str) -> None:
    done = _USUAL.run(pods, *arguments)
    assert done.returncode == 1
    assert words in done.stderr.decode()


def test_run_shows_the_output_and_says_why_nothing_can_be_typed(pods: Namespace) -> None:
    overrides = '{"spec": {"tolerations": [{"operator": "Exists"}], "nodeName": "nomad"}}'
    done = _USUAL.run(
        pods, "run", "once", "--rm", "--stdin", "--restart=Never", "--image=busybox:1.36", f"--overrides={overrides}",
        "--", "sh", "-c", "echo hello; sleep 2",
    )  # fmt: skip
    assert b"hello" in done.stdout
    assert b"kubectl exec -it" in done.stderr
    pods.wait_gone("once")


def test_debug_is_answered_at_once(pods: Namespace) -> None:
    done = _USUAL.run(pods, "debug", "talks", "--stdin", "--image=busybox:1.36", "--container=look", within=30)
    assert "kubectl debug --copy-to" in done.stderr.decode()


def test_a_reader_that_stalls_costs_no_memory(pods: Namespace, vnode: VnodeProcess) -> None:
    """An output of one gigabyte, of which nobody reads a byte; then its reader goes, and the command with it."""
    before = _memory(vnode.child.pid)
    with _USUAL.beside(pods, "exec", "raw", "--", "head", "-c", "1000000007", "/dev/zero"):
        wait_until("the command", lambda: _running("1000000007"), within=SOON)
        grown = []
        for _ in range(10):
            time.sleep(0.5)
            grown.append(_memory(vnode.child.pid) - before)
    print(f"grown by {max(grown) / 1e6:.1f} MB")
    assert max(grown) < _STALL
    wait_until("the command to be gone", lambda: not _running("1000000007"), within=SOON)


def test_an_idle_session_ends(bed: Bed, namespaces: Namespaces) -> None:
    with bed.vnode("--node-pool=all", "--streaming-idle-limit=2", node_name="brief") as _, namespaces() as namespace:
        namespace.create(
            pod("sleeps", "exec sleep 3600", node="brief", driver="docker", terminationGracePeriodSeconds=1)
        )
        namespace.wait_ready("sleeps")
        seconds = str(next(_SECONDS))
        started = time.monotonic()
        done = _USUAL.run(namespace, "exec", "sleeps", "--", "sleep", seconds)
        assert done.returncode != 0
        assert 1.5 < time.monotonic() - started < SOON
        wait_until("the command to be gone", lambda: not _running(seconds), within=SOON)
        assert _USUAL.run(namespace, "exec", "sleeps", "--", "sh", "-c", _CHATTY).returncode == 0
        namespace.empty()
    bed.kubectl("delete", "node", "brief")


#: Longer than the limit, and never silent for as long.
_CHATTY = "for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.5; done"


def _translations(bed: Bed) -> int:
    """How many WebSockets the API server has translated."""
    text = bed.kubectl("get", "--raw=/metrics").stdout
    found = re.findall(r"^apiserver_stream_translator_requests_total\{.*\} (\d+)$", text, re.MULTILINE)
    return sum(map(int, found))


def _running(word: str) -> list[str]:
    """Processes of this machine, which runs all tasks, that have this word among their arguments."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in arguments and arguments[0] in {b"sleep", b"head"}:
            found.append(file.parent.name)
    return found


def _memory(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def _plant(root: Path, *, files: int, size: int) -> None:
    for number in range(files):
        folder = root / f"folder {number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}, größer").write_bytes(_noise(number, size))


def _contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}
