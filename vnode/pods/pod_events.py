"""Events about Pods, on their way to the recorder."""

from translators.allocation_to_status import EventNote
from translators.records.pods import Pod
from vnode.kube.events import EventRecorder, Regarding


class PodEvents:
    """Says about which Pod an Event is, and which Node reports it."""

    def __init__(self, recorder: EventRecorder, node: str) -> None:
        self._recorder = recorder
        self._node = node

    def record(self, pod: Pod, event: EventNote) -> None:
        """Hand an Event over; never blocks."""
        regarding = Regarding(
            kind="Pod",
            name=pod.metadata.name,
            uid=pod.metadata.uid,
            namespace=pod.metadata.namespace,
            resource_version=pod.metadata.resource_version,
            host=self._node,
        )
        self._recorder.record(regarding, event)
