"""The same Pods on a real kubelet and on vnode: their statuses and Events are the same, but for what is listed."""

import json
from collections.abc import Iterator
from contextlib import suppress
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
from tests.e2e.corpus import CORPUS
from tests.e2e.manifests import NODE
from tests.e2e.namespace import Namespace

pytestmark = pytest.mark.timeout(420, func_only=True)

_WITHIN = 180.0
#: Pods that are started at a time on each side.
_AT_ONCE = 12


@pytest.fixture(scope="module")
def both(bed: Bed, vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[tuple[Namespace, Namespace]]:
    """All Pods of the corpus on either side, in namespaces of their own; some at a time, for deadlines are counted."""
    vnode.child.must_live()
    with real_node(bed) as node, namespaces() as real, namespaces() as virtual:
        names = list(CORPUS)
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            for name in some:
                real.create(CORPUS[name].pod(name, node.name))
                virtual.create(CORPUS[name].pod(name, NODE))
            for name in some:
                # One that does not come to it is told of by its own test.
                with suppress(BedError):
                    real.wait(name, "to come to what it comes to", CORPUS[name].until, within=_WITHIN)
                    virtual.wait(name, "to come to what it comes to", CORPUS[name].until, within=_WITHIN)
        yield real, virtual


@pytest.mark.parametrize("name", CORPUS)
def test_a_pod_looks_the_same(both: tuple[Namespace, Namespace], name: str) -> None:
    for side in both:
        side.wait(name, "to come to what it comes to", CORPUS[name].until, within=_WITHIN)
    # Events come when they come, and a verdict of a probe may be on its way.
    with suppress(BedError):
        wait_until(
            f"{name} to look the same on both", lambda: _seen(both[0], name) == _seen(both[1], name), within=20.0
        )
    real, virtual = (json.dumps(_seen(side, name), indent=1, sort_keys=True).splitlines() for side in both)
    assert virtual == real, "\n".join(unified_diff(real, virtual, "kubelet", "vnode", lineterm="", n=1))


def _seen(side: Namespace, name: str) -> dict[str, Any]:
    apart_from = CORPUS[name].apart_from
    found = outlook(side.pod(name), apart_from=apart_from)
    events = told(side.events(name), name, apart_from=apart_from)
    shown: dict[str, Any] = json.loads(json.dumps({**found, "events": events}).replace(side.name, "NAMESPACE"))
    return shown
