"""What is fuzzed: each target takes any bytes, and raises only where a codec has a defect."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from tests.unit.streaming.spdy_client import StrictSpdyClient
from tests.unit.streaming.websocket_client import StrictWebSocketClient
from vnode.streaming.commands import Exited, Output, StreamKind
from vnode.streaming.errors import RemoteProtocolError
from vnode.streaming.forwarding import ConnectionRequested
from vnode.streaming.resize import SizeReader
from vnode.streaming.spdy.commands import SpdyCommand
from vnode.streaming.spdy.port_forward import SpdyPortForward
from vnode.streaming.websocket.commands import WebSocketCommand
from vnode.streaming.websocket.port_forward import WebSocketPortForward
from vnode.streaming.websocket.tunnel import TunnelledPortForward

_ALL = frozenset(StreamKind)
_KINDS = (*StreamKind, "data", "nonsense", "")


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut by lengths that the data itself names."""
    position = 0
    while position < len(data):
        length = data[position] or 1
        yield data[position + 1 : position + 1 + length]
        position += 1 + length


def feed(codec: Any, parts: Iterator[bytes], *, prologue: bytes = b"") -> bytes:
    """What a codec answers, which must not be much more than what it was told."""
    codec.open()
    told = len(prologue)
    with suppress(RemoteProtocolError):
        if prologue:
            codec.receive_data(prologue)
        for part in parts:
            told += len(part)
            codec.receive_data(part)
            if part[:1] == b"!":
                codec.finish(Exited(part[-1])) if hasattr(codec, "send_output") else codec.finish(part[-1])
    answers = b"".join(codec.data_to_send())
    assert len(answers) <= 1000 + 8 * told, "answers grow faster than questions"
    return answers


def _raw(make: Callable[[], Any]) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        feed(make(), pieces(data))

    return target


def _after_opening(make: Callable[[], Any]) -> Callable[[bytes], None]:
    """Nonsense after streams were opened in a right way, so that it finds some."""

    def target(data: bytes) -> None:
        client = StrictSpdyClient()
        headers = [{"streamtype": kind, "port": "80", "requestid": "1"} for kind in _KINDS]
        feed(make(), pieces(data), prologue=b"".join(client.open(each)[1] for each in headers))

    return target


def _right_client(make: Callable[[], Any]) -> Callable[[bytes], None]:
    """A client that keeps the protocol, led by the data, must never see it broken."""

    def target(data: bytes) -> None:
        codec, client = make(), StrictSpdyClient()
        keys: list[int] = []
        for part in pieces(data):
            if not part:
                continue
            events = codec.receive_data(_say(client, part))
            keys += [event.key for event in events if isinstance(event, ConnectionRequested)]
            _answer(codec, keys, part)
            client.receive(b"".join(codec.data_to_send()))
        codec.close()
        client.receive(b"".join(codec.data_to_send()))

    return target


def _say(client: StrictSpdyClient, part: bytes) -> bytes:
    act, which = part[0] % 5, part[0] // 5
    if act == 0:
        return client.ping(2 * which + 1)
    if act == 1:
        kind = _KINDS[which % len(_KINDS)]
        return client.open({"streamtype": kind, "port": str(len(part)), "requestid": str(which % 4)})[1]
    living = [number for number, stream in client.streams.items() if not stream.sent_end and stream.reset is None]
    if not living:
        return b""
    stream_id = living[which % len(living)]
    return client.reset(stream_id) if act == 2 else client.data(stream_id, part, fin=act == 3)


def _answer(codec: Any, keys: list[int], part: bytes) -> None:
    act, which = part[-1] % 4, part[-1] // 4
    if isinstance(codec, SpdyCommand):
        if act < 2:
            codec.send_output(Output(act + 1), part)
        elif which == 0:
            codec.finish(Exited(which))
    elif keys:
        key = keys[which % len(keys)]
        (lambda: codec.send(key, part), lambda: codec.end(key), lambda: codec.finish(key), lambda: None)[act]()


def _answers_of_websockets(data: bytes) -> None:
    client = StrictWebSocketClient()
    client.receive(feed(WebSocketCommand("v5.channel.k8s.io", _ALL), pieces(data)))


def _sizes(data: bytes) -> None:
    reader = SizeReader()
    for part in pieces(data):
        reader.read(part)
    assert reader.kept <= 2048


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "spdy command": _raw(lambda: SpdyCommand("v4.channel.k8s.io", _ALL)),
    "spdy forward": _raw(SpdyPortForward),
    "open command": _after_opening(lambda: SpdyCommand("channel.k8s.io", _ALL)),
    "open forward": _after_opening(SpdyPortForward),
    "right command": _right_client(lambda: SpdyCommand("v4.channel.k8s.io", _ALL)),
    "right forward": _right_client(SpdyPortForward),
    "websocket": _answers_of_websockets,
    "encoded websocket": _raw(lambda: WebSocketCommand("base64.channel.k8s.io", _ALL)),
    "websocket forward": _raw(lambda: WebSocketPortForward("v4.base64.channel.k8s.io", [80, 443])),
    "tunnel": _raw(TunnelledPortForward),
    "sizes": _sizes,
}


def run(data: bytes) -> None:
    """Give the data to the target that its first byte names."""
    if data:
        names = tuple(TARGETS)
        TARGETS[names[data[0] % len(names)]](data[1:])
