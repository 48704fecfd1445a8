"""Init containers: tasks that a client runs before the main ones; for their order see `turns`."""

from collections.abc import Iterator
from contextlib import contextmanager

from translators.errors import Finding, Refused
from translators.records.pods import Pod

_WRITTEN, _TRUE = "spec.containers[{}]", "spec.initContainers[{}]"


def placed(pod: Pod, finding: Finding) -> Finding:
    """A finding about a container, told of the list in which it stands."""
    for container in pod.spec.init_containers:
        written = _WRITTEN.format(container.name)
        if finding.field.startswith(written):
            field = _TRUE.format(container.name) + finding.field.removeprefix(written)
            return Finding(finding.reason, field, finding.message)
    return finding


@contextmanager
def telling(pod: Pod) -> Iterator[None]:
    """Refusals within the block name the list in which a container stands."""
    try:
        yield
    except Refused as refused:
        raise Refused(placed(pod, refused.finding)) from None
