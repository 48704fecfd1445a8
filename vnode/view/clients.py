"""The Nomad clients that a virtual Node stands for."""

from collections.abc import Callable, Collection, Iterable, Iterator

from translators.records.allocations import GONE, Client, ClientId


class ClientStore:
    """An event stream's sink for clients.

    `changed` is told whenever capacity or addresses may differ, `turned` which clients have another status.
    """

    def __init__(self, changed: Callable[[], None], turned: Callable[[Collection[ClientId]], None]) -> None:
        self._changed = changed
        self._turned = turned
        self._clients: dict[ClientId, Client] = {}
        self.synced = False

    def __iter__(self) -> Iterator[Client]:
        return iter(self._clients.values())

    def replace(self, clients: Iterable[Client]) -> None:
        """Take over a complete list."""
        before = self._clients
        self._clients = {ClientId(client.id): client for client in clients}
        self.synced = True
        self._changed()
        turned = {known for known, client in before.items() if self.status(known) != client.status}
        if turned:
            self._turned(turned)

    def apply(self, client: Client) -> None:
        """Take over one client unless a newer state of it is known; one that is gone is shown as it was before."""
        identity = ClientId(client.id)
        before = self._clients.get(identity)
        if client.status == GONE:
            self._clients.pop(identity, None)
        elif before is None or before.modify_index < client.modify_index:
            self._clients[identity] = client
        else:
            return
        self._changed()
        if before is None or before.status != client.status:
            self._turned((identity,))

    def status(self, client: str) -> str:
        """What Nomad says of a client."""
        found = self._clients.get(ClientId(client))
        return GONE if found is None else found.status

    def address(self, client: str) -> str:
        """The address of a client's host, empty if it is not known."""
        found = self._clients.get(ClientId(client))
        if found is None:
            return ""
        return found.attributes.get("unique.network.ip-address") or found.address
