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
    """The status as it is compared, without some conditions."""
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
        "init": [_container(each, name) for each in status.get("initContainerStatuses", ())],
        "containers": [_container(each, name) for each in status.get("containerStatuses", ())],
    }


def told(events: Iterable[Manifest], name: str, *, apart_from: frozenset[str]) -> list[tuple[str, ...]]:
    """The Events as they are compared: which there are, and not how often."""
    kept = {
        (
            str(event["type"]),
            str(event["reason"]),
            plain(event["message"], name),
            str(event["involvedObject"].get("fieldPath", "")),
        )
        for event in events
        if event["reason"] in _REASONS - apart_from
    }
    return sorted(kept)


def _container(status: Manifest, name: str) -> dict[str, Any]:
    return {
        "name": status["name"],
        "ready": status["ready"],
        "started": status.get("started"),
        "restarts": status["restartCount"],
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
