"""Exec and attach over SPDY: one stream for each of error, stdin, stdout, stderr and resize.

Source: kubernetes staging/src/k8s.io/cri-streaming/pkg/streaming/remotecommand/httpstream.go.
"""

from collections.abc import Iterator

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
from vnode.streaming.spdy.connection import SpdyConnection
from vnode.streaming.spdy.events import (
    ConnectionEnded,
    DataReceived,
    Event,
    StreamEnded,
    StreamRequested,
    StreamReset,
)
from vnode.streaming.spdy.frames import ResetStatus
from vnode.streaming.status import status_message

#: What we speak of X-Stream-Protocol-Version; the client's order decides.
PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")

_WITH_STATUS = {"v4.channel.k8s.io"}
_WITH_RESIZE = {"v4.channel.k8s.io", "v3.channel.k8s.io"}
_OUTPUTS = {Output.STDOUT: StreamKind.STDOUT, Output.STDERR: StreamKind.STDERR}
#: Streams that were refused are few; a client that tries again and again is not one.
_MOST_STREAMS = 16


class SpdyCommand:
    """A `CommandCodec`."""

    def __init__(self, protocol: str, wanted: frozenset[StreamKind]) -> None:
        self._connection = SpdyConnection(most_streams=_MOST_STREAMS)
        self._as_status = protocol in _WITH_STATUS
        #: `wanted` says resize where there is a terminal; old protocols have no stream for it.
        self._wanted = wanted | {StreamKind.ERROR}
        if protocol not in _WITH_RESIZE:
            self._wanted -= {StreamKind.RESIZE}
        self._ids: dict[StreamKind, int] = {}
        self._kinds: dict[int, StreamKind] = {}
        self._sizes = SizeReader()
        self._finished = False

    def open(self) -> list[CommandEvent]:
        """Nothing: the client opens the streams."""
        return []

    def receive_data(self, data: bytes) -> list[CommandEvent]:
        """What the client did. Raises RemoteProtocolError."""
        events: list[CommandEvent] = []
        for event in self._connection.receive_data(data):
            events += self._receive(event)
        return events

    def send_output(self, output: Output, data: Piece) -> None:
        """Send on stdout or stderr, where the client has opened it and reads it."""
        stream_id = self._ids.get(_OUTPUTS[output])
        if stream_id is not None and self._connection.can_send(stream_id):
            self._connection.send_data(stream_id, data)

    def finish(self, outcome: Outcome) -> None:
        """Tell how it ended and end our half of all streams; what the client still sends is dropped."""
        self._finished = True
        error = self._ids.get(StreamKind.ERROR)
        message = status_message(outcome, as_status=self._as_status)
        if error is not None and self._connection.can_send(error) and message:
            self._connection.send_data(error, message)
        for kind, stream_id in self._ids.items():
            if kind in (StreamKind.STDIN, StreamKind.RESIZE):
                self._connection.reset(stream_id)
            elif self._connection.can_send(stream_id):
                self._connection.end(stream_id)

    def close(self) -> None:
        """Say that the session ends."""
        self._connection.close()

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        return self._connection.data_to_send()

    def _receive(self, event: Event) -> Iterator[CommandEvent]:
        match event:
            case StreamRequested(stream_id, headers):
                yield from self._open_stream(stream_id, headers.get("streamtype", ""))
            case DataReceived(stream_id, data) if not self._finished:
                yield from self._receive_bytes(self._kinds.get(stream_id), data)
            case StreamEnded(stream_id) if self._kinds.get(stream_id) is StreamKind.STDIN:
                yield StdinEnded()
            case StreamReset(stream_id):
                yield from self._reset(self._kinds.get(stream_id))
            case ConnectionEnded():
                yield ClientLeft()
            case _:
                pass

    def _open_stream(self, stream_id: int, name: str) -> Iterator[CommandEvent]:
        kind = next((kind for kind in self._wanted if kind == name), None)
        if kind is None or kind in self._ids:
            self._connection.reset(stream_id, ResetStatus.REFUSED_STREAM)
            return
        self._ids[kind] = stream_id
        self._kinds[stream_id] = kind
        self._connection.reply(stream_id)
        if self._ids.keys() == self._wanted:
            yield StreamsOpened()

    def _receive_bytes(self, kind: StreamKind | None, data: bytes) -> Iterator[CommandEvent]:
        if kind is StreamKind.STDIN:
            yield StdinReceived(data)
        elif kind is StreamKind.RESIZE:
            yield from map(Resized, self._sizes.read(data))

    def _reset(self, kind: StreamKind | None) -> Iterator[CommandEvent]:
        if kind is StreamKind.STDIN:
            yield StdinEnded()
        elif kind is StreamKind.ERROR and not self._finished:
            yield ClientLeft()
