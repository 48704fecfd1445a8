"""What probes say of the containers of our Pods; lost with the process, and asked for anew."""

from collections.abc import Mapping

from translators.health import Health
from translators.records.pods import PodUid

_NOTHING: Mapping[str, Health] = {}


class HealthStore:
    """Keeps the newest word about each container; only the prober writes to it."""

    def __init__(self) -> None:
        self._known: dict[PodUid, dict[str, Health]] = {}

    def of(self, uid: PodUid) -> Mapping[str, Health]:
        """What is known of a Pod's containers, by name; nothing for one without probes."""
        return self._known.get(uid, _NOTHING)

    def put(self, uid: PodUid, container: str, health: Health) -> None:
        """Take over a verdict."""
        self._known[uid] = {**self._known.get(uid, {}), container: health}

    def forget(self, uid: PodUid) -> None:
        """Drop what is known of a Pod that is gone."""
        self._known.pop(uid, None)
