"""vnode is killed while it renews a token or carries a change: the next one completes it, and no file is ever spoilt.

The proxies of tests/faults kill it: when a token was made and its reply is on the way, before a Variable is written,
after it was, and between two that belong together.
"""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import LATER, SOON, Namespace, container_status
from tests.e2e.objects import secret
from tests.faults.faults import Fault, Killed
from tests.faults.plan import Plan, calm
from tests.faults.routes import Route
from tests.faults.soak import Trial, judge, trial

_NODE = "rotating"
_TOKEN, _WRITE = "POST serviceaccounts/token", "PUT /v1/var"
#: Seconds in which a change is in the files of a running task.
_PROMISED = 15
#: Seconds in which a client has seen a change of a Variable, many times over.
_CLIENT_SECONDS = 3
#: More than one Variable holds.
_LARGE_BYTES = 60_000
#: A line for each thing that was ever found in a file: its name, and the thing or its digest.
_TELLS = """
cd $VNODE_MOUNT_ALL
while sleep 0.1; do for file in *; do
  now=$(cat $file); [ $file = large ] && now=$(sha256sum < large)
  grep -qxF "$file $now" {told} || echo "$file $now" >> {told}
done; done
"""

pytestmark = pytest.mark.timeout(300, func_only=True)


@dataclass(frozen=True)
class Show:
    """Two Pods: one with a token and a short Secret in one Variable, one with a Secret that takes two."""

    at: Trial
    namespace: Namespace
    folder: Path

    def seen(self, file: str) -> list[str]:
        """What was found in a file, one after the other."""
        lines = (line.partition(" ") for line in (self.folder / "told").read_text().splitlines())
        return [content for name, _, content in lines if name == file]

    def wait_seen(self, file: str, content: str, within: float) -> None:
        """Wait for something new in a file."""
        wait_until(f"a change of the file {file}", lambda: self.seen(file)[-1] == content, within=within)

    def variable(self, pod: str) -> str:
        """Where the data of a Pod begins, for Nomad's API."""
        return f"/v1/var/nomad/jobs/vk-{self.namespace.pod(pod)['metadata']['uid']}"

    def change(self, name: str, content: str) -> None:
        """Change what a Secret holds."""
        path = f"/api/v1/namespaces/{self.namespace.name}/secrets/{name}"
        self.namespace.bed.secrets.add(content[:100])
        self.namespace.bed.control_plane.api(path, "PUT", secret(name, {name: content}))

    def dies(self, route: str, *, after_effect: bool) -> None:
        """Run vnode until its next request of a route kills it."""
        self.at.between.director.begin(_killing(route, after_effect=after_effect))
        if not self.at.vnode.running:
            self.at.vnode.start()

    def wait_death(self) -> None:
        """Wait until it was killed, and not by itself."""
        assert self.at.vnode.wait_end(LATER), "vnode never came to the failpoint"
        assert self.at.between.director.given, f"vnode ended by itself: {self.at.vnode.log[-3000:]}"

    def go_on(self) -> None:
        """Start vnode for good."""
        self.at.between.director.begin(calm)
        self.at.vnode.start_and_wait()


def _killing(name: str, *, after_effect: bool) -> Plan:
    killed = Killed(after_effect=after_effect)

    def plan(route: Route, number: int) -> Fault | None:
        return killed if route.name == name and number == 1 else None

    return plan


def _tells(name: str, told: Path, *sources: Manifest) -> Manifest:
    main = container(_TELLS.format(told=told), volumeMounts=[{"name": "all", "mountPath": "/all"}])
    volumes = [{"name": "all", "projected": {"sources": list(sources)}}]
    return pod(name, main, nodeName=_NODE, node=_NODE, volumes=volumes)


def _large(content: str) -> str:
    return content * (_LARGE_BYTES // len(content))


def _digest(content: str) -> str:
    return f"{sha256(content.encode()).hexdigest()}  -"


@pytest.fixture(scope="module")
def show(bed: Bed, namespaces: Namespaces) -> Iterator[Show]:
    folder = bed.directory / f"told-{_NODE}"
    folder.mkdir()
    told = folder / "told"
    told.touch()
    # The tasks may be of another user.
    told.chmod(0o666)
    token = {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}}
    with trial(bed, _NODE) as at, namespaces() as namespace:
        at.between.director.kill = at.vnode.shoot
        found = Show(at, namespace, folder)
        found.go_on()
        namespace.create(
            secret("word", {"word": secrets.token_hex(16)}),
            secret("large", {"large": _large(secrets.token_hex(16))}),
            _tells("small", told, token, {"secret": {"name": "word"}}),
            _tells("large", told, {"secret": {"name": "large"}}),
        )
        for name in ("small", "large"):
            namespace.wait_ready(name)
        wait_until("all files to be told", lambda: all(map(found.seen, ("token", "word", "large"))), within=SOON)
        yield found
        if not at.vnode.running:
            found.go_on()
        namespace.empty()
        judge(at, 0)


@pytest.fixture(autouse=True)
def _no_file_was_ever_empty_and_no_task_restarted(show: Show) -> Iterator[None]:
    yield
    assert "" not in [content for file in ("token", "word", "large") for content in show.seen(file)]
    for name in ("small", "large"):
        assert container_status(show.namespace.pod(name))["restartCount"] == 0


def _grow_old(show: Show) -> str:
    """While no vnode runs, put a token into the Pod's data that tells of an earlier time, and so is to be renewed."""
    bed, path, now = show.namespace.bed, show.variable("small"), int(time.time())
    held = bed.nomad.api(path)
    [item] = [name for name in held["Items"] if name.startswith("token-")]
    claims = base64.urlsafe_b64encode(json.dumps({"iat": now - 590, "exp": now + 10}).encode()).decode().rstrip("=")
    old = f"e30.{claims}.c2ln"
    held["Items"][item] = base64.b64encode(old.encode()).decode()
    bed.nomad.api(path, "PUT", held)
    return old


def test_a_token_is_renewed_whenever_vnode_dies_over_it(show: Show) -> None:
    show.at.vnode.kill()
    old, first = _grow_old(show), show.seen("token")[-1]
    for route, after_effect in ((_TOKEN, True), (_WRITE, False), (_WRITE, True)):
        show.dies(route, after_effect=after_effect)
        show.wait_death()
    show.go_on()
    wait_until("another token in the file", lambda: show.seen("token")[-1] not in {old, first}, within=_PROMISED)
    review = {"token": show.seen("token")[-1], "audiences": ["vault"]}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": review}
    answer = show.namespace.bed.control_plane.api("/apis/authentication.k8s.io/v1/tokenreviews", "POST", body)
    assert answer["status"].get("authenticated"), answer["status"]
    # The one that was written before the last death is found, and none asked for.
    assert show.at.between.director.count(_TOKEN) == 0


def test_a_changed_secret_arrives_whenever_vnode_dies_over_it(show: Show) -> None:
    word = secrets.token_hex(16)
    show.dies(_WRITE, after_effect=False)
    show.change("word", word)
    show.wait_death()
    show.dies(_WRITE, after_effect=True)
    show.wait_death()
    show.go_on()
    show.wait_seen("word", word, within=_PROMISED)


def test_of_what_takes_two_variables_no_part_is_shown_when_vnode_dies_between_them(show: Show) -> None:
    before, after = show.seen("large"), _large(secrets.token_hex(16))
    show.dies(_WRITE, after_effect=True)
    show.change("large", after)
    show.wait_death()
    # Nothing tells that the client has seen the one Variable and does nothing about it.
    time.sleep(_CLIENT_SECONDS)
    assert show.seen("large") == before
    show.go_on()
    show.wait_seen("large", _digest(after), within=_PROMISED)
    assert show.seen("large") == [*before, _digest(after)]
