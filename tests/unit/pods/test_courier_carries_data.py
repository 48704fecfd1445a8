"""What lies in Nomad's variables is written once, complete, and found again."""

import json

import pytest

from tests.unit.pods.peers import Script, Variables
from translators.identity import job_id
from translators.records.pods import PodUid
from translators.variables import own_item
from vnode.errors import Conflict
from vnode.nomad.records import HeldVariable
from vnode.pods.actions import Layout
from vnode.pods.courier import Courier

JOB = job_id(PodUid("1"))
PATH = f"nomad/jobs/{JOB}"
ONE = Layout("default", JOB, ("app", "side"), 1)
THREE = Layout("default", JOB, ("app", "side"), 3)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def nomad(script: Script) -> Variables:
    return Variables(script)


async def test_what_is_fresh_is_written_without_a_look(script: Script, nomad: Variables) -> None:
    assert await Courier(nomad).write(ONE, {"a": b"1"}, fresh=True)
    assert script.names == ["put variable"]
    assert await Courier(nomad).read(ONE) == {"a": b"1"}


async def test_what_is_there_already_is_not_written_again(script: Script, nomad: Variables) -> None:
    await Courier(nomad).write(ONE, {"a": b"1", "empty": b""}, fresh=True)
    assert await Courier(nomad).write(ONE, {"a": b"1", "empty": b""}, fresh=False)
    assert script.names == ["put variable", "read variable"]


async def test_what_vanished_stays_and_what_differs_from_the_start_is_said(nomad: Variables) -> None:
    courier = Courier(nomad)
    await courier.write(ONE, {"a": b"1", "b": b"2"}, fresh=True)
    assert not await courier.write(ONE, {"a": b"3"}, fresh=False)
    assert await courier.read(ONE) == {"a": b"3", "b": b"2"}
    assert not await courier.write(ONE, {"a": b"3", "b": b"2", "c": b"4"}, fresh=False)
    assert await courier.write(ONE, {"a": b"3", "b": b"2"}, fresh=False)


async def test_a_foreign_write_in_between_is_a_conflict() -> None:
    class Late(Variables):
        async def get(self, namespace: str, path: str) -> HeldVariable | None:
            found = await super().get(namespace, path)
            await self.put(namespace, path, {"other": "MQ=="})
            return found

    late = Late(Script())
    await Courier(late).write(ONE, {"a": b"1"}, fresh=True)
    with pytest.raises(Conflict):
        await Courier(late).write(ONE, {"a": b"2"}, fresh=False)


async def test_much_lies_in_several_variables_and_all_of_them_are_removed(nomad: Variables) -> None:
    content = bytes(range(256)) * 500
    await Courier(nomad).write(THREE, {"a": content}, fresh=True)
    assert set(nomad.held) == {PATH, f"{PATH}/pod", f"{PATH}/pod/app", f"{PATH}/pod/side"}
    assert await Courier(nomad).read(THREE) == {"a": content}
    await Courier(nomad).remove(THREE)
    assert nomad.held == {}


async def test_what_was_written_in_part_is_not_read_and_the_next_write_completes_it(nomad: Variables) -> None:
    before, after = ({"a": bytes(60_000), "b": text} for text in (b"1", b"2"))
    await Courier(nomad).write(THREE, before, fresh=True)
    torn = {path: held for path, held in nomad.held.items() if path != PATH}
    await Courier(nomad).write(THREE, after, fresh=False)
    nomad.held.update(torn)
    assert await Courier(nomad).read(THREE) == {}
    del nomad.held[f"{PATH}/pod"]
    assert await Courier(nomad).read(THREE) == {}
    assert await Courier(nomad).write(THREE, after, fresh=False)
    assert await Courier(nomad).read(THREE) == after


async def test_what_is_for_one_task_lies_at_its_own_path_as_it_is(script: Script, nomad: Variables) -> None:
    courier, login = Courier(nomad), {"username": '"u"', "password": '"p"'}
    items = {"a": b"1", own_item("app"): json.dumps(login).encode()}
    assert await courier.write(ONE, items, fresh=True)
    assert nomad.held[f"{PATH}/pod/app"].items == login
    assert await courier.read(ONE) == {"a": b"1"}
    before = len(script.names)
    assert await courier.write(ONE, items, fresh=False)
    assert script.names[before:] == ["read variable"] * 2
    changed = {**items, own_item("app"): json.dumps({**login, "password": '"new"'}).encode()}
    assert await courier.write(ONE, changed, fresh=False)
    assert nomad.held[f"{PATH}/pod/app"].items["password"] == '"new"'
    # The templates read none of it, so nothing is missing to them.
    assert await courier.write(ONE, {"a": b"1"}, fresh=False)


class Grants:
    """Remembers who may read deeper, and that nothing lay there before."""

    def __init__(self, nomad: Variables) -> None:
        self.nomad = nomad
        self.allowed: set[str] = set()
        self.forbidden: list[str] = []

    async def allow(self, namespace: str, job: str) -> None:
        assert (namespace, self.nomad.held) == ("default", {})
        self.allowed.add(job)

    async def forbid(self, job: str) -> None:
        assert self.nomad.held == {}
        self.forbidden.append(job)


async def test_what_lies_deeper_is_opened_to_its_job_before_it_is_written_and_closed_after(nomad: Variables) -> None:
    grants, content = Grants(nomad), bytes(range(256)) * 1000
    courier, deep = Courier(nomad, grants), Layout("default", JOB, ("app",), 6)
    await courier.write(deep, {"a": content}, fresh=True)
    assert set(nomad.held) == {f"{PATH}/data/{index:02d}" for index in range(6)}
    assert grants.allowed == {JOB}
    assert await courier.read(deep) == {"a": content}
    await courier.remove(deep)
    assert grants.forbidden == [JOB]


async def test_what_tasks_read_by_themselves_takes_no_policy(nomad: Variables) -> None:
    grants = Grants(nomad)
    await Courier(nomad, grants).write(THREE, {"a": b"1"}, fresh=True)
    await Courier(nomad, grants).write(ONE, {"a": b"1"}, fresh=False)
    await Courier(nomad, grants).remove(THREE)
    assert (grants.allowed, grants.forbidden) == (set(), [])


async def test_data_that_outgrew_its_place_is_not_written_in_part(nomad: Variables) -> None:
    await Courier(nomad).write(ONE, {"a": b"1"}, fresh=True)
    with pytest.raises(Conflict, match="grew"):
        await Courier(nomad).write(ONE, {"a": bytes(60_000)}, fresh=False)
    assert await Courier(nomad).read(ONE) == {"a": b"1"}
