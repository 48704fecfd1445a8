"""The Nomad clients that a virtual Node stands for."""

from collections.abc import Callable, Iterable, Iterator

from translators.records.allocations import Client, ClientId


class ClientStore:
    """An event stream's sink for clients; `changed` is told whenever capacity or addresses may differ."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._clients: dict[ClientId, Client] = {}
        self.synced = False

    def __iter__(self) -> Iterator[Client]:
        return iter(self._clients.values())

    def replace(self, clients: Iterable[Client]) -> None:
        """Take over a complete list."""
        self._clients = {ClientId(client.id): client for client in clients}
        self.synced = True
        self._changed()

    def apply(self, client: Client) -> None:
        """Take over one client unless a newer state of it is known."""
        before = self._clients.get(ClientId(client.id))
        if before is None or before.modify_index < client.modify_index:
            self._clients[ClientId(client.id)] = client
            self._changed()

    def address(self, client: str) -> str:
        """The address of a client's host, empty if it is not known."""
        found = self._clients.get(ClientId(client))
        if found is None:
            return ""
        return found.attributes.get("unique.network.ip-address") or found.address
