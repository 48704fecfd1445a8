"""What people and controllers see of a Pod, without what differs from run to run: names, times, ids, addresses."""

import re
from collections.abc import Iterable
from typing import Any

from tests.e2e.manifests import Manifest

#: Written by a kubelet or its kin about the life of containers; what is told of images and of sandboxes is left out.
_REASONS = frozenset(
    {
        "Started",
        "Killing",
        "Unhealthy",
        "BackOff",
        "Failed",
        "DeadlineExceeded",
        "FailedPostStartHook",
        "FailedPreStopHook",
    }
)
#: Stands for how often containers were restarted, where that is a matter of time.
RESTARTS = "restarts"
#: Those that a kubelet states of every Pod, or carries on.
CONDITIONS = frozenset({"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"})
_VARYING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\d+\.\d+\.\d+\.\d+:\d+"), "ADDRESS"),
    (re.compile(r"back-off \d+m?\d*s"), "back-off TIME"),
    # Around what the kernel says each runtime has words of its own.
    (re.compile(r'^(Error: )?[Ff]ailed to (create|start) .*?(exec: ".*?)(: unknown)?$', re.DOTALL), r"\1RUNTIME \3"),
)


def outlook(found: Manifest, *, apart_from: frozenset[str]) -> dict[str, Any]:
    """The status as it is compared, without some conditions or, for `RESTARTS`, the number of restarts."""
    status = found["status"]
    name = str(found["metadata"]["name"])
    return {
        "phase": status.get("phase"),
        "reason": status.get("reason", ""),
        "message": plain(status.get("message", ""), name),
        "conditions": {
            each["type"]: (each["status"], each.get("reason", ""), plain(each.get("message", ""), name))
            for each in status.get("conditions", ())
            if each["type"] in CONDITIONS - apart_from
        },
        "init": [_container(each, name, apart_from) for each in status.get("initContainerStatuses", ())],
        "containers": [_container(each, name, apart_from) for each in status.get("containerStatuses", ())],
    }


def told(events: Iterable[Manifest], name: str, *, apart_from: frozenset[str]) -> dict[str, Any]:
    """The Events as they are compared: of each container in the order in which they were first told, not how often.

    What befalls one container beside another is in no order, but for the beginning: init containers and sidecars
    start one after the other, and before all others.
    """
    told_of: dict[str, list[tuple[str, ...]]] = {}
    begun: list[str] = []
    for event in events:
        path, reason = str(event["involvedObject"].get("fieldPath", "")), str(event["reason"])
        if reason not in _REASONS - apart_from:
            continue
        told_of.setdefault(path, []).append((str(event["type"]), reason, plain(event["message"], name)))
        if reason == "Started":
            begun.append(path if path.startswith("spec.initContainers") else "spec.containers")
    return {
        "of": {path: list(dict.fromkeys(each)) for path, each in told_of.items()},
        "begun": list(dict.fromkeys(begun)),
    }


def _container(status: Manifest, name: str, apart_from: frozenset[str]) -> dict[str, Any]:
    return {
        "name": status["name"],
        "ready": status["ready"],
        "started": status.get("started"),
        "restarts": None if RESTARTS in apart_from else status["restartCount"],
        "state": state_of(status.get("state", {}), name),
        "before": state_of(status.get("lastState", {}), name),
    }


def state_of(state: Manifest, name: str) -> dict[str, Any]:
    """One of waiting, running, terminated, with what does not vary."""
    return {
        kind: {
            key: plain(value, name) if isinstance(value, str) else value
            for key, value in (fields or {}).items()
            if key in {"reason", "exitCode", "message", "signal"}
        }
        for kind, fields in state.items()
    }


def plain(text: str, name: str) -> str:
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text.replace(name, "NAME")
