"""Port-forward over SPDY: a pair of streams, error and data, for each connection.

Source: kubernetes staging/src/k8s.io/cri-streaming/pkg/streaming/portforward/httpstream.go.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vnode.streaming.commands import ClientLeft, Piece
from vnode.streaming.forwarding import BytesEnded, BytesReceived, ConnectionBroken, ConnectionRequested, ForwardEvent
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

#: What we speak of X-Stream-Protocol-Version.
PROTOCOLS = ("portforward.k8s.io",)

_ERROR, _DATA = "error", "data"
_PORT = re.compile(r"0*[1-9][0-9]{0,4}", re.ASCII)
_LARGEST_PORT = 65535


@dataclass(slots=True)
class _Pair:
    """The streams of one connection; the problem waits for its stream, which may come after the data's."""

    error: int = 0
    data: int = 0
    finished: bool = False
    problem: str = ""


class SpdyPortForward:
    """A `ForwardCodec`; a key is the id of the data stream."""

    def __init__(self) -> None:
        self._connection = SpdyConnection()
        #: Pairs of which one stream came, by the client's request id.
        self._incomplete: dict[str, _Pair] = {}
        self._by_data: dict[int, _Pair] = {}

    def open(self) -> list[ForwardEvent]:
        """Nothing: the client opens the streams."""
        return []

    def receive_data(self, data: bytes) -> list[ForwardEvent]:
        """What the client did. Raises RemoteProtocolError."""
        events: list[ForwardEvent] = []
        for event in self._connection.receive_data(data):
            events += self._receive(event)
        return events

    def send(self, key: int, data: Piece) -> None:
        """Send on the data stream."""
        if self._connection.can_send(key):
            self._connection.send_data(key, data)

    def end(self, key: int) -> None:
        """Close our half of the data stream."""
        if self._connection.can_send(key):
            self._connection.end(key)

    def finish(self, key: int, problem: str = "") -> None:
        """End both streams; kubectl ends its whole forward when there is a text on the error stream."""
        pair = self._by_data.pop(key, None)
        if pair is None:
            return
        pair.finished, pair.problem = True, problem
        self.end(key)
        self._connection.reset(key)
        if pair.error:
            self._end_error(pair)

    def close(self) -> None:
        """Reset all streams and say that the session ends."""
        self._connection.close()

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        return self._connection.data_to_send()

    def _receive(self, event: Event) -> Iterator[ForwardEvent]:
        match event:
            case StreamRequested(stream_id, headers):
                yield from self._open_stream(stream_id, headers)
            case DataReceived(stream_id, data) if stream_id in self._by_data:
                yield BytesReceived(stream_id, data)
            case StreamEnded(stream_id) if stream_id in self._by_data:
                yield BytesEnded(stream_id)
            case StreamReset(stream_id) if stream_id in self._by_data:
                yield ConnectionBroken(stream_id)
            case ConnectionEnded():
                yield ClientLeft()
            case _:
                pass

    def _open_stream(self, stream_id: int, headers: Mapping[str, str]) -> Iterator[ForwardEvent]:
        kind, port = headers.get("streamtype", ""), _port(headers.get("port", ""))
        request = _request_id(stream_id, kind, headers)
        pair = self._incomplete.get(request, _Pair())
        if kind not in (_ERROR, _DATA) or port is None or (pair.error if kind == _ERROR else pair.data):
            self._connection.reset(stream_id, ResetStatus.REFUSED_STREAM)
            return
        self._connection.reply(stream_id)
        if kind == _ERROR:
            pair.error = stream_id
        else:
            pair.data = stream_id
            self._by_data[stream_id] = pair
        if pair.error and pair.data:
            self._incomplete.pop(request, None)
        else:
            self._incomplete[request] = pair
        if kind == _DATA:
            yield ConnectionRequested(stream_id, port)
        elif pair.finished:
            self._end_error(pair)

    def _end_error(self, pair: _Pair) -> None:
        if self._connection.can_send(pair.error):
            if pair.problem:
                self._connection.send_data(pair.error, pair.problem.encode())
            self._connection.end(pair.error)
        self._connection.reset(pair.error)


def _port(text: str) -> int | None:
    if not _PORT.fullmatch(text):
        return None
    port = int(text)
    return port if port <= _LARGEST_PORT else None


def _request_id(stream_id: int, kind: str, headers: Mapping[str, str]) -> str:
    """What pairs two streams; ancient clients open them one after the other and name nothing."""
    named = headers.get("requestid", "")
    return f"named {named}" if named else f"unnamed {stream_id if kind == _ERROR else stream_id - 2}"
