from collections.abc import AsyncIterator

import pytest
import trustme

from tests.unit.kubelet.api import Api, running_api


@pytest.fixture(scope="session")
def serving_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def client_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def api(serving_authority: trustme.CA, client_authority: trustme.CA) -> AsyncIterator[Api]:
    async with running_api(serving=serving_authority, clients=client_authority) as running:
        yield running
