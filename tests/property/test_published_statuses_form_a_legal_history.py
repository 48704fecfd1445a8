"""Whatever Nomad goes through, and whichever of its states are seen, the Pod's history stays a true one."""

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.property.legality import TERMINAL, publish
from tests.property.nomad_of_one_pod import Nomad
from tests.unit.translators.allocation_to_status.api_server import ApiServer
from tests.unit.translators.allocation_to_status.samples import START, pod
from translators.allocation_to_status import final_status, outcome, pod_status
from translators.records.pods import Container

TASKS = (0, 1, 2)

MIGRATION = Container(name="migration", image="web:1")
PROXY = Container(name="proxy", image="web:1", restart_policy="Always")
#: Init containers and containers of a Pod.
Shape = tuple[tuple[Container, ...], tuple[str, ...]]
SHAPES: tuple[Shape, ...] = (
    ((), ("web",)),
    ((), ("web", "db")),
    ((MIGRATION,), ("web",)),
    ((PROXY,), ("web",)),
    ((MIGRATION, PROXY), ("web",)),
    ((PROXY, MIGRATION), ("web",)),
)

#: What happens often in a life stands here often: starts and ends, then what comes from outside.
ACTIONS = st.sampled_from(
    [
        *[("start", index) for index in TASKS] * 6,
        *[("exit", (index, code)) for index in TASKS for code in (0, 0, 1, 137)] * 2,
        *[(failure, index) for failure in ("pull fails", "cannot start", "setup", "noise") for index in TASKS],
        *[(event, None) for event in ("place", "purge", "update", "settle", "lose", "reconnect", "drain")] * 3,
        *[(event, None) for event in ("forget", "stop", "preempt")],
    ]
)


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
@settings(max_examples=100, deadline=None)
@given(shape=st.sampled_from(SHAPES), steps=st.lists(st.tuples(ACTIONS, st.booleans()), min_size=8, max_size=24))
@example(
    shape=SHAPES[0],
    steps=[
        (("pull fails", 0), False),
        (("start", 0), True),
        (("exit", (0, 0)), False),
        (("pull fails", 0), True),
    ],
)
def test_any_history(policy: str, shape: Shape, steps: list[tuple[tuple[str, object], bool]]) -> None:
    first, containers = shape
    subject = pod(policy, containers=containers, init=first)
    nomad, server = Nomad(subject), ApiServer(subject)
    for index, ((action, argument), seen) in enumerate([(("place", None), True), *steps]):
        nomad.act(action, argument)
        if not seen:
            continue
        now = START + timedelta(seconds=index, milliseconds=377)
        state = nomad.facts()
        outcome(server.pod, state)
        publish(server, pod_status(server.pod, state, now), state, now)
    end = START + timedelta(hours=1)
    final = final_status(server.pod, nomad.facts(), end)
    assert final.phase in TERMINAL
    publish(server, final, nomad.facts(), end)
