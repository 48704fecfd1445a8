import fcntl
from pathlib import Path

from tests.faults.locks import held, inodes

TABLE = """\
1: FLOCK  ADVISORY  WRITE 708 08:01:1051 0 EOF
1: -> FLOCK  ADVISORY  WRITE 709 08:01:1052 0 EOF
2: POSIX  ADVISORY  READ 708 fe:00:77 128 128
"""


def test_a_table_of_the_kernel_is_read() -> None:
    assert inodes(TABLE) == {1051, 77}


def test_a_lock_is_seen_for_as_long_as_it_is_held(tmp_path: Path) -> None:
    locked, free = tmp_path / "locked", tmp_path / "free"
    free.touch()
    with locked.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert held([locked, free]) == {locked}
    assert held([locked, free]) == set()
