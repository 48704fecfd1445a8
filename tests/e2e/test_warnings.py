"""Fields that do not take effect as they are written: the Pod runs, and an Event says so, once."""

import pytest

from tests.e2e.manifests import container, pod
from tests.e2e.namespace import LATER, Namespace

_NAME = "warned"


@pytest.fixture(scope="module")
def warned(scene: Namespace) -> Namespace:
    talks = container("exec sleep 3600", imagePullPolicy="Never", stdin=True, tty=True)
    scene.create(pod(_NAME, talks, driver="docker", terminationGracePeriodSeconds=31))
    scene.wait_ready(_NAME, within=LATER)
    return scene


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("FieldIgnored", ("spec.containers[main].imagePullPolicy", "also with Never")),
        ("FieldIgnored", ("spec.containers[main].stdin", "kubectl exec")),
        ("FieldIgnored", ("spec.containers[main].tty", "kubectl exec")),
        ("GracePeriodMayBeCapped", ("spec.terminationGracePeriodSeconds", "max_kill_timeout")),
    ],
)
def test_it_runs_and_says_what_is_not_as_it_is_written(warned: Namespace, reason: str, words: tuple[str, ...]) -> None:
    assert warned.wait_event(_NAME, reason, *words)["count"] == 1
