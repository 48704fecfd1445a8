import pytest

from tests.fuzz.found import found
from tests.fuzz.targets import TARGETS, run


@pytest.mark.parametrize("data", [b"", *found()], ids=bytes.hex)
def test_what_fuzzing_found_breaks_nothing(data: bytes) -> None:
    run(data)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256)), b"\xff" * 300])
def test_a_target_takes_any_bytes(name: str, data: bytes) -> None:
    TARGETS[name](data)
