from collections.abc import AsyncIterator, Iterator

import pytest
import respx

from vnode.nomad.transport import NomadSettings, Transport, connect


@pytest.fixture
def nomad() -> Iterator[respx.Router]:
    """What Nomad answers at whichever address; `using` is the mocker that pytest-httpx2 brings."""
    with respx.mock(using="httpcore2", assert_all_called=False) as router:
        yield router


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    settings = NomadSettings(addresses=("http://one:4646", "http://two:4646"), token="secret-token", region="eu")
    async with connect(settings) as transport:
        yield transport
