"""Port-forward over WebSocket: for each port of the request a channel of data and one of errors.

Source: kubernetes staging/src/k8s.io/cri-streaming/pkg/streaming/portforward/websocket.go.
"""

import struct
from collections.abc import Iterator, Sequence

from vnode.streaming.commands import ClientLeft, Piece
from vnode.streaming.forwarding import BytesReceived, ConnectionBroken, ConnectionRequested, ForwardEvent
from vnode.streaming.websocket.channels import ChannelData, ChannelEvent, Channels, ClientClosed

#: Sub-protocols that we speak; a client may also ask for none.
PROTOCOLS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")


class WebSocketPortForward:
    """A `ForwardCodec`; a key is a port's place in the request. There is no half-close."""

    def __init__(self, protocol: str, ports: Sequence[int]) -> None:
        self._channels = Channels(encoded="base64" in protocol)
        self._ports = tuple(ports)
        self._open = set(range(len(self._ports)))

    def open(self) -> list[ForwardEvent]:
        """Each port has one connection from the beginning; both its channels begin with its number."""
        for key, port in enumerate(self._ports):
            for channel in (2 * key, 2 * key + 1):
                self._channels.send(channel, struct.pack("<H", port))
        return [ConnectionRequested(key, port) for key, port in enumerate(self._ports)]

    def receive_data(self, data: bytes) -> list[ForwardEvent]:
        """What the client did. Raises RemoteProtocolError."""
        events: list[ForwardEvent] = []
        for event in self._channels.receive_data(data):
            events += self._receive(event)
        return events

    def send(self, key: int, data: Piece) -> None:
        """Send on the channel of data."""
        if key in self._open and self._channels.can_send:
            self._channels.send(2 * key, data)

    def end(self, key: int) -> None:
        """Nothing: the protocol cannot say it."""

    def finish(self, key: int, problem: str = "") -> None:
        """Tell the problem; the last port's end is the connection's."""
        if key in self._open and problem and self._channels.can_send:
            self._channels.send(2 * key + 1, problem.encode())
        self._open.discard(key)
        if not self._open:
            self._channels.close()

    def close(self) -> None:
        """Close the connection."""
        self._channels.close()

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        return self._channels.data_to_send()

    def _receive(self, event: ChannelEvent) -> Iterator[ForwardEvent]:
        match event:
            case ChannelData(channel, data) if channel % 2 == 0 and channel // 2 in self._open:
                yield BytesReceived(channel // 2, data)
            case ClientClosed():
                yield from map(ConnectionBroken, sorted(self._open))
                yield ClientLeft()
            case _:
                pass
