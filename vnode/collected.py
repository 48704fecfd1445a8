"""Jobs that are being removed because their Pods are gone."""

import asyncio

from translators.records.pods import PodUid


class Collected:
    """Jobs that are to be removed, and when the last one is."""

    def __init__(self, chosen: frozenset[PodUid]) -> None:
        self.chosen = chosen
        self.all_gone = asyncio.Event()
        self._left = set(chosen)

    def forgotten(self, uid: PodUid) -> None:
        """One of them is gone on both sides."""
        self._left.discard(uid)
        if not self._left:
            self.all_gone.set()
