import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators.records.allocations import GONE, Allocation, Client, Evaluation
from vnode.nomad.events import NotAnEvent, decode, is_about_allocations, is_heartbeat
from vnode.nomad.lines import LineSplitter, LineTooLong


@given(
    lines=st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), max_size=8),
    cuts=st.lists(st.integers(min_value=0, max_value=60)),
)
def test_however_the_bytes_are_cut_the_lines_are_the_same(lines: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    bounds = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    splitter = LineSplitter()
    found = [line for start, end in itertools.pairwise(bounds) for line in splitter.feed(whole[start:end])]
    assert found == [line for line in lines if line]


def test_a_line_of_600_kilobytes_comes_whole() -> None:
    line = b"x" * 600_000
    splitter = LineSplitter()
    pieces = [line[start : start + 65_536] for start in range(0, len(line), 65_536)]
    assert [found for piece in (*pieces, b"\n") for found in splitter.feed(piece)] == [line]


def test_an_unfinished_line_is_no_line() -> None:
    assert LineSplitter().feed(b'{}\n{"Index":') == [b"{}"]


def test_a_line_without_end_is_refused() -> None:
    splitter = LineSplitter(longest=10)
    splitter.feed(b"1234567890")
    with pytest.raises(LineTooLong):
        splitter.feed(b"1")


def test_a_heartbeat_is_no_event() -> None:
    assert is_heartbeat(b"{}")
    assert not is_heartbeat(b'{"Index":1}')


def line_of(*events: tuple[str, str, dict[str, object]]) -> bytes:
    told = [{"Topic": topic, "Type": kind, "Payload": payload} for topic, kind, payload in events]
    return json.dumps({"Index": 7, "Events": told}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (line_of(("Node", "AllocationUpdated", {"Node": {"ID": "n"}})), True),
        (line_of(("Node", "NodeEvent", {"Node": {"ID": "n"}})), False),
        (line_of(("Allocation", "AllocationUpdated", {})), False),
        (line_of(("Node", "AllocationUpdated", {}), ("Node", "NodeEvent", {"Node": {"ID": "n"}})), False),
        (
            line_of(
                (
                    "Node",
                    "NodeEvent",
                    {"Node": {"Meta": {"x": '"Events":[{"Topic":"Node","Type":"AllocationUpdated",'}}},
                )
            ),
            False,
        ),
    ],
)
def test_news_of_an_allocation_is_no_news_of_its_client(line: bytes, *, expected: bool) -> None:
    assert is_about_allocations(line) is expected


def test_the_topic_decides_what_an_event_holds() -> None:
    line = {
        "Index": 30,
        "Events": [
            {"Topic": "Evaluation", "Type": "PlanResult", "Payload": {"Evaluation": {"ID": "e", "JobID": "vk-1"}}},
            {
                "Topic": "Allocation",
                "Type": "PlanResult",
                "Key": "a",
                "Payload": {"Allocation": {"ID": "a", "JobID": "vk-1", "ModifyIndex": 30}},
            },
            {"Topic": "Node", "Type": "NodeStreamEvent", "Payload": {"Node": {"ID": "n", "Status": "ready"}}},
        ],
    }
    assert decode(json.dumps(line).encode()) == (
        30,
        [
            Evaluation(id="e", job_id="vk-1"),
            Allocation(id="a", job_id="vk-1", modify_index=30),
            Client(id="n", status="ready"),
        ],
    )


def test_a_deregistered_client_is_gone() -> None:
    event = {"Topic": "Node", "Type": "NodeDeregistration", "Payload": {"Node": {"ID": "n", "Status": "ready"}}}
    line = json.dumps({"Index": 3, "Events": [event]}).encode()
    assert decode(line) == (3, [Client(id="n", status=GONE)])


@pytest.mark.parametrize(
    "line",
    [
        b"event dropped from buffer",
        b'{"Index":3,"Events":[{"Topic":"Allocation","Payload":{"Allocation":{"ID":"secret',
        b'{"Index":3,"Events":[{"Topic":"Allocation","Payload":{}}]}',
        b'{"Index":3,"Events":[{"Topic":"Unasked","Payload":{}}]}',
    ],
)
def test_garbage_is_told_without_being_quoted(line: bytes) -> None:
    with pytest.raises(NotAnEvent) as caught:
        decode(line)
    assert "secret" not in str(caught.value)
