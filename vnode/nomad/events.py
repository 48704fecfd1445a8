"""One line of Nomad's event stream as records.

`{"Index":N,"Events":[{"Topic","Type","Key","Payload":{"Allocation":{…}}}]}`, `{}` as a sign of life. The topic, not
the type, says what the payload is: the type is that of the Raft message. Source: nomad/state/events.go.
"""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from translators.records.allocations import GONE, Allocation, Client, Evaluation
from translators.records.base import NOMAD, Many

Topic = Literal["Allocation", "Evaluation", "Node"]


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _AllocationPayload:
    allocation: Allocation


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _EvaluationPayload:
    evaluation: Evaluation


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _ClientPayload:
    node: Client


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _AllocationEvent:
    topic: Literal["Allocation"]
    payload: _AllocationPayload


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _EvaluationEvent:
    topic: Literal["Evaluation"]
    payload: _EvaluationPayload


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _ClientEvent:
    topic: Literal["Node"]
    type: str
    payload: _ClientPayload


_Event = Annotated[_AllocationEvent | _EvaluationEvent | _ClientEvent, Field(discriminator="topic")]


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _Line:
    index: int
    events: Many[_Event] = ()


_LINE = TypeAdapter(_Line)

Record = Allocation | Evaluation | Client
_HEARTBEAT = b"{}"

#: A client is told of again with each news about one of its allocations, at 5 KB a time; nothing about it is new then.
#: In a text of somebody's the quotes would be escaped.
_OF_AN_ALLOCATION = b'"Events":[{"Topic":"Node","Type":"AllocationUpdated",'
_TOPIC = b'"Topic":'


class NotAnEvent(ValueError):
    """A line that is neither events nor a sign of life, such as the error text of an older Nomad."""


def is_heartbeat(line: bytes) -> bool:
    """Whether the line is only a sign of life; the first one says that the stream has begun."""
    return line == _HEARTBEAT


def is_about_allocations(line: bytes) -> bool:
    """Whether the line tells of a client only because an allocation of it changed; a false no does no harm."""
    return _OF_AN_ALLOCATION in line[:200] and line.count(_TOPIC) == 1


def decode(line: bytes) -> tuple[int, list[Record]]:
    """The Raft index of a line and what changed with it, in order; raises NotAnEvent.

    A client that was deregistered is shown as gone: it is in no list any more.
    """
    try:
        decoded = _LINE.validate_json(line)
    except ValidationError as error:
        places = sorted({".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)})
        raise NotAnEvent(f"a line of Nomad's event stream is not understood at {places[0] or 'its start'}") from None
    return decoded.index, [_record(event) for event in decoded.events]


def _record(event: _AllocationEvent | _EvaluationEvent | _ClientEvent) -> Record:
    match event:
        case _AllocationEvent():
            return event.payload.allocation
        case _EvaluationEvent():
            return event.payload.evaluation
        case _ClientEvent():
            client = event.payload.node
            return replace(client, status=GONE) if event.type == "NodeDeregistration" else client
