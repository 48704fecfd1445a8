"""Writes to Pods: their status, and their removal once they ended."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from translators.records.pods import Pod
from translators.support import decode_pod
from vnode.errors import Conflict, NotFound
from vnode.kube.api import STRATEGIC_MERGE_PATCH, Requests, decode_as, encode

_FOREIGN = "a status patch carries metadata.uid and status only: the API server would write any other metadata too"


class PodWriter:
    """Writes to Pods by name, each write with the UID as its precondition."""

    def __init__(self, connection: Requests, decode: Callable[[Mapping[str, Any]], Pod] = decode_pod) -> None:
        self._connection = connection
        self._decode = decode

    async def patch_status(self, namespace: str, name: str, body: Mapping[str, Any]) -> Pod:
        """PATCH the status by strategic merge and return the Pod as it is now.

        `body` is `{"metadata": {"uid": …}, "status": {…}}` and nothing else. Raises NotFound when the Pod is gone, and
        its subclass Replaced when another Pod bears its name; Conflict when it should be read again; Invalid (a
        Rejected) when the API refuses the status, which is a bug of ours.
        """
        if set(body) != {"metadata", "status"} or set(body["metadata"]) != {"uid"}:
            raise ValueError(_FOREIGN)
        answer = await self._connection.request(
            "PATCH", f"{_path(namespace, name)}/status", body=encode(body), content_type=STRATEGIC_MERGE_PATCH
        )
        return decode_as("Pod", self._decode, answer)

    async def get(self, namespace: str, name: str) -> Pod | None:
        """The Pod that bears this name now; None when there is none."""
        try:
            answer = await self._connection.request("GET", _path(namespace, name))
        except NotFound:
            return None
        return decode_as("Pod", self._decode, answer)

    async def delete(self, namespace: str, name: str, uid: str, *, grace: int | None = 0) -> None:
        """DELETE a Pod: without grace one that ended, with None one that shall end in its own grace period.

        Returns when there is nothing left to ask for: also when the Pod is gone (404) or replaced by another one of
        its name (409 on the UID). A return does not mean that the object is gone: finalizers may hold it, so wait for
        DELETED and do not repeat this meanwhile. Raises Conflict when the Pod is there all the same.
        """
        given = {} if grace is None else {"gracePeriodSeconds": grace}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **given, "preconditions": {"uid": uid}}
        try:
            await self._connection.request("DELETE", _path(namespace, name), body=encode(body))
        except NotFound:
            return
        except Conflict:
            found = await self.get(namespace, name)
            if found is not None and found.uid == uid:
                raise


def _path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}"
