"""What is told of containers that are stopped, in a kubelet's words (pkg/kubelet/kuberuntime killContainer)."""

from translators.allocation_to_status import EventNote
from translators.records.pods import Pod


def killing_events(pod: Pod) -> tuple[EventNote, ...]:
    """That each container is stopped which runs."""
    return tuple(
        EventNote(
            type="Normal",
            reason="Killing",
            message=f"Stopping container {container.name}",
            field_path=pod.spec.path_of(container.name),
        )
        for container in (*pod.status.init_container_statuses, *pod.status.container_statuses)
        if container.state.running is not None
    )
