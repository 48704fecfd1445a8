"""Exec and attach over WebSocket: channels 0 to 4 are stdin, stdout, stderr, error and resize.

Source: kubernetes staging/src/k8s.io/cri-streaming/pkg/streaming/remotecommand/websocket.go; version 5 adds the
half-close of KEP-4006.
"""

from collections.abc import Iterator
from enum import IntEnum

from vnode.streaming.commands import (
    ClientLeft,
    CommandEvent,
    Outcome,
    Output,
    Piece,
    Resized,
    StdinEnded,
    StdinReceived,
    StreamKind,
    StreamsOpened,
)
from vnode.streaming.resize import SizeReader
from vnode.streaming.status import status_message
from vnode.streaming.websocket.channels import ChannelData, ChannelEnded, ChannelEvent, Channels, ClientClosed

#: Sub-protocols that we speak; a client may also ask for none.
PROTOCOLS = (
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
)

_WITH_STATUS = {"v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"}
_WITH_HALF_CLOSE = {"v5.channel.k8s.io"}


class _Channel(IntEnum):
    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    RESIZE = 4


_OUTPUTS = {
    Output.STDOUT: (StreamKind.STDOUT, _Channel.STDOUT),
    Output.STDERR: (StreamKind.STDERR, _Channel.STDERR),
}


class WebSocketCommand:
    """A `CommandCodec`."""

    def __init__(self, protocol: str, wanted: frozenset[StreamKind]) -> None:
        self._half_close = protocol in _WITH_HALF_CLOSE
        self._channels = Channels(encoded="base64" in protocol, half_close=self._half_close)
        self._as_status = protocol in _WITH_STATUS
        self._wanted = wanted
        self._sizes = SizeReader()
        self._stdin_ended = StreamKind.STDIN not in wanted

    def open(self) -> list[CommandEvent]:
        """All channels are there; an empty message on the first one that we write says so to the client.

        Not in version 5: kubectl, whose version that is, reads before it has made its streams in some releases, and
        then complains of a message for an unknown one.
        """
        if not self._half_close:
            first = next((c for kind, c in _OUTPUTS.values() if kind in self._wanted), _Channel.ERROR)
            self._channels.send(first, b"")
        return [StreamsOpened()]

    def receive_data(self, data: bytes) -> list[CommandEvent]:
        """What the client did. Raises RemoteProtocolError."""
        events: list[CommandEvent] = []
        for event in self._channels.receive_data(data):
            events += self._receive(event)
        return events

    def send_output(self, output: Output, data: Piece) -> None:
        """Send on the channel of stdout or stderr, where it is wanted."""
        kind, channel = _OUTPUTS[output]
        if kind in self._wanted and data and self._channels.can_send:
            self._channels.send(channel, data)

    def finish(self, outcome: Outcome) -> None:
        """Tell how it ended, and close with code 1000: kubectl takes any other one for an error."""
        message = status_message(outcome, as_status=self._as_status)
        if message and self._channels.can_send:
            self._channels.send(_Channel.ERROR, message)
        self._channels.close()

    def close(self) -> None:
        """Close the connection."""
        self._channels.close()

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        return self._channels.data_to_send()

    def _receive(self, event: ChannelEvent) -> Iterator[CommandEvent]:
        match event:
            case ChannelData(_Channel.STDIN, data) if not self._stdin_ended:
                yield StdinReceived(data)
            case ChannelData(_Channel.RESIZE, data) if StreamKind.RESIZE in self._wanted:
                yield from map(Resized, self._sizes.read(data))
            case ChannelEnded(_Channel.STDIN) if not self._stdin_ended:
                self._stdin_ended = True
                yield StdinEnded()
            case ClientClosed():
                yield ClientLeft()
            case _:
                pass
