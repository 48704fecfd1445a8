from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from vnode import logs


@pytest.fixture(autouse=True)
def _own_configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_names_the_place_but_no_values(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"]
) -> None:
    logs.configure("info", form)
    try:
        _fails("hunter" + "2")
    except KeyError:
        structlog.get_logger().exception("a defect")
    said = capsys.readouterr().err
    assert "a defect" in said
    assert "_fails" in said
    assert "hunter2" not in said


def _fails(token: str) -> None:
    raise KeyError(len(token))
