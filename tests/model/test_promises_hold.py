"""Everything that can happen to a Pod, in Kubernetes, in Nomad and to vnode, keeps the promises.

What a unit test has time for; `scripts/model` looks at all of it, and at more disturbances.
"""

import logging
import os

import pytest

from tests.model.exploring import Exploration
from tests.model.observing import Scenario

DISTURBANCES = int(os.environ.get("HASHINETES_MODEL_DISTURBANCES", "1"))
STATES = int(os.environ.get("HASHINETES_MODEL_STATES", "5000"))

SCENARIOS = {
    "Never": Exploration(Scenario("Never"), DISTURBANCES, most=STATES),
    "Always": Exploration(Scenario("Always"), DISTURBANCES, most=STATES),
    "OnFailure": Exploration(Scenario("OnFailure"), DISTURBANCES, most=STATES),
    "ignores SIGTERM": Exploration(Scenario("Always", deaf=True), DISTURBANCES, most=STATES),
    "held by a finalizer": Exploration(Scenario("Never", finalizer=True), DISTURBANCES, most=STATES),
    "its image is changed": Exploration(Scenario("Always", images=True), DISTURBANCES, most=STATES),
    "its image is changed, and it runs once": Exploration(Scenario("Never", images=True), DISTURBANCES, most=STATES),
    "a second Pod of its name": Exploration(Scenario("Always"), DISTURBANCES, most=STATES, reuse=True),
}

pytestmark = pytest.mark.timeout(0 if STATES > 100_000 else 300)


@pytest.mark.parametrize("name", SCENARIOS)
def test_promises_hold(name: str) -> None:
    explored = SCENARIOS[name].run()
    logging.getLogger(__name__).info("%s: %d states, %d decisions", name, explored.states, explored.decisions)
    assert explored.states > 1000
