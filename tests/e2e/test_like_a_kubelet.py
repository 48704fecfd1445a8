"""The same Pods on a real kubelet and on vnode: what both tell of them, from first to last, is the same."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.real_node import real_node
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.comparison import outlook, told
from tests.e2e.conftest import Namespaces
from tests.e2e.corpus_of_deletions import DELETED, EVERY_CASE
from tests.e2e.histories import contradictions, history
from tests.e2e.manifests import NODE
from tests.e2e.namespace import Namespace
from tests.e2e.recorder import Record, recorded

pytestmark = pytest.mark.timeout(420, func_only=True)

_WITHIN = 180.0
#: Pods that are started at a time on each side.
_AT_ONCE = 12


@dataclass(frozen=True)
class Side:
    """One of the two: its namespace, and what was told in it since before the first Pod."""

    namespace: Namespace
    pods: Record
    events: Record

    def wait_for(self, name: str) -> None:
        """Wait until a Pod has come to what it comes to, or has left if it was deleted then."""
        if name in DELETED:
            self.namespace.wait_gone(name, within=_WITHIN)
        else:
            self.namespace.wait(name, "to come to what it comes to", EVERY_CASE[name].until, within=_WITHIN)

    def shows(self, name: str) -> dict[str, Any]:
        """What people and controllers see and saw of a Pod."""
        apart_from = EVERY_CASE[name].apart_from
        versions = self.pods.of(name)
        found = {
            **outlook(versions[-1], apart_from=apart_from),
            "history": history(versions, apart_from=apart_from),
            "events": told(self.events.of(name), name, apart_from=apart_from),
        }
        shown: dict[str, Any] = json.loads(json.dumps(found).replace(self.namespace.name, "NAMESPACE"))
        return shown


@pytest.fixture(scope="module")
def both(bed: Bed, vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[tuple[Side, Side]]:
    """All Pods of the corpus on either side, in namespaces of their own; some at a time, for deadlines are counted."""
    vnode.child.must_live()
    with real_node(bed) as node, namespaces() as real, namespaces() as virtual:
        folders = [f"/api/v1/namespaces/{each.name}/{kind}" for each in (real, virtual) for kind in ("pods", "events")]
        with recorded(bed, *folders) as records:
            sides = Side(real, *records[:2]), Side(virtual, *records[2:])
            names = list(EVERY_CASE)
            for start in range(0, len(names), _AT_ONCE):
                some = names[start : start + _AT_ONCE]
                for name in some:
                    real.create(EVERY_CASE[name].pod(name, node.name))
                    virtual.create(EVERY_CASE[name].pod(name, NODE))
                # What does not come to it is told of by the test of its Pod.
                with suppress(BedError):
                    _delete_in_time([name for name in some if name in DELETED], sides)
                for name in (each for each in some if EVERY_CASE[each].image):
                    with suppress(BedError):
                        _change_image(name, sides)
                for name in (each for each in some if each not in DELETED):
                    with suppress(BedError):
                        real.wait(name, "to come to what it comes to", EVERY_CASE[name].until, within=_WITHIN)
                        virtual.wait(name, "to come to what it comes to", EVERY_CASE[name].until, within=_WITHIN)
            yield sides


def _delete_in_time(names: list[str], sides: tuple[Side, Side]) -> None:
    """Delete Pods as soon as each has come to what it comes to, for some do not stay there."""
    left = {(side.namespace, name): side for side in sides for name in names}

    def are_deleted() -> bool:
        for (namespace, name), side in tuple(left.items()):
            versions = side.pods.of(name)
            if versions and EVERY_CASE[name].until(versions[-1]):
                namespace.delete(name, grace=EVERY_CASE[name].grace)
                del left[namespace, name]
        return not left

    wait_until("all Pods to have come to what they are deleted in", are_deleted, within=_WITHIN)


def _change_image(name: str, sides: tuple[Side, Side]) -> None:
    for side in sides:
        side.namespace.wait_ready(name, within=_WITHIN)
        side.namespace.kubectl("set", "image", f"pod/{name}", f"main={EVERY_CASE[name].image}")


@pytest.mark.parametrize("name", EVERY_CASE)
def test_a_pod_looks_the_same(both: tuple[Side, Side], name: str) -> None:
    real, virtual = both
    for side in both:
        side.wait_for(name)
    # Events come when they come, and a verdict of a probe may be on its way.
    with suppress(BedError):
        wait_until(f"{name} to look the same on both", lambda: real.shows(name) == virtual.shows(name), within=20.0)
    expected, found = (json.dumps(each.shows(name), indent=1, sort_keys=True).splitlines() for each in both)
    assert found == expected, "\n".join(unified_diff(expected, found, "kubelet", "vnode", lineterm="", n=1))


@pytest.mark.parametrize("name", EVERY_CASE)
def test_no_status_contradicts_itself_or_the_one_before(both: tuple[Side, Side], name: str) -> None:
    """Of vnode's; a kubelet calls a Pod over its deadline Failed while its containers still run."""
    assert contradictions(both[1].pods.of(name)) == []
