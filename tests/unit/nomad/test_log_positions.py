from datetime import UTC, datetime

import pytest

from vnode.nomad.logs import LogFile, LogFiles, LogPosition, log_files
from vnode.nomad.records import FileInfo

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def files(*sizes: tuple[int, int]) -> LogFiles:
    return LogFiles(tuple(LogFile(index, size, NOW) for index, size in sizes))


def test_files_are_those_of_the_task_ordered_by_index() -> None:
    listing = [
        FileInfo(name=name, size=size, mod_time=NOW)
        for name, size in (
            ("app.stdout.10", 3),
            ("app.stdout.9", 2),
            ("app.stderr.0", 1),
            ("app2.stdout.0", 7),
            (".app.stdout.fifo", 0),
            ("app.stdout.x", 5),
        )
    ]
    found = log_files(iter(listing), "app")
    assert found.of("stdout") == files((9, 2), (10, 3))
    assert found.of("stderr") == files((0, 1))


@pytest.mark.parametrize(
    ("position", "offset"),
    [
        (LogPosition(3, 0), 0),
        (LogPosition(3, 7), 7),
        (LogPosition(4, 0), 10),
        (LogPosition(5, 2), 32),
        (LogPosition(5, 99), 35),
        (LogPosition(9, 0), 35),
        (LogPosition(1, 500), 0),
    ],
)
def test_an_offset_counts_the_files_that_exist(position: LogPosition, offset: int) -> None:
    assert files((3, 10), (4, 20), (5, 5)).offset(position) == offset


@pytest.mark.parametrize(
    ("offset", "position"),
    [
        (0, LogPosition(3, 0)),
        (9, LogPosition(3, 9)),
        (10, LogPosition(4, 0)),
        (34, LogPosition(5, 4)),
        (35, LogPosition(5, 5)),
        (99, LogPosition(5, 5)),
        (-4, LogPosition(3, 0)),
    ],
)
def test_a_position_outlives_the_offset_that_it_came_from(offset: int, position: LogPosition) -> None:
    assert files((3, 10), (4, 20), (5, 5)).position(offset) == position


def test_what_rotation_took_is_not_counted() -> None:
    rotated = files((4, 20), (5, 5))
    assert rotated.start == LogPosition(4, 0)
    assert rotated.end == LogPosition(5, 5)
    assert rotated.size == 25
    assert rotated.between(LogPosition(3, 4), LogPosition(4, 6)) == 6
    assert rotated.between(LogPosition(5, 0), LogPosition(4, 0)) == 0


def test_no_files_are_an_empty_log() -> None:
    assert (files().start, files().end, files().size, files().offset(LogPosition(2, 2))) == (
        LogPosition(),
        LogPosition(),
        0,
        0,
    )


def test_a_position_has_a_text_form() -> None:
    assert str(LogPosition(3, 17)) == "3:17"
    assert LogPosition.parse("3:17") == LogPosition(3, 17)
    with pytest.raises(ValueError, match="invalid literal"):
        LogPosition.parse("nowhere")


def test_positions_are_ordered() -> None:
    assert LogPosition(2, 900) < LogPosition(3, 0) < LogPosition(3, 1)
