from typing import Any

import pytest

from tests.unit.node.examples import LABELS, NODE, node, status
from translators.records.nodes import Taint
from vnode.node.registration import Wanted, node_body, node_patch, observe
from vnode.node.virtual_node import VirtualNode

PROVIDER = {"key": "virtual-kubelet.io/provider", "value": "nomad", "effect": "NoSchedule"}
UNREACHABLE = {"key": "nomad.hashinetes.io/unreachable", "effect": "NoSchedule"}
CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"}


def wanted(**changes: Any) -> Wanted:
    return Wanted(**{"node": NODE, "labels": LABELS, **changes})


def test_a_new_node_is_whole() -> None:
    body = node_body(wanted(), status())
    assert body["metadata"] == {"name": "nomad", "labels": LABELS | {"team": "a"}, "annotations": {"note": "hand"}}
    assert body["spec"] == {"providerID": "nomad://global/nomad", "taints": [PROVIDER]}
    assert body["status"]["capacity"]["memory"] == "2048Mi"
    assert body["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 10250}}


def test_a_node_born_in_an_outage_of_nomad_is_tainted_from_the_start() -> None:
    assert node_body(wanted(unreachable=True), status())["spec"]["taints"] == [PROVIDER, UNREACHABLE]


def test_a_node_as_we_left_it_needs_no_patch() -> None:
    assert node_patch(observe(node()), wanted()) is None


def test_labels_and_annotations_that_differ_are_set_and_others_stay() -> None:
    observed = observe(node(labels={"type": "changed", "theirs": "kept"}, annotations={"theirs": "kept"}))
    assert node_patch(observed, wanted()) == {
        "metadata": {"uid": "n1", "labels": LABELS | {"team": "a"}, "annotations": {"note": "hand"}}
    }


def test_a_label_of_ours_that_is_not_wanted_any_more_goes() -> None:
    observed = observe(node(labels=LABELS | {"team": "a", "old": "x"}))
    patch = node_patch(observed, wanted(retired=frozenset({"old", "never-there"})))
    assert patch is not None
    assert patch["metadata"]["labels"] == {"old": None}


@pytest.mark.parametrize(
    ("observed", "changes", "taints"),
    [
        pytest.param([CORDONED], {}, [CORDONED, PROVIDER], id="ours is added"),
        pytest.param([PROVIDER, CORDONED], {"unreachable": True}, [PROVIDER, CORDONED, UNREACHABLE], id="outage"),
        pytest.param([UNREACHABLE, PROVIDER, CORDONED], {}, [PROVIDER, CORDONED], id="outage over"),
        pytest.param([{**PROVIDER, "value": "x"}, CORDONED], {}, [PROVIDER, CORDONED], id="value of ours"),
        pytest.param([PROVIDER, CORDONED], {"node": VirtualNode(name="nomad", address="a", taints=())}, [CORDONED]),
        pytest.param([CORDONED], {"settled": True, "unreachable": True}, [CORDONED, UNREACHABLE], id="removed by hand"),
    ],
)
def test_taints_of_others_stay_as_they_are(
    observed: list[dict[str, str]], changes: dict[str, Any], taints: list[dict[str, str]]
) -> None:
    patch = node_patch(observe(node(taints=observed)), wanted(**changes))
    assert patch is not None
    assert patch["spec"]["taints"] == taints
    assert patch["metadata"]["resourceVersion"] == "5", "an atomic list needs a guard against other writers"


def test_a_taint_that_was_removed_by_hand_stays_removed_while_we_run() -> None:
    assert node_patch(observe(node(taints=[])), wanted(settled=True)) is None


def test_cordoning_is_never_written() -> None:
    observed = observe(node(labels={}, taints=[CORDONED]))
    patch = node_patch(observed, wanted())
    assert patch is not None
    assert "unschedulable" not in patch["spec"]
    assert "unschedulable" not in node_body(wanted(), status())["spec"]


def test_configured_taints_and_zone_are_honoured() -> None:
    own = VirtualNode(name="nomad", address="a", zone="edge", taints=(Taint(key="k", value="v", effect="NoExecute"),))
    body = node_body(Wanted(node=own, labels={"topology.kubernetes.io/zone": "by-facts"}), status())
    assert body["metadata"]["labels"] == {"topology.kubernetes.io/zone": "edge"}
    assert body["spec"]["taints"] == [{"key": "k", "value": "v", "effect": "NoExecute"}]
