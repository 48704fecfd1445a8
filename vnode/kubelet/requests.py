"""What the kubelet API asks of the Kubernetes API, and how long it believes the answers."""

from collections.abc import Mapping
from typing import Protocol

#: Seconds; a token or a right that was withdrawn works that much longer at most.
ANSWERS_LAST = 10.0

#: Callers times subresources; a few hundred bytes each.
ANSWERS_KEPT = 1024


class KubernetesRequests(Protocol):
    """The one method of a connection to the Kubernetes API that is needed here."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        """The body of a successful answer. Raises vnode.errors."""
        ...
