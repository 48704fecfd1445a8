"""A client's agent is asked itself where it can be, and the servers where not."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from vnode.errors import NoAnswer
from vnode.nomad.agents import ClientAgents
from vnode.nomad.transport import Reply, Transport

_CLIENT = {"ID": "c1", "HTTPAddr": "10.0.0.7:4646"}
_SERVERS = ""


@dataclass
class Nomad:
    """Servers that always answer, and agents that `answer` or do not."""

    answer: bool = True
    opened: list[str] = field(default_factory=list)
    now: float = 100.0

    async def request(self, _method: str, path: str, _query: Mapping[str, str]) -> Reply:
        assert path == "/v1/node/c1"
        return Reply(json.dumps(_CLIENT).encode())

    @asynccontextmanager
    async def websocket(self, _path: str, _query: Mapping[str, str], *, agent: str = _SERVERS) -> AsyncIterator[str]:
        self.opened.append(agent)
        if agent and not self.answer:
            raise NoAnswer("Nomad at http://10.0.0.7:4646: connection refused")
        yield agent


def _agents(nomad: Nomad) -> ClientAgents:
    return ClientAgents(cast(Transport, nomad), lambda: nomad.now)


async def _way(agents: ClientAgents, client: str) -> object:
    async with agents.websocket(client, "/v1/client/allocation/a/exec", {}) as socket:
        return socket


async def test_the_agent_is_asked_at_the_address_that_it_tells() -> None:
    nomad = Nomad()
    assert await _way(_agents(nomad), "c1") == "10.0.0.7:4646"
    assert nomad.opened == ["10.0.0.7:4646"]


async def test_without_a_client_the_servers_are_asked() -> None:
    nomad = Nomad()
    assert await _way(_agents(nomad), "") == _SERVERS
    assert nomad.opened == [_SERVERS]


@pytest.mark.parametrize(("seconds", "asked_again"), [(299.0, []), (301.0, ["10.0.0.7:4646"])])
async def test_an_agent_that_does_not_answer_is_left_alone_for_a_while(seconds: float, asked_again: list[str]) -> None:
    nomad = Nomad(answer=False)
    agents = _agents(nomad)
    assert await _way(agents, "c1") == _SERVERS
    assert nomad.opened == ["10.0.0.7:4646", _SERVERS]
    nomad.opened.clear()
    nomad.now += seconds
    assert await _way(agents, "c1") == _SERVERS
    assert nomad.opened == [*asked_again, _SERVERS]


async def test_what_goes_wrong_in_a_session_is_not_repeated_elsewhere() -> None:
    nomad = Nomad()
    with pytest.raises(NoAnswer):
        async with _agents(nomad).websocket("c1", "/v1/client/allocation/a/exec", {}):
            raise NoAnswer("it broke off")
    assert nomad.opened == ["10.0.0.7:4646"]
