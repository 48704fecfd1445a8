"""Hooks around the end of a Pod; those around a start are compared with a kubelet in the corpus.

Exit codes are asked of docker containers only: Nomad may lose that of a process which it asks to end (differences.md).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import LATER, SOON, Namespace, container_status, terminated

#: Its code tells whether something was done before it was asked to end.
_ENDS_WHEN_ASKED = "trap '[ -e /tmp/before ] && exit 8; exit 7' TERM; while true; do sleep 0.1; done"
_SERVES = (
    "mkdir -p /tmp/cgi-bin; printf '#!/bin/sh\\ntouch /tmp/before\\necho\\n' > /tmp/cgi-bin/bye; "
    f"chmod +x /tmp/cgi-bin/bye; httpd -p 8080 -h /tmp; {_ENDS_WHEN_ASKED}"
)


def _stopped_by(name: str, hook: Manifest, *, script: str = _ENDS_WHEN_ASKED, **fields: Any) -> Manifest:
    return pod(name, container(script, lifecycle={"preStop": hook}), driver="docker", **fields)


PODS: dict[str, tuple[Manifest, int]] = {
    "exec": (_stopped_by("exec", {"exec": {"command": ["touch", "/tmp/before"]}}), 8),
    "http": (_stopped_by("http", {"httpGet": {"port": 8080, "path": "/cgi-bin/bye"}}, script=_SERVES), 8),
    "fails": (_stopped_by("fails", {"exec": {"command": ["false"]}}), 7),
    "sleeps": (_stopped_by("sleeps", {"sleep": {"seconds": 4}}), 7),
    "too-long": (
        _stopped_by("too-long", {"exec": {"command": ["sleep", "25"]}}, terminationGracePeriodSeconds=3),
        7,
    ),
}


_KILLED = 137
_deleted_at: dict[str, datetime] = {}


@pytest.fixture(scope="module")
def ended(scene: Namespace) -> Iterator[dict[str, Manifest]]:
    """All of them, deleted while they ran, as they were before they left."""
    with _released(scene):
        for manifest, _ in PODS.values():
            manifest["metadata"]["finalizers"] = ["example.com/holds"]
            scene.create(manifest)
        for name in PODS:
            scene.wait_ready(name)
        for name in PODS:
            _deleted_at[name] = datetime.now(UTC).replace(microsecond=0)
            scene.delete(name)
        yield {name: scene.wait(name, "to have ended", terminated) for name in PODS}


@contextmanager
def _released(scene: Namespace) -> Iterator[None]:
    try:
        yield
    finally:
        for name in PODS:
            scene.kubectl(
                "patch", "pod", name, "--type=merge", "--patch", '{"metadata":{"finalizers":null}}', check=False
            )


@pytest.mark.parametrize("name", PODS)
def test_what_comes_before_the_end_is_done_before_it(ended: dict[str, Manifest], name: str) -> None:
    # Two seconds are left to the last one, as by a kubelet, and a busy machine may not ask it to end within these.
    late = {_KILLED} if name == "too-long" else set()
    assert terminated(ended[name])["exitCode"] in {PODS[name][1], *late}


def test_a_hook_that_fails_is_told_and_keeps_nothing_from_ending(scene: Namespace, ended: dict[str, Manifest]) -> None:
    assert terminated(ended["fails"])
    assert scene.wait_event("fails", "FailedPreStopHook")["message"] == "PreStopHook failed"


@pytest.mark.parametrize(("name", "least", "most"), [("sleeps", 4, 20), ("too-long", 3, 20)])
def test_a_hook_takes_its_time_of_the_grace_and_no_more(
    ended: dict[str, Manifest], name: str, least: int, most: int
) -> None:
    took = datetime.fromisoformat(terminated(ended[name])["finishedAt"]) - _deleted_at[name]
    assert least <= took.total_seconds() < most


def test_a_hook_before_the_end_is_gone_on_with_by_the_next_vnode(
    scene: Namespace, vnode: VnodeProcess, tmp_path: Path
) -> None:
    """As a kubelet does that is started again: the hook is done anew, inside the same grace."""
    said = tmp_path / "said"
    ends = f"trap 'echo asked >>{said}; exit 0' TERM; while true; do sleep 0.1; done"
    main = container(ends, lifecycle={"preStop": _takes_its_time(said)})
    scene.create(pod("dying", main, terminationGracePeriodSeconds=60))
    scene.wait_ready("dying")
    asked_at = datetime.now(UTC)
    scene.delete("dying")
    _die_in_the_middle(vnode, said)
    scene.wait_gone("dying", within=LATER)
    assert (datetime.now(UTC) - asked_at).total_seconds() < 60
    words = said.read_text().split()
    assert words[-1] == "asked"
    _was_done_anew(words)


def test_a_hook_after_the_start_is_gone_on_with_by_the_next_vnode(
    scene: Namespace, vnode: VnodeProcess, tmp_path: Path
) -> None:
    """A kubelet forgets it: the container runs, and nobody asks how far its hook came."""
    said = tmp_path / "said"
    main = container("exec sleep 3600", lifecycle={"postStart": _takes_its_time(said)})
    scene.create(pod("born", main, terminationGracePeriodSeconds=1))
    _die_in_the_middle(vnode, said)
    found = scene.wait_ready("born", within=LATER)
    _was_done_anew(said.read_text().split())
    assert container_status(found)["restartCount"] == 0
    assert not scene.events("born", "FailedPostStartHook")


def _takes_its_time(said: Path) -> Manifest:
    return {"exec": {"command": ["/bin/sh", "-c", f"echo begun-$$ >>{said}; sleep 4; echo done-$$ >>{said}"]}}


def _die_in_the_middle(vnode: VnodeProcess, said: Path) -> None:
    """Kill vnode while the hook runs, which nobody waits for then, and start it again."""
    wait_until("the hook to begin", said.exists, within=SOON)
    vnode.kill()
    assert "done" not in said.read_text(), "it was over before vnode could be killed"
    vnode.start()


def _was_done_anew(words: list[str]) -> None:
    """Once, and to its end; what became of the first one depends on when its program is stopped."""
    runs = [word.removeprefix("begun-") for word in words if word.startswith("begun-")]
    assert len(runs) == 2, words
    assert f"done-{runs[1]}" in words
