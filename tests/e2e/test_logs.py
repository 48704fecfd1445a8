"""`kubectl logs` with each of its options, while a container runs and after its end, and its words when it cannot."""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from subprocess import Popen

import pytest

from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import container, job, pod, settings
from tests.e2e.namespace import LATER, SOON, Namespace, container_status, waiting

_TALK = "echo one; echo two; echo three; echo loud >&2"
_OUT, _ERR = "one\ntwo\nthree\n", "loud\n"
_ALL = _OUT + _ERR
_KUBECTLS = [None, "1.29", "1.37"]
#: What a run leaves in the folder that all runs of an allocation share.
_TWICE = 'n=$(cat $NOMAD_ALLOC_DIR/n 2>/dev/null || echo 0); n=$((n+1)); echo $n >$NOMAD_ALLOC_DIR/n; echo "run $n"'


@pytest.fixture(scope="module")
def pods(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    """Pods that have said all that they will say: one that runs, one that has ended, one with two containers, …"""
    vnode.child.must_live()
    with namespaces() as namespace:
        namespace.create(
            pod("running", f"{_TALK}; exec sleep 600", labels={"app": "talk"}),
            pod("ended", _TALK, restart="Never", labels={"app": "talk"}),
            pod("pair", *_pair(), driver="docker", terminationGracePeriodSeconds=1),
            pod("again", f"{_TWICE}; test $n = 1 && exit 1; exec sleep 600"),
            pod("waits", "exit 0", annotations=settings(constraints="${meta.rack} = nowhere")),
            pod("unpulled", container("exit 0", image="127.0.0.1:1/none:1"), driver="docker"),
            job("work", _TALK),
        )
        for name in ("running", "ended"):
            wait_until(f"the log of {name}", partial(_says_all, namespace, name), within=SOON)
        namespace.wait_ready("pair")
        yield namespace


def _says_all(namespace: Namespace, name: str) -> bool:
    namespace.wait_phase(name, "Running", "Succeeded")
    return namespace.logs(name) == _ALL


def _pair() -> list[dict[str, object]]:
    return [container(f"echo I am {name}; sleep 600", name=name) for name in ("left", "right")]


@pytest.mark.parametrize("name", ["running", "ended"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), _ALL),
        (("--tail=-1",), _ALL),
        (("--tail=0",), ""),
        (("--tail=1",), "loud\n"),
        (("--tail=2",), "three\nloud\n"),
        (("--tail=100",), _ALL),
        (("--limit-bytes=5",), "one\nt"),
        (("--since=1h",), _ALL),
        (("--since-time=2020-01-01T00:00:00Z",), _ALL),
        (("--since-time=2099-01-01T00:00:00Z",), ""),
        (("--since=1h", "--tail=2"), "three\nloud\n"),
        (("--all-containers",), _ALL),
        (("--container=main",), _ALL),
    ],
    ids=lambda value: " ".join(value) or "all" if isinstance(value, tuple) else "",
)
def test_options(pods: Namespace, name: str, options: tuple[str, ...], expected: str) -> None:
    assert pods.logs(name, *options) == expected


def test_since_leaves_out_what_is_older(pods: Namespace) -> None:
    wait_until("a second to pass", lambda: pods.logs("running", "--since=1s") == "", within=SOON)


@pytest.mark.parametrize("name", ["running", "ended"])
def test_timestamps(pods: Namespace, name: str) -> None:
    lines = pods.logs(name, "--timestamps").splitlines()
    form = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (.*)")
    matches = [form.fullmatch(line) for line in lines]
    assert [match and match[2] for match in matches] == _ALL.splitlines()
    created = dt.datetime.fromisoformat(pods.pod(name)["metadata"]["creationTimestamp"])
    for match in filter(None, matches):
        assert created <= dt.datetime.fromisoformat(match[1]) <= dt.datetime.now(dt.UTC)


@pytest.mark.parametrize("version", _KUBECTLS)
def test_prefixes_and_selectors(pods: Namespace, version: str | None) -> None:
    log = pods.kubectl("logs", "--selector=app=talk", "--prefix", "--tail=1", version=version).stdout
    assert sorted(log.splitlines()) == ["[pod/ended/main] loud", "[pod/running/main] loud"]


@pytest.mark.parametrize("version", _KUBECTLS)
def test_a_followed_log_of_an_ended_container_ends(pods: Namespace, version: str | None) -> None:
    assert pods.kubectl("logs", "--follow", "ended", version=version).stdout == _ALL


def test_the_log_of_a_job(pods: Namespace) -> None:
    pods.kubectl("wait", "--for=condition=complete", "job/work", "--timeout=60s")
    assert pods.logs("job/work") == _ALL


def test_each_container_has_its_own(pods: Namespace) -> None:
    assert pods.logs("pair", "--container=left") == "I am left\n"
    assert pods.logs("pair", "--container=right") == "I am right\n"
    # kubectl asks for them in the order of a map, which is none.
    both = sorted(pods.logs("pair", "--all-containers", "--prefix").splitlines())
    assert both == ["[pod/pair/left] I am left", "[pod/pair/right] I am right"]


def test_previous_is_the_run_before(pods: Namespace) -> None:
    pods.wait("again", "to run again", lambda found: container_status(found).get("restartCount") == 1, within=LATER)
    pods.wait_ready("again", within=LATER)
    wait_until("the second run's log", lambda: pods.logs("again") == "run 2\n", within=SOON)
    assert pods.logs("again", "--previous") == "run 1\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("waits",), 'container "main" in pod "waits" is waiting to start: ContainerCreating'),
        (("unpulled",), 'container "main" in pod "unpulled" is waiting to start: '),
        (("running", "--previous"), 'previous terminated container "main" in pod "running" not found'),
        (("running", "--container=other"), "container other is not valid for pod running"),
        (("nobody",), 'pods "nobody" not found'),
        (("pair", "--previous", "--container=left"), 'previous terminated container "left" in pod "pair" not found'),
    ],
    ids=["waiting", "unpulled", "previous", "container", "pod", "previous-of-two"],
)
@pytest.mark.parametrize("version", _KUBECTLS)
def test_what_it_says_when_it_cannot(
    pods: Namespace, arguments: tuple[str, ...], words: str, version: str | None
) -> None:
    pods.wait("unpulled", "to fail", lambda found: "Pull" in waiting(found).get("reason", ""))
    done = pods.kubectl("logs", *arguments, version=version, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("driver", ["raw_exec", "exec", "docker"])
def test_a_log_is_followed_from_its_beginning_to_its_end(namespace: Namespace, driver: str) -> None:
    """Lines come while the container runs, and kubectl ends when it has ended."""
    name = f"follow-{driver.replace('_', '-')}"
    namespace.create(pod(name, "n=0; while [ $n -lt 40 ]; do n=$((n+1)); echo line $n; sleep 0.1; done",
                         driver=driver, restart="Never"))  # fmt: skip
    namespace.wait_ready(name)
    with _following(namespace, name) as process:
        first = _line(process)
        state = container_status(namespace.pod(name))["state"]
        rest = _lines(process)
    assert first == "line 1\n"
    assert "running" in state
    assert rest == [f"line {number}" for number in range(2, 41)]
    assert process.returncode == 0


def test_following_from_the_end_shows_only_what_is_new(namespace: Namespace) -> None:
    namespace.create(pod("ticks", "n=0; while true; do n=$((n+1)); echo $n; sleep 0.1; done"))
    namespace.wait_ready("ticks")
    wait_until("some history", lambda: len(namespace.logs("ticks").splitlines()) > 10, within=SOON)
    known = len(namespace.logs("ticks").splitlines())
    with _following(namespace, "ticks", "--tail=0", "--timestamps") as process:
        moment, _, number = _line(process).partition(" ")
    assert int(number) > known
    assert abs(dt.datetime.fromisoformat(moment) - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)


def test_following_two_containers_at_once(namespace: Namespace) -> None:
    both = [container(f"sleep 1; echo {name} 1; sleep 1; echo {name} 2", name=name) for name in ("left", "right")]
    namespace.create(pod("pair", *both, driver="docker", restart="Never"))
    namespace.wait_ready("pair")
    log = namespace.logs("pair", "--follow", "--all-containers", "--prefix").splitlines()
    expected = [f"[pod/pair/{name}] {name} {number}" for name in ("left", "right") for number in (1, 2)]
    assert sorted(log) == expected


def test_a_large_log_comes_whole(namespace: Namespace) -> None:
    namespace.create(pod("large", "seq 1 200000", restart="Never"))
    namespace.wait_phase("large", "Succeeded")
    assert namespace.logs("large").splitlines() == [str(number) for number in range(1, 200_001)]
    assert namespace.logs("large", "--tail=3").split() == ["199998", "199999", "200000"]


@contextmanager
def _following(namespace: Namespace, name: str, *options: str) -> Iterator[Popen[str]]:
    command = ("logs", "--follow", name, *options, f"--namespace={namespace.name}")
    with namespace.bed.kubectl_process(*command) as process:
        yield process


def _line(process: Popen[str]) -> str:
    """One line, as it comes; the test's own timeout ends the wait."""
    assert process.stdout is not None
    return process.stdout.readline()


def _lines(process: Popen[str]) -> list[str]:
    """All lines to come, and the end of kubectl."""
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    process.wait(SOON)
    return lines
