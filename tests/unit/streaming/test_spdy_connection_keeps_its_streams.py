import struct

import pytest

from tests.unit.streaming.spdy_client import SYN_STREAM, StrictSpdyClient, control
from vnode.streaming.errors import LocalProtocolError, RemoteProtocolError
from vnode.streaming.spdy.connection import SpdyConnection
from vnode.streaming.spdy.events import (
    ConnectionEnded,
    DataReceived,
    StreamEnded,
    StreamRequested,
    StreamReset,
)


def opened(most_streams: int = 10) -> tuple[SpdyConnection, StrictSpdyClient, int]:
    """A connection with one accepted stream."""
    server, client = SpdyConnection(most_streams=most_streams), StrictSpdyClient()
    stream_id, said = client.open({"streamtype": "data"})
    assert server.receive_data(said) == [StreamRequested(stream_id, {"streamtype": "data"})]
    server.reply(stream_id)
    hear(server, client)
    return server, client, stream_id


def hear(server: SpdyConnection, client: StrictSpdyClient) -> None:
    client.receive(b"".join(server.data_to_send()))


def test_both_halves_end_on_their_own() -> None:
    server, client, stream_id = opened()
    assert server.receive_data(client.data(stream_id, b"x", fin=True)) == [
        DataReceived(stream_id, b"x"),
        StreamEnded(stream_id),
    ]
    server.send_data(stream_id, b"still here")
    server.end(stream_id)
    hear(server, client)
    assert bytes(client.streams[stream_id].received) == b"still here"
    assert server.streams == frozenset()


def test_data_is_cut_into_frames_of_bounded_size() -> None:
    server, client, stream_id = opened()
    server.send_data(stream_id, b"x" * 100_000)
    hear(server, client)
    assert client.largest_frame == 32 * 1024
    assert len(client.streams[stream_id].received) == 100_000


def test_data_after_the_end_resets_the_stream_and_nothing_else() -> None:
    server, client, stream_id = opened()
    server.receive_data(client.data(stream_id, b"", fin=True))
    client.streams[stream_id].sent_end = False
    assert server.receive_data(client.data(stream_id, b"late")) == [StreamReset(stream_id)]
    hear(server, client)
    assert client.streams[stream_id].reset == 9


def test_data_that_crossed_our_reset_is_dropped() -> None:
    server, client, stream_id = opened()
    server.reset(stream_id)
    assert server.receive_data(client.data(stream_id, b"late")) == []


def test_a_reset_ends_both_halves() -> None:
    server, client, stream_id = opened()
    assert server.receive_data(client.reset(stream_id)) == [StreamReset(stream_id)]
    assert not server.can_send(stream_id)
    with pytest.raises(LocalProtocolError):
        server.send_data(stream_id, b"x")


def test_a_stream_too_many_is_refused_but_its_headers_are_inflated() -> None:
    server, client, first = opened(most_streams=1)
    second, said = client.open({"streamtype": "error"})
    assert server.receive_data(said) == []
    hear(server, client)
    assert client.streams[second].reset == 3
    server.reset(first)
    third, said = client.open({"streamtype": "resize"})
    assert server.receive_data(said) == [StreamRequested(third, {"streamtype": "resize"})]


@pytest.mark.parametrize("stream_id", [0, 1, 2])
def test_streams_must_be_odd_and_rise(stream_id: int) -> None:
    server, client, _ = opened()
    said = control(SYN_STREAM, struct.pack("!IIBB", stream_id, 0, 0, 0) + client.block({}))
    with pytest.raises(RemoteProtocolError):
        server.receive_data(said)
    hear(server, client)
    assert client.gone_away == (1, 1)


def test_after_a_broken_protocol_nothing_more_is_read() -> None:
    server, _, _ = opened()
    with pytest.raises(RemoteProtocolError):
        server.receive_data(b"\x80\x02\x00\x01\x00\x00\x00\x00")
    with pytest.raises(LocalProtocolError):
        server.receive_data(b"")


def test_pings_of_the_client_come_back_and_others_do_not() -> None:
    server, client, _ = opened()
    server.receive_data(client.ping(7) + control(6, struct.pack("!I", 8)))
    hear(server, client)
    assert client.pings == [7]


def test_what_means_nothing_to_us_is_ignored() -> None:
    server, client, stream_id = opened()
    settings = control(4, struct.pack("!III", 1, 4, 100))
    window = control(9, struct.pack("!II", stream_id, 65536))
    unknown = control(10, b"credentials")
    assert server.receive_data(settings + window + unknown + client.data(stream_id, b"x")) == [
        DataReceived(stream_id, b"x")
    ]


@pytest.mark.parametrize("said", [control(6, b"\0" * 5), control(3, b"\0"), control(4, struct.pack("!I", 3))])
def test_control_frames_of_a_wrong_length_break_the_protocol(said: bytes) -> None:
    server, _, _ = opened()
    with pytest.raises(RemoteProtocolError):
        server.receive_data(said)


def test_a_client_that_leaves_is_told() -> None:
    server, client, _ = opened()
    assert server.receive_data(client.go_away()) == [ConnectionEnded()]


@pytest.mark.parametrize("act", ["data", "end"])
def test_nothing_is_sent_on_a_stream_that_was_not_accepted(act: str) -> None:
    server, client = SpdyConnection(), StrictSpdyClient()
    stream_id, said = client.open({})
    server.receive_data(said)
    with pytest.raises(LocalProtocolError):
        server.end(stream_id) if act == "end" else server.send_data(stream_id, b"x")


def test_an_end_of_ours_resets_what_is_open_and_says_which_stream_was_the_last() -> None:
    server, client, stream_id = opened()
    server.close()
    server.close()
    hear(server, client)
    assert client.streams[stream_id].reset == 5
    assert client.gone_away == (stream_id, 0)
