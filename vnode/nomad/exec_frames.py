"""The frames of Nomad's exec WebSocket, without any socket.

Each frame is one JSON text that carries base64, at most a few kilobytes of it. Sources: nomad/plugins/drivers/proto/
driver.proto (ExecTaskStreamingRequest, ExecTaskStreamingResponse), command/agent/alloc_endpoint.go.
"""

import json
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from typing import Any, Literal

OutputStream = Literal["stdout", "stderr"]

CLOSE_STDIN = '{"stdin":{"close":true}}'
HEARTBEAT = "{}"

_STREAMS: tuple[OutputStream, ...] = ("stdout", "stderr")


class FrameError(ValueError):
    """What came is no frame of an exec session."""


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes that the command wrote; a terminal has stdout only."""

    stream: OutputStream
    data: bytes


@dataclass(frozen=True, slots=True)
class Exited:
    """The command has ended, and all output that Nomad will send came before."""

    code: int


def stdin(data: bytes) -> str:
    """Bytes for the command; empty data would be ignored."""
    return f'{{"stdin":{{"data":"{b2a_base64(data, newline=False).decode()}"}}}}'


def terminal_size(width: int, height: int) -> str:
    """A new size of the terminal. Never to be sent without one: it ends the reading of all further frames."""
    return f'{{"tty_size":{{"height":{height},"width":{width}}}}}'


def decode(text: str) -> tuple[Output | Exited, ...]:
    """What a frame says; ends of single streams and unknown fields say nothing here. Raises FrameError."""
    try:
        frame: Any = json.loads(text)
        operations = ((stream, frame.get(stream)) for stream in _STREAMS)
        found: list[Output | Exited] = [
            Output(stream, a2b_base64(operation["data"]))
            for stream, operation in operations
            if operation and operation.get("data")
        ]
        if frame.get("exited"):
            found.append(Exited(int((frame.get("result") or {}).get("exit_code", 0))))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FrameError(f"Nomad sent no frame of an exec session: {type(error).__name__}") from None
    return tuple(found)
