"""gRPC's health service, asked of a server in memory that speaks HTTP/2 by the same library."""

import struct
from collections.abc import Mapping

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived
from hypothesis import given
from hypothesis import strategies as st

from translators.port_addresses import Endpoint
from vnode.probes.answers import Answer, Outcome
from vnode.probes.grpc import HealthCall

_AT = Endpoint("10.0.0.7", 9000)
_HEADERS = {":status": "200", "content-type": "application/grpc"}


def _framed(message: bytes) -> bytes:
    return struct.pack(">BI", 0, len(message)) + message


class Server:
    """Answers the one call with `body`, `headers` and `trailers`."""

    def __init__(
        self, body: bytes, trailers: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._connection.initiate_connection()
        self._answer = headers or _HEADERS, body, {"grpc-status": "0"} if trailers is None else trailers
        self.request: dict[str | bytes, str | bytes] = {}
        self.message = b""

    def receive(self, data: bytes) -> bytes:
        for event in self._connection.receive_data(data):
            if isinstance(event, RequestReceived):
                self.request = dict(event.headers)
            if isinstance(event, DataReceived):
                self.message += event.data
                headers, body, trailers = self._answer
                self._connection.send_headers(1, list(headers.items()))
                self._connection.send_data(1, body, end_stream=not trailers)
                if trailers:
                    self._connection.send_headers(1, list(trailers.items()), end_stream=True)
        return self._connection.data_to_send()


def _asked(server: Server, service: str = "", step: int = 10**6) -> Answer:
    call = HealthCall(_AT, service, "kube-probe/1.36")
    sent = call.open()
    for _ in range(10):
        said = server.receive(sent)
        sent = b"".join(call.receive(said[start : start + step]) for start in range(0, len(said), step))
        if call.answer is not None:
            return call.answer
    raise AssertionError("no answer")


def _failed(text: str) -> Answer:
    return Answer(Outcome.FAILURE, text)


def test_the_request_is_that_of_the_health_service() -> None:
    server = Server(_framed(b"\x08\x01"))
    assert _asked(server, "shop") == Answer(Outcome.SUCCESS, "service healthy")
    assert server.request[":path"] == "/grpc.health.v1.Health/Check"
    assert server.request[":authority"] == "10.0.0.7:9000"
    assert server.request["te"] == "trailers"
    assert server.request["user-agent"] == "kube-probe/1.36"
    assert server.message == _framed(b"\x0a\x04shop")


@pytest.mark.parametrize("step", [1, 7, 100])
def test_an_answer_may_come_in_pieces(step: int) -> None:
    assert _asked(Server(_framed(b"\x08\x01")), step=step).outcome is Outcome.SUCCESS


@pytest.mark.parametrize(("message", "status"), [(b"", "UNKNOWN"), (b"\x08\x02", "NOT_SERVING"), (b"\x08\x09", "9")])
def test_another_status_is_a_failure_in_a_kubelets_words(message: bytes, status: str) -> None:
    assert _asked(Server(_framed(message))) == _failed(f'service unhealthy (responded with "{status}")')


@pytest.mark.parametrize(
    ("trailers", "text"),
    [
        (
            {"grpc-status": "12", "grpc-message": "unknown service%21"},
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service!",
        ),
        (
            {"grpc-status": "5", "grpc-message": "no such thing"},
            "error: health rpc probe failed: rpc error: code = NotFound desc = no such thing",
        ),
        ({"grpc-status": "x"}, "error: health rpc probe failed: rpc error: code = Code(x) desc = "),
    ],
)
def test_a_call_that_is_refused_says_why(trailers: dict[str, str], text: str) -> None:
    assert _asked(Server(b"", trailers)) == _failed(text)


@pytest.mark.parametrize(
    "body", [b"", b"\x00\x00", _framed(b"\x08\x01") + b"x", b"\x01" + _framed(b"\x08\x01")[1:], _framed(b"\x12\x01")]
)
def test_a_body_that_makes_no_sense_is_no_health(body: bytes) -> None:
    assert _asked(Server(body)) == _failed("error: health rpc probe failed: the answer is no HealthCheckResponse")


def test_a_body_without_end_is_not_read() -> None:
    assert _asked(Server(b"x" * 10_000)).text.endswith("the answer is too large")


def test_a_web_server_is_no_server_of_grpc() -> None:
    found = _asked(Server(b"", {}, {":status": "404"}))
    assert found.text.endswith("unexpected HTTP status code received from server: 404")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"", "the connection was closed before an answer"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the connection was closed before an answer"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x07", "no HTTP/2"),
    ],
)
def test_what_speaks_something_else_has_failed(said: bytes, text: str) -> None:
    call = HealthCall(_AT, "", "kube-probe/1.36")
    call.open()
    call.receive(said)
    call.receive(b"")
    assert call.answer is not None
    assert call.answer.outcome is Outcome.FAILURE
    assert text in call.answer.text


@given(st.lists(st.binary(max_size=200), max_size=5), st.text(max_size=300))
def test_whatever_arrives_there_is_an_answer_at_the_end(pieces: list[bytes], service: str) -> None:
    call = HealthCall(_AT, service.encode(errors="ignore").decode(), "kube-probe/1.36")
    call.open()
    for piece in (*pieces, b""):
        if call.answer is None:
            call.receive(piece)
    assert call.answer is not None
