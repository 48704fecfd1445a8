"""Every split of the same bytes means the same, nonsense is a protocol error and nothing worse, and what we send is
what a strict peer expects."""

import base64
import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.streaming.spdy_client import StrictSpdyClient
from tests.unit.streaming.websocket_client import StrictWebSocketClient
from vnode.streaming.commands import Exited, Output, StdinEnded, StdinReceived, StreamKind
from vnode.streaming.errors import RemoteProtocolError
from vnode.streaming.forwarding import BytesReceived
from vnode.streaming.resize import SizeReader
from vnode.streaming.spdy.commands import SpdyCommand
from vnode.streaming.spdy.connection import SpdyConnection
from vnode.streaming.spdy.dictionary import DICTIONARY
from vnode.streaming.spdy.events import DataReceived, StreamRequested
from vnode.streaming.spdy.frames import (
    Data,
    Frame,
    FrameReader,
    GoAway,
    Headers,
    Ping,
    RstStream,
    SynReply,
    SynStream,
    WindowUpdate,
)
from vnode.streaming.spdy.header_block import LARGEST_BLOCK, HeaderCompressor, HeaderDecompressor
from vnode.streaming.spdy.port_forward import SpdyPortForward
from vnode.streaming.websocket.commands import PROTOCOLS, WebSocketCommand
from vnode.streaming.websocket.frames import unmask
from vnode.streaming.websocket.port_forward import WebSocketPortForward
from vnode.streaming.websocket.tunnel import TunnelledPortForward

EVERYTHING = frozenset(StreamKind)
quick = settings(deadline=None, max_examples=25)
IDS = st.integers(1, 0x7FFFFFFF)
NUMBERS = st.integers(0, 0x7FFFFFFF)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Data, IDS, st.binary(max_size=200), st.booleans()),
    st.builds(SynStream, IDS, st.binary(max_size=50), st.integers(0, 3), NUMBERS, st.integers(0, 7)),
    st.builds(SynReply, IDS, st.binary(max_size=50), st.integers(0, 1)),
    st.builds(Headers, IDS, st.binary(max_size=50), st.integers(0, 1)),
    st.builds(RstStream, IDS, NUMBERS),
    st.builds(Ping, NUMBERS),
    st.builds(GoAway, NUMBERS, NUMBERS),
    st.builds(WindowUpdate, IDS, NUMBERS),
)
HEADERS = st.dictionaries(
    st.sampled_from(["streamtype", "port", "requestid", "x", "content-length"]),
    st.text(st.characters(max_codepoint=255), max_size=40),
)
CUTS = st.lists(st.integers(0, 1 << 16), max_size=20)

CODECS: dict[str, Callable[[], Any]] = {
    **{f"command {name or 'none'}": partial(WebSocketCommand, name, EVERYTHING) for name in (*PROTOCOLS, "")},
    "spdy command": lambda: SpdyCommand("v4.channel.k8s.io", EVERYTHING),
    "spdy forward": SpdyPortForward,
    "forward": lambda: WebSocketPortForward("v4.channel.k8s.io", [80, 443]),
    "encoded forward": lambda: WebSocketPortForward("v4.base64.channel.k8s.io", [80]),
    "tunnel": TunnelledPortForward,
}


def split(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return (data[start:end] for start, end in itertools.pairwise(places))


def whole(frames: list[Frame]) -> list[Frame]:
    """Parts of one DATA frame in one; frames of the same stream that touch cannot be told apart, nor need to be."""
    joined: list[Frame] = []
    for frame in frames:
        last = joined[-1] if joined else None
        if isinstance(frame, Data) and isinstance(last, Data) and last.stream_id == frame.stream_id and not last.fin:
            joined[-1] = Data(frame.stream_id, last.data + frame.data, frame.fin)
        else:
            joined.append(frame)
    return joined


def sent(codec: Any) -> bytes:
    return b"".join(codec.data_to_send())


@quick
@given(st.lists(FRAMES, max_size=12), CUTS)
def test_frames_round_trip_however_they_are_split(frames: list[Frame], cuts: list[int]) -> None:
    data = b"".join(frame.serialize() for frame in frames)
    reader = FrameReader()
    assert whole([frame for piece in split(data, cuts) for frame in reader.read(piece)]) == whole(frames)


@quick
@given(st.lists(HEADERS, max_size=6))
def test_header_blocks_round_trip_through_their_common_memory(blocks: list[dict[str, str]]) -> None:
    compressor, decompressor = HeaderCompressor(), HeaderDecompressor()
    assert [decompressor.decompress(compressor.compress(headers)) for headers in blocks] == blocks


@pytest.mark.parametrize("size", [LARGEST_BLOCK + 1, 8 << 20])
def test_a_header_bomb_is_not_inflated(size: int) -> None:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    bomb = deflate.compress(struct.pack("!II", 1, size) + bytes(size)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(RemoteProtocolError):
        HeaderDecompressor().decompress(bomb)


def test_a_compressed_stream_that_ends_is_refused_for_what_follows_would_be_kept() -> None:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    with pytest.raises(RemoteProtocolError):
        HeaderDecompressor().decompress(deflate.compress(struct.pack("!I", 0)) + deflate.flush() + b"x" * 100)


@pytest.mark.parametrize("name", CODECS)
@quick
@given(pieces=st.lists(st.binary(max_size=300), max_size=10))
def test_nonsense_is_a_protocol_error_and_nothing_worse(name: str, pieces: list[bytes]) -> None:
    codec = CODECS[name]()
    codec.open()
    answers = len(sent(codec))
    with suppress(RemoteProtocolError):
        for piece in pieces:
            codec.receive_data(piece)
    answers = len(sent(codec))
    assert answers <= 100 + 4 * sum(map(len, pieces))


@pytest.mark.parametrize("name", ["spdy command", "spdy forward"])
@quick
@given(data=st.data())
def test_a_damaged_conversation_is_a_protocol_error_and_nothing_worse(name: str, data: st.DataObject) -> None:
    script = bytearray(conversation(StrictSpdyClient()))
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, len(script) - 1), st.integers(0, 255)), max_size=4)):
        script[place] = byte
    codec = CODECS[name]()
    with suppress(RemoteProtocolError):
        for piece in split(bytes(script), data.draw(CUTS)):
            codec.receive_data(piece)
    assert len(sent(codec)) <= 4 * len(script)


def conversation(client: StrictSpdyClient) -> bytes:
    """What a client of both protocols might say."""
    said = b""
    for kind in ("error", "stdin", "stdout", "stderr", "resize", "data"):
        stream_id, opened = client.open({"streamtype": kind, "port": "80", "requestid": "1"})
        said += opened + client.ping(2 * stream_id + 1)
        if kind in ("stdin", "data"):
            said += client.data(stream_id, b"hello") + client.data(stream_id, b" world", fin=True)
        if kind == "resize":
            said += client.data(stream_id, b'{"Width":80,"Height":24}\n')
    return said + client.go_away()


@quick
@given(CUTS)
def test_a_conversation_means_the_same_however_it_is_split(cuts: list[int]) -> None:
    client = StrictSpdyClient()
    said = conversation(client)
    codec = SpdyCommand("v4.channel.k8s.io", EVERYTHING)
    events = [event for piece in split(said, cuts) for event in codec.receive_data(piece)]
    assert b"".join(event.data for event in events if isinstance(event, StdinReceived)) == b"hello world"
    others = [event for event in events if not isinstance(event, StdinReceived)]
    whole_codec = SpdyCommand("v4.channel.k8s.io", EVERYTHING)
    assert others == [event for event in whole_codec.receive_data(said) if not isinstance(event, StdinReceived)]
    client.receive(sent(codec))
    assert client.pings == [3, 7, 11, 15, 19, 23]
    assert [client.streams[number].reset for number in client.streams] == [None, None, None, None, None, 3]


@quick
@given(
    st.lists(
        st.tuples(st.sampled_from(["open", "data", "fin", "reset", "ping"]), st.integers(0, 7), st.binary(max_size=40)),
        max_size=40,
    ),
    st.lists(st.sampled_from(["reply", "reset", "data", "end", "nothing"]), min_size=1),
)
def test_a_strict_peer_finds_no_fault_with_us(acts: list[tuple[str, int, bytes]], replies: list[str]) -> None:
    """Whatever a right client does and whatever we answer, in any order."""
    server, client = SpdyConnection(), StrictSpdyClient()
    received: dict[int, bytes] = {}
    expected: dict[int, bytes] = {}
    for number, (act, which, data) in enumerate(acts):
        said = say(client, act, which, data, expected)
        for event in server.receive_data(said):
            if isinstance(event, StreamRequested):
                received[event.stream_id] = b""
            elif isinstance(event, DataReceived):
                received[event.stream_id] += event.data
        answer(server, replies[number % len(replies)], data)
        client.receive(sent(server))
    client.receive(sent(server))
    for stream_id, text in received.items():
        assert expected[stream_id].startswith(text)
        if client.streams[stream_id].reset is None:
            assert expected[stream_id] == text
    server.close()
    client.receive(sent(server))


def say(client: StrictSpdyClient, act: str, which: int, data: bytes, expected: dict[int, bytes]) -> bytes:
    if act == "ping":
        return client.ping(2 * which + 1)
    if act == "open":
        stream_id, said = client.open({"streamtype": "data"}, fin=which == 0)
        expected[stream_id] = b""
        return said
    ids = [number for number, stream in client.streams.items() if not stream.sent_end and stream.reset is None]
    if not ids:
        return b""
    stream_id = ids[which % len(ids)]
    if act == "reset":
        return client.reset(stream_id)
    expected[stream_id] += data
    return client.data(stream_id, data, fin=act == "fin")


def answer(server: SpdyConnection, reply: str, data: bytes) -> None:
    for stream_id in server.streams:
        match reply:
            case "reset":
                server.reset(stream_id)
            case "reply" if server.awaits_answer(stream_id):
                server.reply(stream_id)
            case "data" if server.can_send(stream_id):
                server.send_data(stream_id, data)
            case "end" if server.can_send(stream_id):
                server.end(stream_id)


@quick
@given(st.binary(max_size=100), st.binary(min_size=4, max_size=4))
def test_masking_is_its_own_inverse(data: bytes, mask: bytes) -> None:
    assert unmask(data, mask) == bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    assert unmask(unmask(data, mask), mask) == data


@quick
@given(
    st.lists(st.tuples(st.binary(max_size=300), st.integers(1, 4), st.booleans()), max_size=6),
    CUTS,
    st.binary(min_size=4, max_size=4),
)
def test_input_comes_through_a_websocket_however_it_is_framed(
    messages: list[tuple[bytes, int, bool]], cuts: list[int], mask: bytes
) -> None:
    """Messages in fragments, pings between them, text or binary, and any split of all that."""
    client = StrictWebSocketClient(mask=mask)
    said, pings = b"", []
    for data, fragments, text in messages:
        body = b"\x00" + data
        size = len(body) // fragments + 1
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        for number, part in enumerate(parts):
            opcode = (1 if text else 2) if number == 0 else 0
            said += client.frame(opcode, part, final=number == len(parts) - 1)
            said += client.frame(9, b"%d" % number)
            pings.append(b"%d" % number)
    said += client.frame(2, b"\xff\x00")
    codec = WebSocketCommand("v5.channel.k8s.io", EVERYTHING)
    codec.open()
    events = [event for piece in split(said, cuts) for event in codec.receive_data(piece)]
    assert b"".join(e.data for e in events if isinstance(e, StdinReceived)) == b"".join(data for data, _, _ in messages)
    assert events[-1] == StdinEnded()
    client.receive(sent(codec))
    assert client.pongs == pings


@pytest.mark.parametrize("protocol", ["v4.base64.channel.k8s.io", "v4.channel.k8s.io"])
@quick
@given(data=st.one_of(st.binary(max_size=300), st.builds(bytes, st.integers(0, 100_000))))
def test_output_comes_through_a_websocket(protocol: str, data: bytes) -> None:
    client = StrictWebSocketClient()
    codec = WebSocketCommand(protocol, EVERYTHING)
    codec.open()
    codec.send_output(Output.STDOUT, data)
    codec.finish(Exited(0))
    client.receive(sent(codec))
    encoded = "base64" in protocol
    channel = b"1" if encoded else b"\x01"
    payloads = [payload[1:] for _, payload in client.messages if payload[:1] == channel]
    assert b"".join(base64.b64decode(payload) if encoded else payload for payload in payloads) == data
    assert client.messages[-1][1][:1] == (b"3" if encoded else b"\x03")
    assert client.close_code == 1000


@quick
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=8), CUTS)
def test_encoded_input_comes_through_however_it_is_split(messages: list[bytes], cuts: list[int]) -> None:
    client = StrictWebSocketClient()
    said = b"".join(client.frame(1, b"0" + base64.b64encode(message)) for message in messages)
    codec = WebSocketPortForward("v4.base64.channel.k8s.io", [80])
    codec.open()
    events = [event for piece in split(said, cuts) for event in codec.receive_data(piece)]
    assert b"".join(e.data for e in events if isinstance(e, BytesReceived)) == b"".join(messages)


@quick
@given(CUTS)
def test_the_tunnel_hides_nothing(cuts: list[int]) -> None:
    client, inner = StrictWebSocketClient(), StrictSpdyClient()
    _, error = inner.open({"streamtype": "error", "port": "80", "requestid": "0"}, fin=True)
    data_id, data = inner.open({"streamtype": "data", "port": "80", "requestid": "0"})
    said = error + data + inner.data(data_id, b"x" * 20_000)
    codec = TunnelledPortForward()
    events = []
    for piece in split(said, cuts):
        events += codec.receive_data(client.frame(2, piece))
    assert sum(len(event.data) for event in events if isinstance(event, BytesReceived)) == 20_000
    codec.send(data_id, b"y" * 20_000)
    codec.finish(data_id)
    client.receive(sent(codec))
    for _, message in client.messages:
        inner.receive(message)
    assert bytes(inner.streams[data_id].received) == b"y" * 20_000


@quick
@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)), max_size=5), CUTS)
def test_sizes_are_read_however_they_are_split(sizes: list[tuple[int, int]], cuts: list[int]) -> None:
    said = b"".join(b'{"Width":%d,"Height":%d}\n' % size for size in sizes)
    reader = SizeReader()
    found = [size for piece in split(said, cuts) for size in reader.read(piece)]
    assert [(size.width, size.height) for size in found] == sizes


@quick
@given(st.lists(st.binary(max_size=2000), max_size=10))
def test_nonsense_about_sizes_is_not_kept(pieces: list[bytes]) -> None:
    reader = SizeReader()
    for piece in pieces:
        reader.read(piece)
    assert reader.kept <= 4096
