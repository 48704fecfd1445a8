from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from pydantic_core import to_json

from tests.unit.kube.scripted import Answer, Clock, ScriptedConnection, Stream, play
from vnode.errors import Denied, NoAnswer, PeerError, Unavailable
from vnode.kube.errors import Gone, Silent
from vnode.kube.reflector import Reflector

PATH = "/api/v1/pods"


def pod(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def page(version: int, *names: str, more: str = "") -> dict[str, Any]:
    metadata = {"resourceVersion": str(version), **({"continue": more} if more else {})}
    return {"kind": "PodList", "metadata": metadata, "items": [pod(name, version) for name in names]}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": pod(name, version)}


def bookmark(version: int) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}


def error(code: int, reason: str) -> dict[str, Any]:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "reason": reason, "message": "too old"}}


class Record:
    """A sink that writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def replace(self, objects: list[str], /) -> None:
        self.told.append(f"= {' '.join(objects)}".strip())

    def apply(self, obj: str, /) -> None:
        self.told.append(f"+ {obj}")

    def remove(self, obj: str, /) -> None:
        self.told.append(f"- {obj}")


def name_of(raw: Mapping[str, Any]) -> str:
    name: str = raw["metadata"]["name"]
    if name == "odd":
        raise ValueError("unknown shape")
    return name


def reflector(connection: ScriptedConnection, sink: Record) -> Reflector[str]:
    clock = connection.clock
    query = {"fieldSelector": "spec.nodeName=nomad"}
    return Reflector(connection, PATH, query, name_of, sink, clock.monotonic, lambda: 0.5, clock.sleep)


async def follow(*script: Answer) -> tuple[ScriptedConnection, Record]:
    connection, sink = ScriptedConnection(list(script)), Record()
    await play(connection, reflector(connection, sink).run())
    return connection, sink


def asked(connection: ScriptedConnection) -> list[str]:
    return [f"{call.method} {call.query.get('resourceVersion', '')}".strip() for call in connection.calls]


async def test_a_list_is_handed_on_whole_and_the_watch_starts_at_its_version() -> None:
    connection, sink = await follow(page(7, "a", "b"), Stream((event("ADDED", "c", 8),), seconds=400))
    assert sink.told == ["= a b", "+ c"]
    assert asked(connection) == ["GET", "WATCH 7"]


async def test_pages_are_one_list_at_the_version_of_the_list() -> None:
    connection, sink = await follow(page(7, "a", more="next"), page(7, "b"), Stream(seconds=400))
    assert sink.told == ["= a b"]
    assert [call.query.get("continue") for call in connection.calls] == [None, "next", None]


async def test_pages_shrink_when_objects_are_large() -> None:
    large = {**page(7, "a", more="next"), "padding": "x" * 100_000}
    connection, _ = await follow(large, page(7, "b"), Stream(seconds=400))
    limits = [int(call.query["limit"]) for call in connection.calls[:2]]
    assert limits == [100, 2**20 // len(to_json(large))]


async def test_each_request_carries_the_selector() -> None:
    connection, _ = await follow(page(7), Stream(seconds=400))
    assert {call.query["fieldSelector"] for call in connection.calls} == {"spec.nodeName=nomad"}


async def test_a_watch_asks_for_bookmarks_and_a_random_end() -> None:
    connection, _ = await follow(page(7), Stream(seconds=400))
    query = connection.calls[1].query
    assert (query["watch"], query["allowWatchBookmarks"], query["timeoutSeconds"]) == ("true", "true", "450")


async def test_a_watch_that_ends_is_resumed_at_once_where_it_stood() -> None:
    events = (event("ADDED", "a", 8), event("MODIFIED", "a", 9), event("DELETED", "a", 10))
    connection, sink = await follow(page(7), Stream(events, seconds=400), Stream(seconds=400))
    assert sink.told == ["=", "+ a", "+ a", "- a"]
    assert asked(connection) == ["GET", "WATCH 7", "WATCH 10"]
    assert connection.clock.slept == []


async def test_an_hour_of_bookmarks_moves_the_version_and_tells_nobody() -> None:
    hour = [Stream(tuple(bookmark(100 * n + minute) for minute in range(10)), seconds=600) for n in range(1, 7)]
    connection, sink = await follow(page(7), *hour, Stream(seconds=400))
    assert sink.told == ["="]
    assert asked(connection)[-1] == "WATCH 609"
    assert connection.clock.slept == []


@pytest.mark.parametrize(
    "watch",
    [
        pytest.param(Gone("410"), id="410 answer"),
        pytest.param(Stream((error(410, "Expired"),)), id="410 event"),
        pytest.param(Stream((error(500, "InternalError"),)), id="500 event"),
        pytest.param(Silent("nothing came"), id="future version or half-open socket"),
    ],
)
async def test_a_version_that_leads_nowhere_is_given_up_for_a_new_list(watch: Answer) -> None:
    connection, sink = await follow(page(7, "a", "b"), watch, page(20, "b"), Stream(seconds=400))
    assert sink.told == ["= a b", "= b"]
    assert asked(connection) == ["GET", "WATCH 7", "GET", "WATCH 20"]
    assert len(connection.clock.slept) == 1


@pytest.mark.parametrize(
    "watch",
    [
        pytest.param(Unavailable("503"), id="503"),
        pytest.param(Denied("403"), id="rights not synced yet"),
        pytest.param(Stream((event("ADDED", "c", 8),), error=Unavailable("ended within a line")), id="broken stream"),
        pytest.param(Stream((event("ADDED", "c", 8), b'{"type":"ADD')), id="truncated line"),
        pytest.param(Stream((event("ADDED", "c", 8), b"no healthy upstream")), id="text of a gateway"),
        pytest.param(Stream((event("ADDED", "c", 8), b'{"kind":"Status"}')), id="not an event"),
    ],
)
async def test_a_broken_watch_is_resumed_after_a_step_of_backoff(watch: Answer) -> None:
    connection, sink = await follow(page(7, "a"), watch, Stream((event("ADDED", "d", 9),), seconds=400))
    seen = 8 if isinstance(watch, Stream) else 7
    assert asked(connection) == ["GET", "WATCH 7", f"WATCH {seen}"]
    assert sink.told[-1] == "+ d"
    assert connection.clock.slept == [0.375]


@pytest.mark.parametrize("problem", [Unavailable("refused"), Denied("403"), Gone("continue token expired")])
async def test_a_failing_list_costs_one_request_per_step_of_a_capped_backoff(problem: PeerError) -> None:
    connection, sink = await follow(*[problem] * 10)
    assert len(connection.calls) == 10
    assert connection.clock.slept == [0.375, 0.75, 1.5, 3.0, 6.0, 12.0, 22.5, 22.5, 22.5, 22.5]
    assert sink.told == []


async def test_a_server_that_closes_watches_at_once_is_not_hammered() -> None:
    connection, _ = await follow(page(7), *[Stream()] * 8)
    assert len(connection.calls) == 9
    assert connection.clock.slept == [0.375, 0.75, 1.5, 3.0, 6.0, 12.0, 22.5, 22.5]


async def test_a_version_refused_after_each_list_is_not_asked_for_in_a_loop() -> None:
    script: list[Answer] = [page(7), Stream((error(410, "Expired"),))]
    connection, _ = await follow(*script * 5)
    assert all(later >= 2 * earlier for earlier, later in pairwise(connection.clock.slept))
    assert len(connection.clock.slept) == 5


async def test_the_backoff_starts_anew_once_something_was_heard() -> None:
    failing = [Unavailable("503")] * 3
    connection, _ = await follow(page(7), *failing, Stream((bookmark(9),)), *failing)
    assert connection.clock.slept == [0.375, 0.75, 1.5, 0.375, 0.75, 1.5, 3.0]


async def test_a_restarted_api_server_that_forgot_our_version_is_listed_soon() -> None:
    outage = [Unavailable("refused")] * 4
    connection, sink = await follow(page(7), *outage, Stream((error(410, "Expired"),)), page(9, "a"), Stream(seconds=9))
    assert connection.clock.slept == [0.375, 0.75, 1.5, 3.0, 0.375]
    assert sink.told == ["=", "= a"]


async def test_the_wish_of_the_server_is_honoured() -> None:
    connection, _ = await follow(Unavailable("429", retry_after=7.0), page(7), Stream(seconds=400))
    assert connection.clock.slept == [7.0]


async def test_a_list_that_cannot_be_decoded_is_not_handed_on_in_part() -> None:
    connection, sink = await follow(page(7, "a", "odd"), page(8, "a"), Stream(seconds=400))
    assert sink.told == ["= a"]
    assert len(connection.clock.slept) == 1


async def test_an_event_that_cannot_be_decoded_is_asked_for_again() -> None:
    connection, sink = await follow(page(7), Stream((event("ADDED", "odd", 8),)), Stream(seconds=400))
    assert asked(connection) == ["GET", "WATCH 7", "WATCH 7"]
    assert sink.told == ["="]


async def test_what_hinders_it_can_be_asked() -> None:
    connection, sink = ScriptedConnection([page(7), Denied("403")], Clock()), Record()
    following = reflector(connection, sink)
    await play(connection, following.run())
    assert isinstance(following.problem, Denied)


async def test_nothing_hinders_it_any_more_as_soon_as_it_hears_something() -> None:
    told: list[object] = []
    connection = ScriptedConnection(
        [Denied("403"), page(7), Denied("403"), Stream((event("ADDED", "a", 8),), seconds=400)]
    )

    class Asking(Record):
        def apply(self, obj: str) -> None:
            super().apply(obj)
            told.append(following.problem)

    clock = connection.clock
    following = Reflector(
        connection, PATH, {}, name_of, Asking(), clock.monotonic, lambda: 0.5, clock.sleep, told=told.append
    )
    await play(connection, following.run())
    assert [type(each) for each in told[:5]] == [Denied, type(None), Denied, Denied, type(None)]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"kind": "Status", "metadata": {}},
        {"metadata": {"resourceVersion": "7"}},
        {"metadata": {"resourceVersion": "7"}, "items": {}},
        {"metadata": [], "items": []},
        {"metadata": {}, "items": []},
        {"metadata": {"resourceVersion": "7"}, "items": [{}]},
        {"metadata": {"resourceVersion": "7"}, "items": ["a"]},
    ],
)
async def test_what_is_no_list_says_nothing_about_what_is_there(answer: dict[str, Any]) -> None:
    _, sink = await follow(page(7, "a"), Stream((error(410, "Expired"),)), answer, page(9, "a"), Stream(seconds=400))
    assert sink.told == ["= a", "= a"]


async def test_an_empty_list_may_be_null() -> None:
    _, sink = await follow({"metadata": {"resourceVersion": "7"}, "items": None}, Stream(seconds=400))
    assert sink.told == ["="]


async def test_an_event_from_before_is_not_believed_and_everything_is_listed_again() -> None:
    late = Stream((event("DELETED", "a", 9), event("MODIFIED", "a", 8)))
    connection, sink = await follow(page(7, "a"), late, page(10), Stream(seconds=400))
    assert sink.told == ["= a", "- a", "="]
    assert asked(connection) == ["GET", "WATCH 7", "GET", "WATCH 10"]


async def test_an_event_that_is_told_twice_is_no_reason_to_list() -> None:
    twice = Stream((event("ADDED", "a", 8), event("ADDED", "a", 8)), seconds=400)
    connection, sink = await follow(page(7), twice, Stream(seconds=400))
    assert sink.told == ["=", "+ a", "+ a"]
    assert asked(connection) == ["GET", "WATCH 7", "WATCH 8"]


@pytest.mark.parametrize("obj", [{}, {"metadata": {}}, {"metadata": []}, {"metadata": {"resourceVersion": "8"}}])
async def test_an_event_about_nothing_is_tried_again_and_ends_nothing(obj: dict[str, Any]) -> None:
    broken = Stream(({"type": "MODIFIED", "object": obj},))
    connection, _ = await follow(page(7, "a"), broken, Stream(seconds=400))
    assert asked(connection) == ["GET", "WATCH 7", "WATCH 7"]


async def test_a_server_that_comes_back_with_an_older_etcd_is_listed_anew() -> None:
    """A watch from a version that lies in the future would be silent; one object of a list tells."""
    gone = NoAnswer("connection refused")
    connection, sink = await follow(page(70, "a", "b"), gone, gone, page(12), page(12, "a"), Stream(seconds=400))
    assert sink.told == ["= a b", "= a"]
    assert asked(connection) == ["GET", "WATCH 70", "GET", "GET", "GET", "WATCH 12"]
    assert connection.calls[3].query["limit"] == "1"


async def test_a_server_that_comes_back_as_it_was_is_watched_on() -> None:
    gone = NoAnswer("connection refused")
    connection, sink = await follow(page(70, "a"), gone, page(75), Stream(seconds=400))
    assert sink.told == ["= a"]
    assert asked(connection) == ["GET", "WATCH 70", "GET", "WATCH 70"]
