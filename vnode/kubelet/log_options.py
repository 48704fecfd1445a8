"""What a caller of `/containerLogs` asks for: the query, decoded and judged as a kubelet does.

Source: kubernetes pkg/kubelet/server/server.go (getContainerLogs), pkg/apis/core/validation
(ValidatePodLogOptions), apimachinery pkg/runtime/converter.go for how a query becomes values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Stream(StrEnum):
    """One of the two output streams of a container, as Nomad names it."""

    STDOUT = "stdout"
    STDERR = "stderr"


class BadLogOptions(ValueError):
    """A query that a kubelet refuses; `status` is the HTTP status, `str()` the body."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What to show of a container's log; the defaults show all that there is and end.

    `since` is the earliest moment to show, `tail` a number of lines, `limit` a number of bytes; None sets
    no bound.
    """

    streams: tuple[Stream, ...] = (Stream.STDOUT, Stream.STDERR)
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since: datetime | None = None
    tail: int | None = None
    limit: int | None = None


_STREAMS = {
    "All": (Stream.STDOUT, Stream.STDERR),
    "Stdout": (Stream.STDOUT,),
    "Stderr": (Stream.STDERR,),
}
_LARGEST = 2**63 - 1
_INTEGER = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def parse_log_options(query: Mapping[str, Sequence[str]], now: datetime) -> LogOptions:
    """Decode a query of `name -> values`, of which the first value counts; unknown names are ignored.

    Raises BadLogOptions: 400 for what cannot be decoded, 422 for values out of bounds or at odds.
    """
    first = {name: values[0] for name, values in query.items() if values}
    if tail := first.get("tail"):
        first["tailLines"] = tail
        if tail == "all":
            del first["tailLines"]
    seconds, moment = _integer(first, "sinceSeconds"), _moment(first, "sinceTime")
    options = LogOptions(
        streams=_streams(first),
        follow=_flag(first, "follow"),
        previous=_flag(first, "previous"),
        timestamps=_flag(first, "timestamps"),
        since=moment if seconds is None else _ago(now, seconds),
        tail=_integer(first, "tailLines"),
        limit=_integer(first, "limitBytes"),
    )
    if _contradictory(options, seconds, moment):
        raise BadLogOptions(422, '{"message": "Invalid request."}')
    return options


def _contradictory(options: LogOptions, seconds: int | None, moment: datetime | None) -> bool:
    return (
        (options.tail is not None and options.tail < 0)
        or (options.limit is not None and options.limit < 1)
        or (seconds is not None and (seconds < 1 or moment is not None))
        or (options.tail is not None and len(options.streams) == 1)
    )


def _ago(now: datetime, seconds: int) -> datetime | None:
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return None


def _flag(query: Mapping[str, str], name: str) -> bool:
    return name in query and query[name].lower() not in {"false", "0"}


def _integer(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if _INTEGER.fullmatch(text) is None or abs(int(text)) > _LARGEST:
        raise _undecodable()
    return int(text)


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name, "")
    if text in {"", "null"}:
        return None
    if _RFC3339.fullmatch(text) is None:
        raise _undecodable()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _undecodable() from None


def _streams(query: Mapping[str, str]) -> tuple[Stream, ...]:
    try:
        return _STREAMS[query.get("stream", "All")]
    except KeyError:
        raise BadLogOptions(422, '{"message": "Invalid request."}') from None


def _undecodable() -> BadLogOptions:
    return BadLogOptions(400, '{"message": "Unable to decode query."}')
