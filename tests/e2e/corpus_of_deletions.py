"""Pods that are deleted once they have come to something, on a real kubelet and on vnode alike."""

from typing import Any

from tests.e2e.comparison import RESTARTS
from tests.e2e.corpus import CORPUS, Case, case
from tests.e2e.manifests import Manifest, container
from tests.e2e.namespace import is_ready, phase, waiting

#: That it would hear that it is asked to end; asked once, for a probe at an end may fail, by luck.
_HEARS: Manifest = {
    "startupProbe": {
        "exec": {"command": ["/bin/sh", "-c", "until [ -e /tmp/hears ]; do sleep 0.1; done"]},
        "timeoutSeconds": 60,
        "periodSeconds": 1,
    }
}
_LOOP = "touch /tmp/hears; while true; do sleep 0.1; done"
_BEFORE = "[ -e /tmp/before ] && exit 8; exit 7"
#: A grace in which a container ends that wants to, on a busy machine too.
_IN_TIME: Manifest = {"terminationGracePeriodSeconds": 30}
_RUNS_ON = "exec sleep 3600"
_FETCHING = frozenset({"ErrImagePull", "ImagePullBackOff", "Failed", "BackOff"})


def _asked(ending: str, *, name: str = "main", **fields: Any) -> Manifest:
    return container(f"trap '{ending}' TERM; {_LOOP}", name=name, **_HEARS, **fields)


def _crashes(found: Manifest) -> bool:
    return waiting(found).get("reason") == "CrashLoopBackOff"


def _cannot_be_pulled(found: Manifest) -> bool:
    return waiting(found).get("reason") in {"ErrImagePull", "ImagePullBackOff"}


def _is_not_configured(found: Manifest) -> bool:
    return waiting(found).get("reason") == "CreateContainerConfigError"


def _is_at_its_first(found: Manifest) -> bool:
    first = found["status"].get("initContainerStatuses", [{}])[0]
    return phase(found) == "Pending" and "running" in first.get("state", {})


DELETED: dict[str, Case] = {
    "deleted": case(_asked("exit 0"), until=is_ready, **_IN_TIME),
    "deleted-and-fails": case(_asked("exit 3"), until=is_ready, **_IN_TIME),
    "deleted-and-runs-once": case(_asked("exit 3"), until=is_ready, restart="Never", **_IN_TIME),
    "deleted-and-would-run-again": case(_asked("exit 3"), until=is_ready, restart="OnFailure", **_IN_TIME),
    "deleted-and-deaf": case(_asked(""), until=is_ready),
    "deleted-sooner": case(_asked(""), until=is_ready, grace=2, terminationGracePeriodSeconds=300),
    "deleted-with-a-hook": case(
        _asked(_BEFORE, lifecycle={"preStop": {"exec": {"command": ["touch", "/tmp/before"]}}}),
        until=is_ready,
        **_IN_TIME,
    ),
    "deleted-with-a-hook-that-fails": case(
        _asked(_BEFORE, lifecycle={"preStop": {"exec": {"command": ["false"]}}}), until=is_ready, **_IN_TIME
    ),
    "deleted-with-two": case(_asked("exit 3", name="a"), _asked("exit 0", name="b"), until=is_ready, **_IN_TIME),
    "deleted-with-a-sidecar": case(
        _asked("exit 0"),
        until=is_ready,
        initContainers=[_asked("exit 0", name="side", restartPolicy="Always")],
        **_IN_TIME,
    ),
    "deleted-at-its-first": case(
        "true", until=_is_at_its_first, initContainers=[container(_RUNS_ON, name="first"), container("true", name="b")]
    ),
    "deleted-while-it-crashes": case(
        # A run may just be over, or just have begun, when it is deleted.
        "exit 3",
        until=_crashes,
        apart_from=frozenset({"BackOff", "CrashLoopBackOff", "Killing", RESTARTS}),
    ),
    "deleted-without-image": case(
        container(_RUNS_ON, image="127.0.0.1:1/no/where:1"), until=_cannot_be_pulled, apart_from=_FETCHING
    ),
    "deleted-while-it-waits": case(
        container(_RUNS_ON, envFrom=[{"configMapRef": {"name": "absent"}}]),
        until=_is_not_configured,
        apart_from=frozenset({"PodReadyToStartContainers", "ContainerCreating"}),
    ),
}

EVERY_CASE = {**CORPUS, **DELETED}
