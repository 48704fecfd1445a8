"""The rules of a token's policies, merged as nomad/acl does it."""

from typing import Any

import pytest

from vnode.doctor.access import CAPABILITIES, OF_VOLUMES, access

ALL = list(CAPABILITIES)
NOTHING: tuple[str, ...] = ()
EVERYTHING = tuple(ALL)


def rules(*, node: str = "", agent: str = "", **namespaces: list[str]) -> dict[str, Any]:
    stated = [{"Name": name, "Capabilities": held} for name, held in namespaces.items()]
    return {"Namespaces": stated or None, "Node": {"Policy": node} if node else None, "Agent": {"Policy": agent}}


def on(name: str, held: list[str]) -> dict[str, Any]:
    return {"Namespaces": [{"Name": name, "Capabilities": held}]}


@pytest.mark.parametrize(
    ("policies", "lacking"),
    [
        ([rules(default=ALL)], NOTHING),
        ([], EVERYTHING),
        ([rules(other=ALL)], EVERYTHING),
        ([rules(default=ALL[:2]), rules(default=ALL[2:])], NOTHING),
        ([rules(default=ALL), rules(default=["deny"])], EVERYTHING),
        ([on("*", ALL)], NOTHING),
        ([on("def*", ALL), on("*", ["deny"])], NOTHING),
        ([on("*", ALL), on("def*", [])], EVERYTHING),
        ([on("*", ALL), rules(default=["list-jobs"])], EVERYTHING[1:]),
        ([rules(default=[name for name in ALL if name != "read-fs"])], ("read-fs",)),
        (
            [rules(default=[*(set(ALL) - {"submit-job"}), "register-job", "deregister-job", "purge-job"])],
            NOTHING,
        ),
        ([rules(default=[*(set(ALL) - {"submit-job"}), "register-job"])], ("submit-job",)),
    ],
)
def test_capabilities_that_are_missing(policies: list[dict[str, Any]], lacking: tuple[str, ...]) -> None:
    assert access(policies).lacking("default") == lacking


def test_what_claims_need_is_asked_for_where_they_are_served() -> None:
    held = access([rules(default=[*ALL, "host-volume-read"])])
    assert held.lacking("default") == NOTHING
    assert held.lacking("default", OF_VOLUMES) == ("host-volume-create", "host-volume-delete")


@pytest.mark.parametrize(
    ("policies", "reads"),
    [(["read"], True), (["write"], True), ([""], False), (["deny"], False), (["read", "deny"], False), ([], False)],
)
def test_who_reads_clients_and_agents(policies: list[str], reads: object) -> None:
    held = access([rules(node=policy, agent=policy) for policy in policies])
    assert (held.node_read, held.agent_read) == (reads, reads)


@pytest.mark.parametrize(
    ("paths", "lacking"),
    [
        ({"nomad/jobs/vk-*": ["read", "write", "destroy"]}, NOTHING),
        ({"*": ["read", "write", "destroy"]}, NOTHING),
        (
            {"nomad/jobs/vk-*": ["read"], "nomad/*": ["write", "destroy"]},
            ("variables:write", "variables:destroy"),
        ),
        (
            {"elsewhere/*": ["read", "write", "destroy"]},
            ("variables:read", "variables:write", "variables:destroy"),
        ),
        ({}, ("variables:read", "variables:write", "variables:destroy")),
    ],
)
def test_variables_are_judged_by_the_closest_path(paths: dict[str, list[str]], lacking: tuple[str, ...]) -> None:
    variables = {"Paths": [{"PathSpec": path, "Capabilities": held} for path, held in paths.items()]}
    held = [name for name in ALL if not name.startswith("variables:")]
    policy = {"Namespaces": [{"Name": "default", "Capabilities": held, "Variables": variables if paths else None}]}
    assert access([policy]).lacking("default") == lacking
