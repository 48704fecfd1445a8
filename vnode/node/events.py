"""Events about the Node, where `kubectl describe node` shows them."""

from translators.allocation_to_status import EventNote
from vnode.kube.events import EventRecorder, Regarding

_CAME_BACK = EventNote(
    "Warning",
    "NodeRegisteredAgain",
    "The Node was deleted, and registered again at once, for its Pods run on; to remove it, stop vnode first",
)


class NodeEvents:
    """Says about which Node an Event is."""

    def __init__(self, recorder: EventRecorder, node: str) -> None:
        self._recorder = recorder
        self._node = node

    def came_back(self, uid: str) -> None:
        """Somebody deleted the Node; the one of this UID took its place. Never blocks."""
        self._recorder.record(Regarding(kind="Node", name=self._node, uid=uid, host=self._node), _CAME_BACK)
