"""The server's side of one WebSocket connection after its handshake: bytes in, events out; commands in, bytes out."""

import struct
from collections.abc import Iterator
from enum import Enum, IntEnum, auto

from vnode.streaming.errors import LocalProtocolError, RemoteProtocolError
from vnode.streaming.websocket.events import CloseReceived, Event, MessagePart
from vnode.streaming.websocket.frames import FramePart, FrameReader, Opcode, frame_head

#: Bytes in one message, as many as a kubelet sends.
LARGEST_MESSAGE = 32 * 1024

Piece = bytes | memoryview


class CloseCode(IntEnum):
    """Why a connection ends (RFC 6455, section 7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INTERNAL_ERROR = 1011


class State(Enum):
    """Who has said that it ends."""

    OPEN = auto()
    CLOSE_SENT = auto()
    CLOSE_RECEIVED = auto()
    CLOSED = auto()


#: What a CLOSE in either direction makes of the connection.
_SENT = {State.OPEN: State.CLOSE_SENT, State.CLOSE_RECEIVED: State.CLOSED}
_RECEIVED = {State.OPEN: State.CLOSE_RECEIVED, State.CLOSE_SENT: State.CLOSED}


class WebSocketConnection:
    """Messages without extensions.

    After a RemoteProtocolError nothing more may be received; what `data_to_send` returns then tells the peer.
    """

    def __init__(self) -> None:
        self._reader = FrameReader()
        self._outgoing: list[Piece] = []
        self._state = State.OPEN
        self._in_message = False

    @property
    def can_send(self) -> bool:
        """Whether messages may still be sent."""
        return self._state is State.OPEN

    @property
    def _peer_closed(self) -> bool:
        return self._state in (State.CLOSE_RECEIVED, State.CLOSED)

    def receive_data(self, data: bytes) -> list[Event]:
        """What the peer did. Raises RemoteProtocolError when it broke the protocol."""
        events: list[Event] = []
        try:
            for part in self._reader.read(data) if not self._peer_closed else ():
                events += self._receive(part)
                if self._peer_closed:
                    break
        except RemoteProtocolError:
            self.close(CloseCode.PROTOCOL_ERROR)
            self._state = State.CLOSED
            raise
        return events

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def send_message(self, *pieces: Piece, text: bool = False) -> None:
        """Send one message."""
        if self._state is not State.OPEN:
            raise LocalProtocolError(f"a message on a connection that is {self._state.name}")
        opcode = Opcode.TEXT if text else Opcode.BINARY
        self._outgoing += (frame_head(opcode, sum(map(len, pieces))), *pieces)

    def close(self, code: CloseCode = CloseCode.NORMAL) -> None:
        """Say that we send no more; the second time nothing happens."""
        self._close(struct.pack("!H", code))

    def _close(self, payload: bytes) -> None:
        following = _SENT.get(self._state)
        if following is not None:
            self._outgoing += (frame_head(Opcode.CLOSE, len(payload)), payload)
            self._state = following

    def _receive(self, part: FramePart) -> Iterator[Event]:
        match part.opcode:
            case Opcode.PING:
                if self._state is State.OPEN:
                    self._outgoing += (frame_head(Opcode.PONG, len(part.data)), part.data)
            case Opcode.PONG:
                pass
            case Opcode.CLOSE:
                if len(part.data) == 1:
                    raise RemoteProtocolError("a WebSocket CLOSE with half a code")
                self._state = _RECEIVED[self._state]
                # The answer repeats the code; a reason is not owed.
                self._close(part.data[:2])
                yield CloseReceived()
            case _:
                yield self._message_part(part)

    def _message_part(self, part: FramePart) -> MessagePart:
        continues = part.opcode is Opcode.CONTINUATION
        if part.begins and continues is not self._in_message:
            raise RemoteProtocolError("WebSocket fragments of two messages are mixed")
        begins = part.begins and not continues
        ends = part.ends and part.final
        self._in_message = not ends
        return MessagePart(part.data, begins=begins, ends=ends)
