"""Priorities of Nomad under the names of Kubernetes' PriorityClasses, by a map that an administrator writes.

There is none by default: Nomad's priority ranks all jobs of a Nomad cluster, and where its scheduler may preempt, a Pod
of a high one stops jobs that Kubernetes knows nothing of.
"""

import re

#: nomad/structs JobMinPriority and JobDefaultMaxPriority.
LEAST, MOST = 1, 100
DEFAULT = 50

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_CLASS = re.compile(rf"{_LABEL}(\.{_LABEL})*")


def checked(priorities: dict[str, int]) -> dict[str, int]:
    """The map, if it can be used. Raises ValueError with a sentence for an administrator."""
    for name, priority in priorities.items():
        if not _CLASS.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a PriorityClass; one looks like high-priority")
        if not LEAST <= priority <= MOST:
            raise ValueError(f"{name}: {priority} is no priority of Nomad; write a number from {LEAST} to {MOST}")
    return priorities
