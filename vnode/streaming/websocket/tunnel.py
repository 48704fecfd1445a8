"""Port-forward's SPDY connection inside a WebSocket, cut into binary messages anywhere (KEP-4006)."""

from vnode.streaming.commands import ClientLeft, Piece
from vnode.streaming.forwarding import ForwardEvent
from vnode.streaming.spdy.port_forward import SpdyPortForward
from vnode.streaming.websocket.connection import WebSocketConnection
from vnode.streaming.websocket.events import CloseReceived

PROTOCOL = "SPDY/3.1+portforward.k8s.io"


class TunnelledPortForward:
    """A `ForwardCodec`: the SPDY one, wrapped."""

    def __init__(self) -> None:
        self._socket = WebSocketConnection()
        self._spdy = SpdyPortForward()

    def open(self) -> list[ForwardEvent]:
        """Nothing: the client opens the streams."""
        return self._spdy.open()

    def receive_data(self, data: bytes) -> list[ForwardEvent]:
        """What the client did. Raises RemoteProtocolError."""
        events: list[ForwardEvent] = []
        for event in self._socket.receive_data(data):
            if isinstance(event, CloseReceived):
                events.append(ClientLeft())
            elif event.data:
                events += self._spdy.receive_data(event.data)
        return events

    def send(self, key: int, data: Piece) -> None:
        """Send on the data stream."""
        self._spdy.send(key, data)

    def end(self, key: int) -> None:
        """Close our half of the data stream."""
        self._spdy.end(key)

    def finish(self, key: int, problem: str = "") -> None:
        """End both streams of a connection."""
        self._spdy.finish(key, problem)

    def close(self) -> None:
        """End the session, then the WebSocket."""
        self._spdy.close()
        self._wrap()
        self._socket.close()

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        self._wrap()
        return self._socket.data_to_send()

    def _wrap(self) -> None:
        pieces = self._spdy.data_to_send()
        if pieces and self._socket.can_send:
            self._socket.send_message(*pieces)
