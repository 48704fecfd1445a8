from collections.abc import AsyncIterator, Iterator

import pytest

from tests.unit.nomad.scripted import ScriptedNomad
from vnode.nomad.transport import NomadSettings, Transport, connect


@pytest.fixture
def nomad(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedNomad]:
    """What Nomad answers at whichever address."""
    scripted = ScriptedNomad()
    scripted.stand_behind_aiohttp(monkeypatch)
    yield scripted
    assert not scripted.mistakes


@pytest.fixture
async def transport(nomad: ScriptedNomad) -> AsyncIterator[Transport]:
    settings = NomadSettings(addresses=("http://one:4646", "http://two:4646"), token="secret-token", region="eu")
    async with connect(settings) as transport:
        yield transport
    assert nomad.open_connections == 0
