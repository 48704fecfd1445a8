from dataclasses import replace

import pytest

from tests.unit.node.examples import START, status
from translators.records.nodes import NodeAddress, NodeCondition, NodeStatus
from vnode.node.status import decode_status, differs, nomad_is_unreachable, status_body, status_patch

HELD = status()


@pytest.mark.parametrize(
    "observed",
    [
        pytest.param(HELD, id="the same"),
        pytest.param(replace(HELD, capacity={"cpu": "4000m", "memory": "2Gi"}), id="quantities written otherwise"),
        pytest.param(replace(HELD, capacity={**HELD.capacity, "example.com/dongle": "4"}), id="a resource of others"),
        pytest.param(
            replace(HELD, conditions=(*HELD.conditions, NodeCondition(type="Theirs", status="True"))),
            id="a condition of others",
        ),
        pytest.param(
            replace(HELD, conditions=tuple(replace(each, last_heartbeat_time=None) for each in HELD.conditions)),
            id="another heartbeat",
        ),
    ],
)
def test_what_is_held_already_is_no_difference(observed: NodeStatus) -> None:
    assert not differs(HELD, observed, HELD)


@pytest.mark.parametrize(
    "observed",
    [
        pytest.param(NodeStatus(), id="nothing"),
        pytest.param(status(reachable=False), id="a condition of ours"),
        pytest.param(replace(HELD, capacity={"cpu": "4", "memory": "1Gi"}), id="capacity"),
        pytest.param(replace(HELD, allocatable={"cpu": "4"}), id="a missing resource"),
        pytest.param(replace(HELD, addresses=(NodeAddress(type="InternalIP", address="10.0.0.2"),)), id="address"),
        pytest.param(replace(HELD, node_info=replace(HELD.node_info, kubelet_version="v1.0.0")), id="version"),
    ],
)
def test_what_is_ours_and_other_is_a_difference(observed: NodeStatus) -> None:
    assert differs(HELD, observed, None)


def test_features_are_declared_once_to_an_api_that_drops_them() -> None:
    declares = replace(HELD, declared_features=("ExtendWebSocketsToKubelet",))
    assert differs(declares, HELD, HELD)
    assert not differs(declares, HELD, declares)
    assert differs(HELD, declares, declares)
    assert status_patch(HELD, "n1", declares)["status"]["declaredFeatures"] == []


def test_a_resource_that_vanished_is_removed_by_name_once() -> None:
    before = replace(HELD, capacity={**HELD.capacity, "example.com/gpu": "1"})
    assert differs(HELD, before, before)
    assert status_patch(HELD, "n1", before)["status"]["capacity"]["example.com/gpu"] is None
    assert not differs(HELD, HELD, before)


def test_a_patch_names_the_uid_and_replaces_the_addresses() -> None:
    body = status_patch(HELD, "n1", None)
    assert body["metadata"] == {"uid": "n1"}
    assert body["status"]["addresses"][-1] == {"$patch": "replace"}
    assert all(condition["lastTransitionTime"] for condition in body["status"]["conditions"])


def test_an_outage_is_read_from_the_condition() -> None:
    assert not nomad_is_unreachable(HELD)
    assert nomad_is_unreachable(status(reachable=False))


def test_a_status_survives_the_wire() -> None:
    assert decode_status(status_body(HELD)) == HELD
    assert status_body(HELD)["conditions"][0]["lastTransitionTime"] == START.strftime("%Y-%m-%dT%H:%M:%SZ")
