"""Bad input: what people write wrong or find broken, what they see of it, and how it ends.

The tables here are the tested rows of the one in docs/troubleshooting.md. What can never work fails, with one Event
that names the field and the way out, and leaves nothing in Nomad; what may work later waits with a kubelet's reason,
is tried again, and recovers by itself.
"""

import functools
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from tests.e2e.bed.bed import REPOSITORY, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import BUSYBOX, NODE, Manifest, container, deployment, pod, settings
from tests.e2e.namespace import LATER, SOON, Namespace, condition, container_status, phase, terminated, waiting

_TROUBLESHOOTING = REPOSITORY / "docs" / "troubleshooting.md"
_PROGRAM = b"#!/bin/sh\nexec sleep 3600\n"
_RIGHT, _WRONG = sha256(_PROGRAM).hexdigest(), "0" * 64
_RUNS = "sleep 3600"
_ONCE_MORE = 2
#: Until vnode tries again, at the longest, and the time to run.
_TRIED_AGAIN = 360.0
_STRICT = "strict"
_STORM_SECONDS, _FEW = 15, 3
_PLACED = "nomad.hashinetes.io/Placed"

# What the texts of a table cannot know yet: hosts of downloads that are there and that are away, and a folder.
UP, DOWN, TOOLS = "@up@", "@down@", "@tools@"


@dataclass(frozen=True, slots=True)
class Ground:
    """Where bad input meets the servers, and what it is cured with."""

    bed: Bed
    namespace: Namespace
    up: tuple[str, int]
    down: tuple[str, int]
    folder: Path
    cleanup: ExitStack

    @property
    def tools(self) -> Path:
        """A folder of programs, the same for every client, empty at first."""
        return self.folder / "tools"

    def create(self, manifest: Manifest) -> None:
        """Create a Pod of a table."""
        text = json.dumps(manifest)
        for mark, place in ((UP, "{}:{}".format(*self.up)), (DOWN, "{}:{}".format(*self.down)), (TOOLS, self.tools)):
            text = text.replace(mark, str(place))
        self.namespace.create(json.loads(text))


@pytest.fixture(scope="module")
def ground(bed: Bed, scene: Namespace) -> Iterator[Ground]:
    """One for the file; each Pod on it has a name of its own."""
    folder = bed.directory / "bad-input"
    up, down = ((bed.node_address, bed.free_port()) for _ in range(2))
    (folder / "tools").mkdir(parents=True)
    (folder / "serve").write_bytes(_PROGRAM)
    with ExitStack() as cleanup, _serving(folder, up):
        yield Ground(bed, scene, up, down, folder, cleanup)


@contextmanager
def _serving(folder: Path, address: tuple[str, int]) -> Iterator[None]:
    """A server of downloads."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(address, handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def strict(bed: Bed) -> Iterator[VnodeProcess]:
    """A Node with a narrow policy, whose Nomad namespaces are made by hand."""
    rules = {"namespaces": ["scene-*"], "commands": ["/bin/*"], "artifact_hosts": ["releases.example.com"]}
    policy = {"policy": {"drivers": {"raw_exec": rules}}}
    with bed.vnode("--node-pool=all", "--namespace-map=k8s-{namespace}", node_name=_STRICT, settings=policy) as process:
        yield process


def _artifact(address: str) -> dict[str, str]:
    return settings(artifact=address)


def _on(node: str) -> Manifest:
    return {"nodeSelector": {"kubernetes.io/hostname": node}}


@dataclass(frozen=True, slots=True)
class Permanent:
    """What is written, by its name in docs/, and what is seen of it."""

    documented: str
    pod: Manifest
    reason: str
    words: Sequence[str]

    def __str__(self) -> str:
        return str(self.pod["metadata"]["name"])


PERMANENT = (
    Permanent(
        "`driver: rawexec`",
        pod("unknown-driver", _RUNS, driver="rawexec"),
        "InvalidDriver",
        ("metadata.annotations[nomad.hashinetes.io/driver]", "'rawexec'", "did you mean raw_exec?"),
    ),
    Permanent(
        "a command that the policy does not list",
        pod("command-not-allowed", container(command=["/usr/bin/env"]), **_on(_STRICT)),
        "PolicyDenied",
        ("/usr/bin/env", "policy.drivers.raw_exec.commands"),
    ),
    Permanent(
        "`artifact` without a checksum",
        pod("no-checksum", container(), annotations=_artifact(f"http://{UP}/serve")),
        "PolicyDenied",
        ("has no checksum", "checksum=sha256:<64 hex digits>", "policy.drivers.raw_exec.require_checksum"),
    ),
    Permanent(
        "a checksum that is none",
        pod("no-such-checksum", container(), annotations=_artifact(f"http://{UP}/serve?checksum=sha256:abc")),
        "InvalidAnnotation",
        ("metadata.annotations[nomad.hashinetes.io/artifact]", "sha256:<64 hex digits>"),
    ),
    *(
        Permanent(
            "a wrong checksum",
            pod(
                f"wrong-checksum-{restart.lower()}",
                container(),
                annotations=_artifact(f"http://{UP}/serve?checksum=sha256:{_WRONG}"),
                restart=restart,
            ),
            "ErrImagePull",
            ("Checksums did not match", _WRONG, _RIGHT),
        )
        for restart in ("Always", "OnFailure", "Never")
    ),
    Permanent(
        "an artifact of a host that the policy does not list",
        pod(
            "host-not-allowed",
            container(),
            annotations=_artifact(f"http://{UP}/serve?checksum=sha256:{_RIGHT}"),
            **_on(_STRICT),
        ),
        "PolicyDenied",
        ("policy.drivers.raw_exec.artifact_hosts",),
    ),
    Permanent(
        "`node-pool: gpu`, and there is none",
        pod("no-node-pool", _RUNS, annotations=settings(node_pool="gpu")),
        "NomadRejected",
        ('nonexistent node pool "gpu"',),
    ),
    Permanent(
        "`task-config: '{no'` (malformed)",
        pod("malformed", _RUNS, annotations=settings(task_config="{no")),
        "InvalidAnnotation",
        ("metadata.annotations[nomad.hashinetes.io/task-config]", "JSON"),
    ),
    Permanent(
        "a field that is not supported (NFS, init container, `runAsNonRoot` …)",
        pod("not-supported", _RUNS, securityContext={"runAsNonRoot": True}),
        "PodFeatureUnsupported",
        ("spec.securityContext.runAsNonRoot",),
    ),
)


@pytest.mark.parametrize("row", PERMANENT, ids=str)
@pytest.mark.usefixtures("strict")
def test_what_can_never_work_fails_with_one_event_and_leaves_nothing(ground: Ground, row: Permanent) -> None:
    ground.create(row.pod)
    _must_fail(ground.namespace, str(row), row.reason, row.words)


def test_a_driver_that_the_namespace_may_not_use(vnode: VnodeProcess, namespaces: Namespaces) -> None:
    vnode.child.must_live()
    with namespaces("team") as team:
        team.create(pod("raw", _RUNS))
        words = (f"raw_exec is not allowed in namespace {team.name}", "policy.drivers.raw_exec.namespaces")
        _must_fail(team, "raw", "PolicyDenied", words)


def test_a_program_that_is_not_there_fails_a_pod_that_runs_once(ground: Ground) -> None:
    ground.create(pod("no-program-once", container(command=["/nowhere/program"]), restart="Never"))
    found = ground.namespace.wait_phase("no-program-once", "Failed")
    ended = terminated(found)
    assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
    assert 'binary "/nowhere/program" could not be found' in ended["message"]
    event = ground.namespace.wait_event("no-program-once", "Failed", "/nowhere/program", "could not be found")
    assert event["count"] == 1
    ground.namespace.delete("no-program-once")
    _leaves_no_job(ground.namespace, "no-program-once")


def _must_fail(namespace: Namespace, name: str, reason: str, words: Sequence[str]) -> None:
    status = namespace.wait_phase(name, "Failed")["status"]
    event = namespace.wait_event(name, reason, *words)
    assert event["type"] == "Warning"
    assert event.get("count") == 1
    assert status["reason"] == reason
    assert [word for word in words if word not in status["message"]] == []
    assert [each["restartCount"] for each in status.get("containerStatuses", ())] in ([], [0])
    _leaves_no_job(namespace, name)
    warnings = [(each["reason"], each["message"]) for each in namespace.events(name) if each["type"] == "Warning"]
    assert [each for each in warnings if each[0] == reason] == [(reason, event["message"])]


def _leaves_no_job(namespace: Namespace, name: str) -> None:
    """Wait until Nomad holds no job of this Pod."""
    job = f"{namespace.name}/{name}"
    wait_until(
        f"{job} to leave Nomad", lambda: job not in {each["Name"] for each in namespace.nomad_jobs()}, within=SOON
    )


@dataclass(frozen=True, slots=True)
class Transient:
    """What is written or broken, by its name in docs/, what is seen of it, and what cures it.

    `waits` are the reasons with which the container waits, `event` is that of the Event; `again` says that the Event
    is told at every attempt.
    """

    documented: str
    pod: Manifest
    waits: Sequence[str]
    event: str
    words: Sequence[str]
    cure: Callable[[Ground], None]
    again: bool = True

    def __str__(self) -> str:
        return str(self.pod["metadata"]["name"])


def _install_program(ground: Ground) -> None:
    program = ground.tools / "late"
    program.write_bytes(_PROGRAM)
    program.chmod(0o755)


def _host_comes_up(ground: Ground) -> None:
    ground.cleanup.enter_context(_serving(ground.folder, ground.down))


def _tag_image(ground: Ground) -> None:
    ground.bed.docker.run("tag", BUSYBOX, "{}:{}/absent:1".format(*ground.down))


def _make_room(ground: Ground) -> None:
    ground.namespace.delete("large-0", grace=0)


def _label_client(ground: Ground) -> None:
    node = ground.bed.nomad.clients["edge-0"].node["ID"]
    ground.bed.nomad.api(f"/v1/client/metadata?node_id={node}", "POST", {"Meta": {"late": "yes"}})


def _create_namespace(ground: Ground) -> None:
    name = f"k8s-{ground.namespace.name}"
    ground.bed.nomad.api(f"/v1/namespace/{name}", "POST", {"Name": name})


def _large(name: str) -> Manifest:
    """Three of them do not fit onto the two clients of the pool."""
    main = container(_RUNS, resources={"limits": {"memory": "12Gi"}})
    return pod(name, main, annotations=settings(node_pool="edge"), nodeName=NODE)


TRANSIENT = (
    Transient(
        "an artifact whose host does not answer",
        pod("host-away", container(), annotations=_artifact(f"http://{DOWN}/serve?checksum=sha256:{_RIGHT}")),
        ("ErrImagePull", "ImagePullBackOff"),
        "Failed",
        ("connection refused",),
        _host_comes_up,
    ),
    Transient(
        "a program that the client does not have",
        pod("no-program", container(command=[f"{TOOLS}/late"])),
        ("RunContainerError",),
        "Failed",
        ("could not be found", "/late"),
        _install_program,
    ),
    Transient(
        "an image that does not exist",
        pod("no-image", container(_RUNS, image=f"{DOWN}/absent:1"), driver="docker"),
        ("ErrImagePull", "ImagePullBackOff"),
        "Failed",
        ("/absent:1",),
        _tag_image,
    ),
    Transient(
        "more memory or CPU than any client has",
        _large("large-2"),
        ("ContainerCreating",),
        "Unschedulable",
        ('Dimension "memory" exhausted on 2 clients',),
        _make_room,
        again=False,
    ),
    Transient(
        "a constraint that no client meets",
        pod("no-client", _RUNS, annotations=settings(constraints="${meta.late} = yes")),
        ("ContainerCreating",),
        "Unschedulable",
        ('Constraint "${meta.late} = yes": 5 clients excluded by filter',),
        _label_client,
        again=False,
    ),
    Transient(
        "nothing wrong; the Nomad namespace is missing",
        pod("no-namespace", _RUNS, **_on(_STRICT)),
        (),
        "NomadNamespaceMissing",
        ("nomad namespace apply",),
        _create_namespace,
    ),
)


@pytest.fixture(scope="module")
def patients(ground: Ground, strict: VnodeProcess) -> Ground:
    """All of them, and the double of each that is deleted uncured; their pauses go by side by side."""
    strict.child.must_live()
    for number in range(2):
        ground.create(_large(f"large-{number}"))
        ground.namespace.wait_ready(f"large-{number}")
    for row in TRANSIENT:
        for manifest in (row.pod, _double(row)):
            ground.create(manifest)
    return ground


def _double(row: Transient) -> Manifest:
    return {**row.pod, "metadata": {**row.pod["metadata"], "name": f"{row}-double"}}


@pytest.mark.parametrize("row", TRANSIENT, ids=str)
def test_what_may_work_later_waits_and_is_deleted_without_trace(patients: Ground, row: Transient) -> None:
    namespace, name = patients.namespace, f"{row}-double"
    namespace.wait_event(name, row.event, *row.words, within=LATER)
    _must_wait(namespace.pod(name), row)
    namespace.delete(name)
    namespace.wait_gone(name)
    _leaves_no_job(namespace, name)


@pytest.fixture(scope="module")
def cured(patients: Ground) -> Ground:
    """Each was told about again and is cured; they recover side by side, for a pause may be minutes long by now."""
    for row in TRANSIENT:
        wait_until(
            f"{row} to be told about again", functools.partial(_is_told_again, patients.namespace, row), within=LATER
        )
        _must_wait(patients.namespace.pod(str(row)), row)
    for row in TRANSIENT:
        row.cure(patients)
    return patients


@pytest.mark.timeout(600, func_only=True)
@pytest.mark.parametrize("row", TRANSIENT, ids=str)
def test_what_may_work_later_is_told_in_one_event_and_recovers_by_itself(cured: Ground, row: Transient) -> None:
    namespace, name = cured.namespace, str(row)
    told = namespace.events(name, row.event)
    assert len({event["message"] for event in told}) == len(told)
    found = namespace.wait_ready(name, within=_TRIED_AGAIN)
    assert container_status(found)["restartCount"] == 0


def _is_told_again(namespace: Namespace, row: Transient) -> bool:
    event = namespace.wait_event(str(row), row.event, *row.words)
    return not row.again or int(event["count"]) >= _ONCE_MORE


def _must_wait(found: Manifest, row: Transient) -> None:
    assert phase(found) == "Pending"
    if not row.waits:
        return
    assert waiting(found)["reason"] in row.waits
    said = waiting(found).get("message", "") + " ".join(
        each.get("message", "") for each in found["status"]["conditions"]
    )
    assert [word for word in row.words if word not in said] == []


def test_an_expired_token_is_said_and_replaced_without_a_restart(bed: Bed, namespace: Namespace) -> None:
    if bed.nomad.management_token is None:
        pytest.skip("this bed's Nomad asks for no token")
    file = bed.directory / "nomad-token"
    file.write_text(_new_token(bed, ExpirationTTL="15s"))
    with bed.vnode("--node-pool=all", f"--nomad-token-file={file}", node_name="late") as late:
        namespace.create(pod("before", _RUNS, **_on("late")))
        before = namespace.wait_ready("before")
        wait_until("the token to expire", lambda: _has_expired(bed, file.read_text()), within=SOON)
        namespace.create(pod("after", _RUNS, **{**_on("late"), "nodeName": "late"}))
        namespace.wait_event("after", "NomadUnavailable", "token")
        wait_until("Nomad to be called unreachable", lambda: _reachable(bed) == "False", within=SOON)
        assert phase(namespace.pod("after")) == "Pending"
        assert namespace.pod("before") == before
        file.write_text(_new_token(bed))
        namespace.wait_ready("after", within=LATER)
        wait_until("Nomad to be called reachable", lambda: _reachable(bed) == "True", within=SOON)
        assert namespace.pod("before") == before
        late.child.must_live()
        namespace.empty()


def _new_token(bed: Bed, **fields: str) -> str:
    body = {"Name": "late", "Type": "client", "Policies": ["vnode"], **fields}
    return str(bed.nomad.api("/v1/acl/token", "POST", body)["SecretID"])


def _has_expired(bed: Bed, token: str) -> bool:
    with bed.nomad.http(token=token) as nomad:
        return not nomad.get("/v1/jobs").is_success


def _reachable(bed: Bed) -> str:
    conditions = bed.control_plane.api("/api/v1/nodes/late")["status"]["conditions"]
    return next((str(each["status"]) for each in conditions if each["type"] == "NomadReachable"), "")


def test_an_unknown_annotation_is_warned_about_and_the_pod_runs(scene: Namespace) -> None:
    scene.create(pod("misspelt", _RUNS, annotations=settings(aritfact="http://example.com/")))
    scene.wait_ready("misspelt")
    event = scene.wait_event(
        "misspelt", "UnknownAnnotation", "nomad.hashinetes.io/aritfact", "did you mean 'artifact'?"
    )
    assert (event["type"], event["count"]) == ("Warning", 1)


def test_the_kubernetes_scheduler_says_that_no_node_is_large_enough(scene: Namespace) -> None:
    scene.create(pod("absurd", container(_RUNS, resources={"limits": {"memory": "100Ti"}})))
    scene.wait_event("absurd", "FailedScheduling", "Insufficient memory")
    assert phase(scene.pod("absurd")) == "Pending"


def test_a_replica_set_of_refused_pods_makes_no_storm(scene: Namespace) -> None:
    scene.create(deployment("stormy", _RUNS, 1, driver="rawexec"))
    found = scene.wait("", "to be refused", lambda each: condition(each, _PLACED), app="stormy")
    assert phase(found) == "Pending"
    assert condition(found, _PLACED)["reason"] == "InvalidDriver"
    scene.wait_event(found["metadata"]["name"], "InvalidDriver", "did you mean raw_exec?")
    seen = 0
    until = time.monotonic() + _STORM_SECONDS
    while time.monotonic() < until:
        seen = len(scene.pods("stormy"))
        assert seen <= _FEW
        time.sleep(0.5)
    assert seen >= 1


def test_every_row_stands_in_the_documentation() -> None:
    rows = {}
    for line in _TROUBLESHOOTING.read_text().splitlines():
        if line.startswith("| "):
            written, seen, _ = line.strip("| ").split(" | ", 2)
            rows[written] = seen
    for row in PERMANENT:
        assert row.reason in rows[row.documented], row.documented
    for waiting_row in TRANSIENT:
        assert "Pending" in rows[waiting_row.documented], waiting_row.documented
