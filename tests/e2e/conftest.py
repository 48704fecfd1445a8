"""End-to-end tests share one bed: real servers, started once per session."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.bed.bed import PROFILES, REPOSITORY, Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.bed.witness import witness
from tests.e2e.namespace import Namespace

_TEST_SECONDS = 120


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "e2e: needs the test bed (root, Docker, Go or built binaries)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("e2e")
            if item.get_closest_marker("timeout") is None:
                # The bed has deadlines of its own, and the first start builds it.
                item.add_marker(pytest.mark.timeout(_TEST_SECONDS, func_only=True))


@pytest.fixture(scope="session")
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    wanted = os.environ.get("HASHINETES_BED_PROFILE", "secured")
    profile = next((known for known in PROFILES if known == wanted), None)
    if profile is None:
        raise BedError(f"HASHINETES_BED_PROFILE={wanted} is not one of {', '.join(PROFILES)}")
    # Not below pytest's own directory, which is closed to the users that some tasks run as.
    directory = Path(tempfile.mkdtemp(prefix="hashinetes-bed-"))
    with Bed.start(directory, profile=profile) as running, witness(running):
        yield running
    if request.session.testsfailed:
        print(f"\nThe bed's logs are in {directory / 'logs'}.")
    else:
        shutil.rmtree(directory)


class Namespaces(Protocol):
    """Makes namespaces of one's own."""

    def __call__(self, prefix: str = "scene") -> AbstractContextManager[Namespace]:
        """A new namespace; only those that begin with `scene` may use drivers without isolation."""


def shared_directory(bed: Bed) -> Path:
    """The one directory of the host that Pods may mount."""
    return bed.directory / "shared"


@pytest.fixture(scope="session")
def vnode(bed: Bed) -> Iterator[VnodeProcess]:
    """The Node `nomad`, whose Pods may run on all five clients."""
    deploy = REPOSITORY / "deploy"
    for file in ("base/policy/runtimeclasses.yaml", "components/persistent-volumes/storageclass.yaml"):
        bed.kubectl("apply", f"--filename={deploy / file}")
    drivers = {
        "raw_exec": {"namespaces": ["scene-*"]},
        "mock_driver": {"namespaces": ["scene-*"]},
        "docker": {"privileged": ["scene-owners-*"]},
    }
    policy = {
        "drivers": drivers,
        "vault": {"roles": {"*": "{namespace}_*"}},
        "identities": {"audiences": {"scene-*": "{namespace}.example.com"}},
        "host_paths": {"scene-*": str(shared_directory(bed))},
    }
    settings = {"policy": policy, "priorities": {"urgent": 80}}
    with bed.vnode("--node-pool=all", "--persistent-volumes", settings=settings) as process:
        yield process


@pytest.fixture(scope="session")
def namespaces(bed: Bed) -> Namespaces:
    numbers = itertools.count(1)

    def create(prefix: str = "scene") -> AbstractContextManager[Namespace]:
        return Namespace.created(bed, f"{prefix}-{next(numbers)}")

    return create


@pytest.fixture
def namespace(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    """A namespace of one test's own."""
    vnode.child.must_live()
    with namespaces() as created:
        yield created


@pytest.fixture(scope="module")
def scene(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    """A namespace that the tests of a file share, each with Pods of its own."""
    vnode.child.must_live()
    with namespaces() as created:
        yield created
