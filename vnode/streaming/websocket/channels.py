"""Channels of `*.channel.k8s.io`: the first byte of every message tells whose bytes follow.

In the base64 forms it is a digit, and the rest is base64. Clients may send text where we send binary: the Python
client does. Source: kubernetes staging/src/k8s.io/streaming/pkg/httpstream/wsstream.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from vnode.streaming.errors import RemoteProtocolError
from vnode.streaming.websocket.connection import LARGEST_MESSAGE, CloseCode, Piece, WebSocketConnection
from vnode.streaming.websocket.events import CloseReceived, MessagePart

_CLOSE_SIGNAL = 0xFF
_ZERO = ord("0")
_QUANTUM = 4


@dataclass(frozen=True, slots=True)
class ChannelData:
    """Bytes for a channel, never empty."""

    channel: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ChannelEnded:
    """The client will send no more on this channel (version 5 only)."""

    channel: int


@dataclass(frozen=True, slots=True)
class ClientClosed:
    """The client has closed the connection."""


ChannelEvent = ChannelData | ChannelEnded | ClientClosed


class Channels:
    """A WebSocket connection, divided into channels."""

    def __init__(self, *, encoded: bool = False, half_close: bool = False) -> None:
        self._socket = WebSocketConnection()
        self._encoded = encoded
        self._half_close = half_close
        self._channel: int | None = None
        self._ends_channel = False
        self._undecoded = b""

    @property
    def can_send(self) -> bool:
        """Whether the connection is open."""
        return self._socket.can_send

    def receive_data(self, data: bytes) -> list[ChannelEvent]:
        """What the client did. Raises RemoteProtocolError."""
        events: list[ChannelEvent] = []
        for event in self._socket.receive_data(data):
            events += self._receive(event)
        return events

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        return self._socket.data_to_send()

    def send(self, channel: int, data: Piece) -> None:
        """Send bytes of any length, also none, which is a message too."""
        view = memoryview(data)
        for start in range(0, len(data) or 1, LARGEST_MESSAGE):
            piece = view[start : start + LARGEST_MESSAGE]
            if self._encoded:
                self._socket.send_message(bytes((_ZERO + channel,)), base64.b64encode(piece), text=True)
            else:
                self._socket.send_message(bytes((channel,)), piece)

    def close(self, code: CloseCode = CloseCode.NORMAL) -> None:
        """End the connection after what was sent."""
        self._socket.close(code)

    def _receive(self, event: MessagePart | CloseReceived) -> Iterator[ChannelEvent]:
        if isinstance(event, CloseReceived):
            yield ClientClosed()
            return
        if event.begins:
            self._channel, self._ends_channel, self._undecoded = None, False, b""
        data = event.data
        if data and self._channel is None:
            data = self._begin(data)
        if self._ends_channel:
            yield from self._end(data)
        elif data and self._channel is not None:
            decoded = self._decode(data) if self._encoded else data
            if decoded:
                yield ChannelData(self._channel, decoded)
        if event.ends and self._undecoded:
            raise RemoteProtocolError("a message whose base64 ends too early")

    def _begin(self, data: bytes) -> bytes:
        first = data[0]
        self._channel = first
        if self._half_close and first == _CLOSE_SIGNAL:
            self._ends_channel = True
        elif self._encoded:
            self._channel = first - _ZERO
        return data[1:]

    def _end(self, data: bytes) -> Iterator[ChannelEvent]:
        for channel in data:
            yield ChannelEnded(channel)

    def _decode(self, data: bytes) -> bytes:
        data = self._undecoded + data
        whole = len(data) - len(data) % _QUANTUM
        self._undecoded = data[whole:]
        try:
            return base64.b64decode(data[:whole], validate=True)
        except binascii.Error:
            raise RemoteProtocolError("a message that is not base64") from None
