import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.unit.translators.pods import container, pod
from translators.container_id import ContainerId
from translators.port_addresses import Endpoint, Placement
from translators.records.allocations import (
    AllocatedPort,
    AllocatedResources,
    AllocatedSharedResources,
    Allocation,
    NetworkStatus,
)
from translators.records.hooks import HookKind
from translators.records.probes import HttpGetAction, ProbeKind
from vnode.errors import Unavailable
from vnode.nomad.exec_session import ExecSession
from vnode.nomad.task_place import TaskPlace
from vnode.probes.answers import Answer, Outcome
from vnode.probes.hooks import HookCall
from vnode.probes.questions import Question, Questions

SUCCESS = Answer(Outcome.SUCCESS)


class Peers:
    """Remembers who was asked what."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    async def http(self, action: HttpGetAction, at: Endpoint, within: float) -> Answer:
        self.asked.append(("http", action.path, at, within))
        return SUCCESS

    async def call(self, action: HttpGetAction, at: Endpoint, within: float) -> Answer:
        assert within > 3600
        self.asked.append(("call", action.path, at))
        return SUCCESS

    async def grpc(self, service: str, at: Endpoint, within: float) -> Answer:
        self.asked.append(("grpc", service, at, within))
        return SUCCESS

    async def tcp(self, at: Endpoint, within: float) -> Answer:
        self.asked.append(("tcp", at, within))
        return SUCCESS

    @asynccontextmanager
    async def start(
        self, place: TaskPlace, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> AsyncIterator[ExecSession]:
        self.asked.append(("exec", place, tuple(command)))
        if not (stdin or tty):
            raise Unavailable("as far as this goes")
        yield NotImplemented


def placed(*ports: AllocatedPort, address: str = "") -> Placement:
    resources = AllocatedResources(shared=AllocatedSharedResources(ports=ports))
    network = NetworkStatus(address=address) if address else None
    return Placement(
        allocation=Allocation(id="a1", job_id="vk-1", allocated_resources=resources, network_status=network),
        host_ip="10.0.0.9",
    )


def ask(
    probe: dict[str, Any], placement: Placement | None, *, driver: str = "docker", routable: bool = False, **fields: Any
) -> tuple[Answer, list[tuple[object, ...]]]:
    subject = pod(container(readinessProbe=probe, **fields), annotations={"driver": driver})
    peers = Peers()
    questions = Questions(peers, peers, lambda _: placement, default_driver="docker", routable=routable)
    asked = subject.spec.containers[0]
    question = Question(subject, asked, ContainerId("a1", "web", 0), asked.probes[ProbeKind.READINESS])
    return asyncio.run(questions.ask(question)), peers.asked


WEB = [{"containerPort": 8080, "name": "http"}]


@pytest.mark.parametrize("port", [8080, "http", "8080"])
def test_a_declared_port_is_asked_where_it_is_published(port: object) -> None:
    there = placed(AllocatedPort(label="http", value=20001, to=8080, host_ip="10.0.0.1"))
    found = ask({"httpGet": {"port": port, "path": "/ok"}, "timeoutSeconds": 3}, there, ports=WEB)
    assert found == (SUCCESS, [("http", "/ok", Endpoint("10.0.0.1", 20001), 3.0)])


def test_a_port_that_only_a_probe_names_is_published_for_it() -> None:
    there = placed(AllocatedPort(label="vnode-probe-9000", value=20002, to=9000, host_ip="10.0.0.1"))
    assert ask({"tcpSocket": {"port": 9000}}, there)[1] == [("tcp", Endpoint("10.0.0.1", 20002), 1.0)]


def test_the_address_of_an_allocation_comes_first_where_it_answers() -> None:
    there = placed(address="172.26.64.3")
    assert ask({"tcpSocket": {"port": 9000}}, there, routable=True)[1] == [("tcp", Endpoint("172.26.64.3", 9000), 1.0)]


def test_a_program_on_the_network_of_its_host_is_asked_there() -> None:
    there = placed()
    assert ask({"tcpSocket": {"port": 9000}}, there, driver="raw_exec")[1] == [("tcp", Endpoint("10.0.0.9", 9000), 1.0)]


def test_a_service_of_grpc_is_asked_by_its_name() -> None:
    there = placed(AllocatedPort(label="vnode-probe-9000", value=20002, to=9000, host_ip="10.0.0.1"))
    asked = ask({"grpc": {"port": 9000, "service": "it"}}, there)[1]
    assert asked == [("grpc", "it", Endpoint("10.0.0.1", 20002), 1.0)]


@pytest.mark.parametrize("placement", [None, placed()])
def test_where_nothing_is_published_nobody_is_asked(placement: Placement | None) -> None:
    answer, asked = ask({"tcpSocket": {"port": 9000}}, placement)
    assert (answer.outcome, asked) == (Outcome.UNKNOWN, [])


def test_a_command_is_expanded_from_plain_variables_as_by_a_kubelet() -> None:
    env = [{"name": "A", "value": "x"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    _, asked = ask({"exec": {"command": ["test", "$(A)", "$(B)", "$$(A)"]}}, placed(), env=env)
    assert asked[0] == ("exec", TaskPlace("a1", "web", "docker"), ("test", "x", "$(B)", "$(A)"))


def test_what_told_nothing_is_asked_again_as_by_a_kubelet() -> None:
    answer, asked = ask({"exec": {"command": ["true"]}}, placed())
    assert (answer, len(asked)) == (Answer(Outcome.UNKNOWN, "as far as this goes"), 3)


def do(hook: dict[str, Any], **fields: Any) -> tuple[Answer, list[tuple[object, ...]]]:
    there = placed(AllocatedPort(label="http", value=20001, to=8080, host_ip="10.0.0.1"))
    subject = pod(container(lifecycle={"preStop": hook}, **fields), annotations={"driver": "docker"})
    asked = subject.spec.containers[0]
    assert asked.lifecycle is not None
    peers = Peers()
    questions = Questions(peers, peers, lambda _: there, default_driver="docker", routable=False)
    wanted = asked.lifecycle.hooks[HookKind.PRE_STOP]
    call = HookCall(subject, asked, ContainerId("a1", "web", 0), HookKind.PRE_STOP, wanted)
    return asyncio.run(questions.do(call)), peers.asked


def test_a_hook_asks_where_a_port_is_published() -> None:
    found = do({"httpGet": {"port": "http", "path": "/bye"}}, ports=WEB)
    assert found == (SUCCESS, [("call", "/bye", Endpoint("10.0.0.1", 20001))])


def test_a_hook_at_a_port_that_nobody_publishes_fails() -> None:
    assert do({"httpGet": {"port": 9000}})[0].outcome is Outcome.FAILURE


def test_the_command_of_a_hook_is_as_it_is_written() -> None:
    _, asked = do({"exec": {"command": ["echo", "$(A)"]}}, env=[{"name": "A", "value": "x"}])
    assert asked[0] == ("exec", TaskPlace("a1", "web", "docker"), ("echo", "$(A)"))
