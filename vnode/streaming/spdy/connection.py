"""The server's side of one SPDY/3.1 connection: bytes in, events out; commands in, bytes out."""

from collections.abc import Iterator

from vnode.streaming.errors import LocalProtocolError, RemoteProtocolError
from vnode.streaming.spdy.events import (
    ConnectionEnded,
    DataReceived,
    Event,
    StreamEnded,
    StreamRequested,
    StreamReset,
)
from vnode.streaming.spdy.frames import (
    FIN,
    UNIDIRECTIONAL,
    Data,
    Frame,
    FrameReader,
    GoAway,
    GoAwayStatus,
    Headers,
    Ping,
    ResetStatus,
    RstStream,
    SynReply,
    SynStream,
    data_head,
)
from vnode.streaming.spdy.header_block import BadHeaders, HeaderCompressor, HeaderDecompressor
from vnode.streaming.spdy.stream_state import Act, Half, StreamState

#: Streams at once; each forwarded connection has two, a command at most five.
MOST_STREAMS = 1024

#: Bytes in one DATA frame, as many as a kubelet's io.Copy sends: the reader keeps up to 250 frames in memory.
LARGEST_DATA = 32 * 1024

Piece = bytes | memoryview


class SpdyConnection:
    """Keeps the streams that the client opened.

    After a RemoteProtocolError nothing more may be received; what `data_to_send` returns then tells the peer.
    Frames that a peer may have sent before it saw our end of a stream are ignored, as spdystream does.
    """

    def __init__(self, *, most_streams: int = MOST_STREAMS) -> None:
        self._reader = FrameReader()
        self._compressor = HeaderCompressor()
        self._decompressor = HeaderDecompressor()
        self._streams: dict[int, StreamState] = {}
        self._most_streams = most_streams
        self._last = 0
        self._outgoing: list[Piece] = []
        self._broken = False
        self._closed = False

    @property
    def streams(self) -> frozenset[int]:
        """The streams that are not over."""
        return frozenset(self._streams)

    def receive_data(self, data: bytes) -> list[Event]:
        """What the peer did. Raises RemoteProtocolError when it broke the protocol."""
        if self._broken:
            raise LocalProtocolError("the connection is broken already")
        events: list[Event] = []
        try:
            for frame in self._reader.read(data):
                events += self._receive(frame)
        except RemoteProtocolError:
            self._broken = True
            self._send(GoAway(self._last, GoAwayStatus.PROTOCOL_ERROR))
            raise
        return events

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def can_send(self, stream_id: int) -> bool:
        """Whether our half of a stream is open."""
        state = self._streams.get(stream_id)
        return state is not None and state.local is Half.OPEN

    def awaits_answer(self, stream_id: int) -> bool:
        """Whether a stream was neither accepted nor refused yet."""
        state = self._streams.get(stream_id)
        return state is not None and state.local is Half.UNANSWERED

    def reply(self, stream_id: int) -> None:
        """Accept a stream."""
        self._state(stream_id).send(Act.REPLY)
        self._send(SynReply(stream_id, self._compressor.compress({})))

    def send_data(self, stream_id: int, data: Piece) -> None:
        """Send bytes of any length on a stream."""
        self._state(stream_id).send(Act.DATA)
        if len(data) <= LARGEST_DATA:
            self._outgoing += (data_head(stream_id, len(data)), data)
            return
        view = memoryview(data)
        for start in range(0, len(data), LARGEST_DATA):
            piece = view[start : start + LARGEST_DATA]
            self._outgoing += (data_head(stream_id, len(piece)), piece)

    def end(self, stream_id: int) -> None:
        """Close our half of a stream."""
        state = self._state(stream_id)
        state.send(Act.END)
        self._outgoing.append(data_head(stream_id, 0, fin=True))
        self._forget_if_over(stream_id, state)

    def reset(self, stream_id: int, status: ResetStatus = ResetStatus.CANCEL) -> None:
        """Close both halves of a stream, or refuse it; one that is over already stays so."""
        if self._streams.pop(stream_id, None) is not None:
            self._send(RstStream(stream_id, status))

    def close(self) -> None:
        """Reset what is open, and accept no more streams."""
        if self._closed or self._broken:
            return
        self._closed = True
        for stream_id in tuple(self._streams):
            self.reset(stream_id)
        self._send(GoAway(self._last, GoAwayStatus.OK))

    def _state(self, stream_id: int) -> StreamState:
        try:
            return self._streams[stream_id]
        except KeyError:
            raise LocalProtocolError(f"stream {stream_id} is not open") from None

    def _send(self, frame: Frame) -> None:
        self._outgoing.append(frame.serialize())

    def _receive(self, frame: Frame) -> Iterator[Event]:
        match frame:
            case Data(stream_id, data, fin):
                yield from self._receive_data(stream_id, data, fin=fin)
            case SynStream():
                yield from self._receive_stream(frame)
            case RstStream(stream_id):
                if self._streams.pop(stream_id, None) is not None:
                    yield StreamReset(stream_id)
            case Ping(ping_id):
                # A client's own pings are odd; an even one answers a ping of ours, and we send none.
                if ping_id % 2:
                    self._send(frame)
            case GoAway():
                yield ConnectionEnded()
            case Headers(stream_id, block, flags) | SynReply(stream_id, block, flags):
                yield from self._receive_headers(stream_id, block, fin=bool(flags & FIN))
            case _:
                pass

    def _receive_stream(self, frame: SynStream) -> Iterator[Event]:
        stream_id = frame.stream_id
        try:
            headers = self._decompressor.decompress(frame.block)
        except BadHeaders:
            headers = None
        if stream_id == 0 or stream_id % 2 == 0 or stream_id <= self._last:
            raise RemoteProtocolError(f"SYN_STREAM for stream {stream_id} after {self._last}")
        self._last = stream_id
        if headers is None or frame.flags & UNIDIRECTIONAL:
            self._send(RstStream(stream_id, ResetStatus.PROTOCOL_ERROR))
        elif self._closed or len(self._streams) >= self._most_streams:
            self._send(RstStream(stream_id, ResetStatus.REFUSED_STREAM))
        else:
            ended = bool(frame.flags & FIN)
            self._streams[stream_id] = StreamState(remote_ended=ended)
            yield StreamRequested(stream_id, headers)
            if ended:
                yield StreamEnded(stream_id)

    def _receive_data(self, stream_id: int, data: bytes, *, fin: bool) -> Iterator[Event]:
        state = self._streams.get(stream_id)
        if state is None:
            if stream_id > self._last or stream_id % 2 == 0:
                raise RemoteProtocolError(f"DATA for stream {stream_id}, which was never opened")
            return
        if state.remote is Half.ENDED:
            self.reset(stream_id, ResetStatus.STREAM_ALREADY_CLOSED)
            yield StreamReset(stream_id)
            return
        if data:
            state.receive(Act.DATA)
            yield DataReceived(stream_id, data)
        if fin:
            yield from self._end_received(stream_id, state)

    def _receive_headers(self, stream_id: int, block: bytes, *, fin: bool) -> Iterator[Event]:
        """Headers mean nothing to us, but they went through the compressor, and may end a stream."""
        try:
            self._decompressor.decompress(block)
        except BadHeaders:
            if stream_id in self._streams:
                self.reset(stream_id, ResetStatus.PROTOCOL_ERROR)
                yield StreamReset(stream_id)
            return
        state = self._streams.get(stream_id)
        if state is not None and fin and state.remote is Half.OPEN:
            yield from self._end_received(stream_id, state)

    def _end_received(self, stream_id: int, state: StreamState) -> Iterator[Event]:
        state.receive(Act.END)
        self._forget_if_over(stream_id, state)
        yield StreamEnded(stream_id)

    def _forget_if_over(self, stream_id: int, state: StreamState) -> None:
        if state.over:
            self._streams.pop(stream_id, None)
