import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable

import pytest

from tests.unit.nomad.scripted import Answer, ScriptedNomad, Trouble, response
from tests.unit.nomad.scripted import streamed as body
from translators.records.allocations import Allocation, Client, Evaluation
from vnode.errors import Denied, PeerError, Unavailable
from vnode.nomad import event_stream
from vnode.nomad.event_stream import EventStream
from vnode.nomad.transport import Transport

HEARTBEAT = b"{}\n"


class _StopHereError(Exception):
    """Ends an endless run once the wanted number of pauses was made."""


class Sink:
    """Writes down what it is told; `listed` is the answer to a resync."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.errors: list[PeerError] = []
        self.times: list[float] = []
        self.list: Callable[[], Awaitable[object]] = _at_once
        self.up = asyncio.Event()

    async def is_up(self) -> None:
        """Wait for `connected`, once for each time."""
        await self.up.wait()
        self.up.clear()

    async def resync(self) -> None:
        self.log.append("resync")
        await self.list()

    def allocation(self, allocation: Allocation, read_at: float) -> None:
        self.log.append(f"{allocation.id}@{allocation.modify_index}")
        self.times.append(read_at)

    def evaluation(self, evaluation: Evaluation, read_at: float) -> None:
        self.log.append(f"evaluation {evaluation.id}")
        self.times.append(read_at)

    def client(self, client: Client, read_at: float) -> None:
        self.log.append(f"client {client.id}")
        self.times.append(read_at)

    def connected(self) -> None:
        self.log.append("connected")
        self.up.set()

    def disconnected(self, error: PeerError) -> None:
        self.log.append("disconnected")
        self.errors.append(error)

    def denied(self, error: Denied) -> None:
        self.log.append("denied")
        self.errors.append(error)


async def _at_once() -> None:
    return None


class World:
    """A Nomad, a sink, a clock and a sleep that ends the run after `pauses`."""

    def __init__(self, transport: Transport, nomad: ScriptedNomad) -> None:
        self.transport = transport
        self.sink = Sink()
        self.time = 1000.0
        self.pauses: list[float] = []
        self.streams = nomad.get("/v1/event/stream")
        self.lists = nomad.get("/v1/allocations")
        self.index(5)
        self.clients = nomad.get("/v1/nodes").respond(json=[])

    def index(self, index: int) -> None:
        self.lists.respond(json=[], headers={"X-Nomad-Index": str(index)})

    async def run(self, *, pauses: int = 1) -> list[str]:
        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)
            if len(self.pauses) == pauses:
                raise _StopHereError

        stream = EventStream(
            self.transport,
            "team",
            ("Allocation", "Node"),
            self.sink,
            now=lambda: self.time,
            sleep=sleep,
            random=lambda: 1.0,
        )
        with pytest.raises(_StopHereError):
            await stream.run()
        return self.sink.log


@pytest.fixture
def world(transport: Transport, nomad: ScriptedNomad) -> World:
    return World(transport, nomad)


def line(index: int, *allocations: str, padding: int = 0) -> bytes:
    events = [
        {
            "Topic": "Allocation",
            "Type": "AllocationUpdated",
            "Payload": {
                "Allocation": {"ID": name, "JobID": "vk-1", "ModifyIndex": index, "Metrics": {"x": "y" * padding}}
            },
        }
        for name in allocations
    ]
    return json.dumps({"Index": index, "Events": events}).encode() + b"\n"


async def test_it_lists_after_the_first_sign_of_life_and_then_follows(world: World) -> None:
    world.streams.script(body(HEARTBEAT, world.sink.is_up, line(6, "a"), HEARTBEAT, line(7, "b", "c")))
    assert await world.run() == ["resync", "connected", "a@6", "b@7", "c@7", "disconnected"]
    query = world.streams.last.url.query
    assert query.getall("topic") == ["Allocation", "Node"]
    assert query["namespace"] == "team"
    assert int(query["index"]) > 10**15


async def test_what_arrives_during_the_list_is_applied_after_it_in_order(world: World) -> None:
    arrived = asyncio.Event()
    world.sink.list = arrived.wait
    lines = [line(index, f"a{index}") for index in range(6, 130)]

    async def all_arrived() -> None:
        arrived.set()
        await world.sink.is_up()

    world.streams.script(body(HEARTBEAT, *lines, all_arrived, line(130, "last")))
    log = await world.run()
    assert log == [
        "resync",
        *(f"a{index}@{index}" for index in range(6, 130)),
        "connected",
        "last@130",
        "disconnected",
    ]


async def test_what_the_list_reflects_is_not_applied_again(world: World) -> None:
    arrived = asyncio.Event()
    world.sink.list = arrived.wait
    world.index(41)

    async def listed() -> None:
        arrived.set()
        await world.sink.is_up()

    world.streams.script(body(line(40, "purged"), HEARTBEAT, line(41, "old"), line(42, "new"), listed))
    assert await world.run() == ["resync", "new@42", "connected", "disconnected"]


async def test_a_stream_that_goes_back_is_not_believed_and_everything_is_listed_again(world: World) -> None:
    world.streams.script(
        body(HEARTBEAT, world.sink.is_up, line(9, "a"), line(8, "late")), body(HEARTBEAT, world.sink.is_up)
    )
    log = await world.run(pauses=2)
    assert log == ["resync", "connected", "a@9", "disconnected", "resync", "connected", "disconnected"]
    assert "from index 9 to 8" in str(world.sink.errors[0])


async def test_two_lines_of_one_index_are_both_applied(world: World) -> None:
    world.streams.script(body(HEARTBEAT, world.sink.is_up, line(6, "a") + line(6, "b")))
    assert (await world.run())[2:4] == ["a@6", "b@6"]


async def test_a_line_of_600_kilobytes_in_pieces_is_one_line(world: World) -> None:
    big = line(6, "a", padding=600_000)
    pieces = [big[start : start + 65_536] for start in range(0, len(big), 65_536)]
    world.streams.script(body(HEARTBEAT, world.sink.is_up, *pieces))
    assert "a@6" in await world.run()


async def test_a_record_carries_the_time_at_which_its_line_was_read(world: World) -> None:
    async def later() -> None:
        world.time = 1000.5

    world.streams.script(body(HEARTBEAT, world.sink.is_up, line(6, "a"), later, line(7, "b")))
    await world.run()
    assert world.sink.times == [1000.0, 1000.5]


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        ((), "ended its event stream"),
        ((line(6, "a")[:30],), "ended its event stream"),
        ((b"event dropped from buffer\n",), "not understood"),
        ((Trouble.CLOSED,), "the answer broke off"),
        ((Trouble.RESET,), "the answer broke off"),
        ((Trouble.SILENT,), "no answer in time"),
    ],
)
async def test_however_a_stream_ends_everything_is_listed_again(
    world: World, ending: Iterable[bytes | Trouble], says: str
) -> None:
    world.streams.script(body(HEARTBEAT, world.sink.is_up, *ending), body(HEARTBEAT, world.sink.is_up))
    log = await world.run(pauses=2)
    assert log == ["resync", "connected", "disconnected", "resync", "connected", "disconnected"]
    assert isinstance(world.sink.errors[0], Unavailable)
    assert says in str(world.sink.errors[0])


async def test_a_list_that_fails_ends_the_connection(world: World) -> None:
    async def fail() -> None:
        raise Unavailable("no leader")

    async def for_ever() -> None:
        await asyncio.Event().wait()

    world.sink.list = fail
    world.streams.script(body(HEARTBEAT, for_ever))
    assert await world.run() == ["resync", "disconnected"]


async def test_a_backlog_beyond_the_bound_ends_the_connection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "BACKLOG", 1000)
    world.sink.list = asyncio.Event().wait
    world.streams.script(body(HEARTBEAT, *[line(6, "a")] * 20, asyncio.Event().wait))
    assert (await world.run())[-1] == "disconnected"
    assert "more than 1000 bytes" in str(world.sink.errors[0])


async def test_pauses_grow_to_their_bound(world: World) -> None:
    world.streams.always(Trouble.REFUSED)
    await world.run(pauses=9)
    assert world.pauses == [0.5, 1, 2, 4, 5, 5, 5, 5, 5]


async def test_a_nomad_that_answers_with_errors_is_asked_more_seldom(world: World) -> None:
    world.streams.respond(429, text="Too Many Requests")
    await world.run(pauses=9)
    assert world.pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


async def test_a_connection_that_lasted_makes_the_next_pause_short(world: World) -> None:
    async def hours() -> None:
        world.time += 7200

    world.streams.script(*[Trouble.REFUSED] * 6, body(HEARTBEAT, world.sink.is_up, hours))
    await world.run(pauses=4)
    assert world.pauses == [0.5, 1, 2, 0.5]


async def test_a_server_that_was_left_is_left_by_the_stream_too(world: World, nomad: ScriptedNomad) -> None:
    nomad.get("/v1/jobs", host="one").always(Trouble.REFUSED)
    nomad.get("/v1/jobs", host="two").respond(json=[])

    async def move() -> None:
        await world.sink.is_up()
        await world.transport.request("GET", "/v1/jobs")

    world.streams.script(body(HEARTBEAT, move, HEARTBEAT, line(9, "unseen")))
    assert await world.run() == ["resync", "connected", "disconnected"]
    assert "was left for http://two:4646" in str(world.sink.errors[0])


@pytest.mark.parametrize("answer", [body(), body(asyncio.Event().wait)], ids=["ends", "stays silent"])
async def test_a_refusal_without_a_word_is_found_out_by_a_list(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(event_stream, "PATIENCE", 0.01)
    world.lists.respond(403, text="Permission denied")
    world.streams.script(answer)
    assert await world.run() == ["denied"]
    assert isinstance(world.sink.errors[0], Denied)


async def test_an_older_nomad_refuses_by_status(world: World) -> None:
    world.streams.script(response(403, text="Permission denied"))
    assert await world.run() == ["denied"]


async def test_a_stream_that_does_not_begin_though_lists_work_is_unavailable(world: World) -> None:
    world.streams.script(body())
    assert await world.run() == ["disconnected"]
    assert "did not begin" in str(world.sink.errors[0])


async def test_a_mistake_of_the_sink_comes_out(world: World) -> None:
    async def bug() -> None:
        raise KeyError("bug")

    world.sink.list = bug
    world.streams.script(body(HEARTBEAT, asyncio.Event().wait))
    with pytest.raises(ExceptionGroup) as caught:
        await world.run()
    assert caught.group_contains(KeyError)


async def test_an_expired_token_shows_within_a_minute_though_the_stream_stays_open(world: World) -> None:
    """Nomad looks at a token when a stream begins, and never again."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise _StopHereError

    world.clients.respond(403, text="ACL token expired")
    world.streams.script(body(HEARTBEAT, world.sink.is_up, asyncio.Event().wait))
    stream = EventStream(
        world.transport,
        "",
        ("Node",),
        world.sink,
        now=lambda: world.time,
        sleep=sleep,
        random=lambda: 1.0,
        looks=True,
    )
    with pytest.raises(_StopHereError):
        await stream.run()
    assert pauses[0] == event_stream.LOOK
    assert world.sink.log[-1] == "denied"
