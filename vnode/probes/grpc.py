"""One call of gRPC's health service, sans-IO: bytes in, bytes out, and the answer.

The protocol is grpc.health.v1.Health/Check over HTTP/2 without TLS (github.com/grpc/grpc, doc/health-checking.md and
doc/PROTOCOL-HTTP2.md). Its messages have one field each, so that no library of Protocol Buffers is needed. Texts are
those of a kubelet (pkg/probe/grpc/grpc.go), which are Go's.
"""

import struct
from collections.abc import Iterable
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from translators.port_addresses import Endpoint
from vnode.probes.answers import Answer, Outcome

_STREAM = 1
#: Bytes of an answer, of which a true one has seven, and characters of a message that is handed on.
_LARGEST, _LONGEST = 4096, 500
_PREFIX = struct.Struct(">BI")
_SERVING = "SERVING"
_STATUSES = ("UNKNOWN", _SERVING, "NOT_SERVING", "SERVICE_UNKNOWN")
_UNIMPLEMENTED = "Unimplemented"
_CODES = (
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    _UNIMPLEMENTED,
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
)
_VARINT = 0x80


class HealthCall:
    """One call; `answer` is there once enough was received, or nothing more will be."""

    def __init__(self, at: Endpoint, service: str, agent: str) -> None:
        self._connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._at = at
        self._service = service
        self._agent = agent
        self._said: dict[str, str] = {}
        self._body = bytearray()
        self.answer: Answer | None = None

    def open(self) -> bytes:
        """What is sent first: the whole request."""
        self._connection.initiate_connection()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", str(self._at)),
            (":path", "/grpc.health.v1.Health/Check"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", self._agent),
        ]
        self._connection.send_headers(_STREAM, headers)
        self._connection.send_data(_STREAM, _request(self._service), end_stream=True)
        return self._connection.data_to_send()

    def receive(self, data: bytes) -> bytes:
        """Take bytes, none at the end of the connection; what to send in return."""
        if not data:
            self._fail("the connection was closed before an answer")
            return b""
        try:
            for event in self._connection.receive_data(data):
                self._take(event)
        except (ProtocolError, UnicodeDecodeError) as error:
            self._fail(f"no HTTP/2: {type(error).__name__}")
        return self._connection.data_to_send()

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived() | TrailersReceived():
                self._said |= _texts(event.headers or ())
            case DataReceived():
                self._connection.acknowledge_received_data(event.flow_controlled_length, _STREAM)
                self._body += event.data or b""
                if len(self._body) > _LARGEST:
                    self._fail("the answer is too large")
            case StreamEnded():
                self._end()
            case StreamReset():
                self._fail(f"the call was reset with error {event.error_code}")
            case ConnectionTerminated():
                self._fail(f"the connection was ended with error {event.error_code}")

    def _end(self) -> None:
        code, http = self._said.get("grpc-status"), self._said.get(":status")
        if code is None and http != "200":
            self._fail(f"rpc error: code = Unknown desc = unexpected HTTP status code received from server: {http}")
        elif code in {None, "0"}:
            self._judge()
        else:
            self._refused(_code(code or ""), unquote(self._said.get("grpc-message", ""))[:_LONGEST])

    def _judge(self) -> None:
        status = _status(bytes(self._body))
        if status == _SERVING:
            self._answered(Answer(Outcome.SUCCESS, "service healthy"))
        elif status is None:
            self._fail("the answer is no HealthCheckResponse")
        else:
            self._answered(Answer(Outcome.FAILURE, f'service unhealthy (responded with "{status}")'))

    def _refused(self, code: str, message: str) -> None:
        if code == _UNIMPLEMENTED:
            service = "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
            self._answered(Answer(Outcome.FAILURE, f"error: {service}: {message}"))
        else:
            self._fail(f"rpc error: code = {code} desc = {message}")

    def _fail(self, what: str) -> None:
        self._answered(Answer(Outcome.FAILURE, f"error: health rpc probe failed: {what}"))

    def _answered(self, answer: Answer) -> None:
        if self.answer is None:
            self.answer = answer


def _request(service: str) -> bytes:
    """HealthCheckRequest{service: 1 string}, in gRPC's frame; an empty text is left out."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return _PREFIX.pack(0, len(message)) + message


def _status(body: bytes) -> str | None:
    """The status in a framed HealthCheckResponse{status: 1 enum}; None for what is none."""
    if len(body) < _PREFIX.size:
        return None
    compressed, length = _PREFIX.unpack_from(body)
    message = body[_PREFIX.size :]
    if compressed or length != len(message):
        return None
    if not message:
        return _STATUSES[0]
    known = len(message) == 2 and message[0] == 0x08 and message[1] < _VARINT  # noqa: PLR2004 - a tag and a byte
    if not known:
        return None
    return _STATUSES[message[1]] if message[1] < len(_STATUSES) else str(message[1])


def _varint(number: int) -> bytes:
    found = bytearray()
    while number >= _VARINT:
        found.append(number % _VARINT | _VARINT)
        number //= _VARINT
    return bytes((*found, number))


def _code(text: str) -> str:
    known = text.isascii() and text.isdigit() and len(text) <= len(str(len(_CODES))) and int(text) < len(_CODES)
    return _CODES[int(text)] if known else f"Code({text[:_LONGEST]})"


def _texts(headers: Iterable[tuple[str | bytes, str | bytes]]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in headers}


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
