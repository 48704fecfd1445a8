"""The scripts run in real shells: what they say, what they leave alone, and whom they end."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vnode.nomad.attendant import SHELL, Attendant, MarkedOutput, Stay, ending

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the scripts look into /proc")

_SHELLS = [
    pytest.param(found, id=" ".join(found))
    for found in ((SHELL,), ("bash", "--posix"), ("busybox", "sh"))
    if shutil.which(found[0])
]
_NUMBERS = iter(range(1, 10_000))


@pytest.fixture
def attendant() -> Attendant:
    return Attendant(f"{os.getpid():016x}{next(_NUMBERS):016x}")


@pytest.fixture(params=_SHELLS)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    found: tuple[str, ...] = request.param
    return found


def _in(shell: tuple[str, ...], command: list[str]) -> list[str]:
    assert command[0] == SHELL
    return [*shell, *command[1:]]


@contextmanager
def _attended(
    shell: tuple[str, ...], attendant: Attendant, *command: str, stdin: bool = False, stay: Stay = Stay.UNTIL_TOLD
) -> Iterator[subprocess.Popen[bytes]]:
    whole = _in(shell, attendant.command(command, stdin=stdin, tty=False, stay=stay))
    with subprocess.Popen(  # noqa: S603 - our own script
        whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(attendant.permission)
        process.stdin.flush()
        try:
            yield process
        finally:
            _kill(shell, attendant, whole=True)


def _kill(shell: tuple[str, ...], attendant: Attendant, *, whole: bool) -> None:
    subprocess.run(_in(shell, ending([attendant], whole=whole)), check=False, timeout=10, capture_output=True)  # noqa: S603


def _outcome(
    shell: tuple[str, ...], attendant: Attendant, *command: str, stdin: bytes | None = None
) -> tuple[bytes, bytes, int | None]:
    """What the command wrote and its code, once the attendant was dismissed."""
    with _attended(shell, attendant, *command, stdin=stdin is not None) as process:
        output, errors = process.communicate(stdin, timeout=10)
    marked = [MarkedOutput(attendant, begins=begins) for begins in (True, False)]
    texts = [each.feed(data) for each, data in zip(marked, (output, errors), strict=True)]
    assert marked[0].code == marked[1].code
    assert process.returncode == marked[0].code
    return texts[0], texts[1], marked[0].code


def test_output_and_code_are_those_of_the_command(shell: tuple[str, ...], attendant: Attendant) -> None:
    script = "echo one; printf two; echo three >&2; exit 7"
    assert _outcome(shell, attendant, "sh", "-c", script) == (b"one\ntwo", b"three\n", 7)


def test_a_signal_counts_as_a_shell_counts_it(shell: tuple[str, ...], attendant: Attendant) -> None:
    assert _outcome(shell, attendant, "sh", "-c", "kill -TERM $$")[2] == 128 + signal.SIGTERM


def test_arguments_arrive_as_they_are(shell: tuple[str, ...], attendant: Attendant) -> None:
    arguments = ("a b", "", "$HOME", "`id`", '"', "'", "\\", "*", "-n", "new\nline", "ü")
    expected = b"".join(argument.encode() + b"\0" for argument in arguments)
    assert _outcome(shell, attendant, "printf", r"%s\0", *arguments) == (expected, b"", 0)


@pytest.mark.parametrize("name", ["exit", "cd", "no-such-program"])
def test_a_name_is_a_program_and_nothing_of_the_shell(shell: tuple[str, ...], attendant: Attendant, name: str) -> None:
    output, errors, code = _outcome(shell, attendant, name, "5")
    assert (output, code) in {(b"", 127), (b"", 126)} or shutil.which(name)
    assert name.encode() in errors or shutil.which(name)


def test_without_stdin_a_command_reads_nothing(shell: tuple[str, ...], attendant: Attendant) -> None:
    assert _outcome(shell, attendant, "cat") == (b"", b"", 0)


def test_stdin_is_the_commands_own(shell: tuple[str, ...], attendant: Attendant) -> None:
    assert _outcome(shell, attendant, "cat", stdin=b"some\nbytes") == (b"some\nbytes", b"", 0)


def test_it_begins_nothing_before_it_is_told(shell: tuple[str, ...], attendant: Attendant) -> None:
    """Nor when whoever would tell it has gone."""
    command = attendant.command(("echo", "here"), stdin=False, tty=False, stay=Stay.UNTIL_TOLD)
    done = subprocess.run(_in(shell, command), input=b"", capture_output=True, timeout=10, check=False)  # noqa: S603
    marked = MarkedOutput(attendant, begins=True)
    assert marked.feed(done.stdout) == b""
    assert (marked.ready, marked.begun) == (True, False)


def test_it_stays_until_told(shell: tuple[str, ...], attendant: Attendant) -> None:
    with _attended(shell, attendant, "true") as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stderr.readline()
        process.stdin.write(b"left over\n")
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        process.stdin.write(attendant.dismissal)
        process.stdin.flush()
        assert process.wait(10) == 0


def test_it_stays_when_stdin_has_ended(shell: tuple[str, ...], attendant: Attendant) -> None:
    with _attended(shell, attendant, "cat", stdin=True, stay=Stay.UNTIL_ENDED) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.close()
        process.stderr.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        _end_below(shell, attendant, process)
        assert process.wait(10) == 0


def test_all_below_it_is_killed_and_nothing_else(shell: tuple[str, ...], attendant: Attendant) -> None:
    bystander = Attendant(attendant.token[::-1])
    script = "sleep 97531 & sh -c 'sleep 97532; true'; true"
    with (
        _attended(shell, bystander, "sleep", "97533") as spared,
        _attended(shell, attendant, "sh", "-c", script) as process,
    ):
        while len(_descendants(process.pid)) < 4:
            time.sleep(0.01)
        below = _descendants(process.pid)
        _kill(shell, attendant, whole=False)
        while any(map(_runs, below)):
            time.sleep(0.01)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 128 + signal.SIGKILL
        assert spared.poll() is None


def test_several_are_ended_at_once_and_nobody_else(shell: tuple[str, ...], attendant: Attendant) -> None:
    bystander, other = (Attendant(f"{place}{attendant.token[1:]}") for place in "ab")
    with (
        _attended(shell, bystander, "sleep", "97535") as spared,
        _attended(shell, attendant, "sleep", "97536") as first,
        _attended(shell, other, "sleep", "97537") as second,
    ):
        below = [pid for process in (first, second) for pid in _below(process.pid)]
        subprocess.run(_in(shell, ending([attendant, other], whole=True)), check=False, timeout=10)  # noqa: S603
        assert (first.wait(10), second.wait(10)) == (-signal.SIGKILL, -signal.SIGKILL)
        while any(map(_runs, below)):
            time.sleep(0.01)
        assert spared.poll() is None


def _below(pid: int) -> list[int]:
    """What runs below a process, once there is something."""
    while not (found := _descendants(pid)):
        time.sleep(0.01)
    return found


def test_an_attendant_that_does_not_go_is_killed(shell: tuple[str, ...], attendant: Attendant) -> None:
    with _attended(shell, attendant, "sleep", "97534") as process:
        while not _descendants(process.pid):
            time.sleep(0.01)
        below = _descendants(process.pid)
        _kill(shell, attendant, whole=True)
        assert process.wait(10) == -signal.SIGKILL
        while any(map(_runs, below)):
            time.sleep(0.01)


def _end_below(shell: tuple[str, ...], attendant: Attendant, process: subprocess.Popen[bytes]) -> None:
    while not _descendants(process.pid):
        time.sleep(0.01)
    _kill(shell, attendant, whole=False)


def _descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(errors="replace")
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(text.rpartition(") ")[2].split()[1])
    found = {pid}
    while more := {each for each, parent in parents.items() if parent in found and each not in found}:
        found |= more
    return sorted(found - {pid})


def _runs(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
