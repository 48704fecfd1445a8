"""Records every version of the objects of a folder, as the API server published them, from a moment on."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.manifests import Manifest

#: How long one watch lasts; the next begins where it ended.
_WATCH_SECONDS = 5


class Record:
    """What one folder has held since, oldest first; read while it grows."""

    def __init__(self, bed: Bed, folder: str) -> None:
        """Begin with what is there: the folder has to be empty, or its first versions are unknown."""
        self._bed = bed
        self._folder = folder
        self._version = str(bed.control_plane.api(folder)["metadata"]["resourceVersion"])
        self._seen: list[Manifest] = []

    def of(self, name: str) -> list[Manifest]:
        """The versions of one object, of an Event those about one, in the order of their writing."""
        return [each for each in tuple(self._seen) if name in {_about(each), each["metadata"]["name"]}]

    def follow(self, over: Event) -> None:
        """Watch until `over` is set; a watch that lost its place is an error, for then something is missing."""
        while not over.is_set():
            query = f"watch=true&allowWatchBookmarks=true&timeoutSeconds={_WATCH_SECONDS}"
            with self._bed.control_plane.stream(f"{self._folder}?{query}&resourceVersion={self._version}") as lines:
                for line in lines:
                    self._take(json.loads(line))

    def _take(self, told: dict[str, Any]) -> None:
        kind, found = told["type"], told["object"]
        if kind == "ERROR":
            raise BedError(f"the watch of {self._folder} broke: {found}")
        self._version = found["metadata"]["resourceVersion"]
        if kind in {"ADDED", "MODIFIED", "DELETED"}:
            self._seen.append(found)


@contextmanager
def recorded(bed: Bed, *folders: str) -> Iterator[list[Record]]:
    """Record these folders until the block ends."""
    records = [Record(bed, folder) for folder in folders]
    over = Event()
    with ThreadPoolExecutor(len(records)) as threads:
        following = [threads.submit(record.follow, over) for record in records]
        try:
            yield records
        finally:
            over.set()
        for each in following:
            each.result()


def _about(found: Manifest) -> str:
    return str(found.get("involvedObject", {}).get("name", ""))
