"""A small shell script that attends a command in a task, because Nomad's exec API alone loses and leaves things.

Seen on Nomad 1.11.3, and why each line below is there:

- docker: the output's tail is cut off when the command ends, for Nomad closes the pipes as soon as it sees the exit
  (drivers/docker/driver.go, ExecTaskStreaming). So the script says itself where the output ends and with which code,
  and stays until all of it was read.
- docker: on a busy machine Nomad asks whether the command runs before docker has started it, takes it for ended with
  code 0, and leaves: it may run all the same, unseen. So the script begins the command only when it is told to, by
  whoever has seen that it is there; what was never told can safely be tried again.
- raw_exec, exec: an ended command is not reported while its stdin is open (drivers/shared/executor/exec_utils.go).
  The end that the script writes is seen at once.
- exec: a program that does not exist blocks every later exec in that task (the executor keeps a lock while it waits
  for a stdin that nobody reads yet). A shell answers 127 instead.
- raw_exec, exec: output is lost when the command ends right after its stdin, or before it. The script outlives both.
- all: when the client goes, the command runs on. A second exec, `ending`, finds attendants by their tokens and kills
  everything below them.

Both scripts use nothing but a POSIX shell's builtins, for an image may hold nothing else.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

SHELL = "/bin/sh"

#: A byte that is rare in output comes first.
_PREFIX = "~vnode-"

#: Bytes that may come before the output begins: what a runtime says when there is no shell.
_LONGEST_PREAMBLE = 64 * 1024
_LONGEST_CODE = 3


class Stay(Enum):
    """What the attendant does once it has written the end."""

    #: Until it reads its token, or stdin ends.
    UNTIL_TOLD = "until told"
    #: Until what it runs is killed; stdin is the command's own, and may have ended long ago.
    UNTIL_ENDED = "until ended"


_STAYING = {
    Stay.UNTIL_TOLD: 'while read -r l; do [ "$l" = "$t" ] && break; done; ',
    Stay.UNTIL_ENDED: "sleep 14400 </dev/null >/dev/null 2>&1; ",
}

# The command runs in a subshell by `exec`, so that a name is a program and never a builtin or function of the shell.
# An interrupt typed at the terminal is for the command; a trap with a command is not inherited by it.
_ATTEND = (
    't={token}; {terminal}echo "$t:ready"; read -r l || exit; '
    'echo "$t:begin"; trap : INT QUIT; (exec "$@"{stdin}); e=$?; echo "$t:end:$e;"{stderr}; {staying}exit $e'
)
_TERMINAL = ': "${TERM:=xterm}"; export TERM; '

# A token stands there in two halves, or this script would find itself. Processes are `pid:parent`; a name in
# /proc/<pid>/stat may hold anything, so what counts begins behind its last parenthesis.
_END = (
    "k='{halves}'; v=; a=; for s in /proc/[0-9]*/stat; do "
    'p=${{s#/proc/}}; p=${{p%/stat}}; l=; {{ read -r l <"$s"; }} 2>/dev/null; set -f; set -- ${{l##*) }}; set +f; '
    'a="$a $p:$2"; c=; {{ read -r c <"/proc/$p/cmdline"; }} 2>/dev/null; '
    'case "$c" in *{prefix}*) for t in $k; do '
    'case "$c" in *"${{t%:*}}${{t#*:}}"*) v="$v $p";; esac; done;; esac; done; '
    'w=$v; n=; while [ "$v" != "$n" ]; do n=$v; for x in $a; do p=${{x%:*}}; '
    'case " $v " in *" ${{x#*:}} "*) case " $v " in *" $p "*) ;; *) v="$v $p";; esac;; esac; done; done; '
    "{which}kill -9 $v"
)
# By then the attendants have come first; whoever waits for a child that is killed leaves no zombie.
_BELOW = 'for x in $w; do v=${v#" $x"}; done; [ -z "$v" ] || '
_WHOLE = '[ -z "$v" ] || '


@dataclass(frozen=True, slots=True)
class Attendant:
    """The scripts of one session; `token` is hexadecimal, 32 digits that nobody else has."""

    token: str

    @property
    def mark(self) -> str:
        """What every mark begins with."""
        return f"{_PREFIX}{self.token}"

    def command(self, command: Sequence[str], *, stdin: bool, tty: bool, stay: Stay) -> list[str]:
        """The command as it is given to Nomad. Without `stdin` it reads nothing, and the script reads instead."""
        script = _ATTEND.format(
            token=f"'{self.mark}'",
            terminal=_TERMINAL if tty else "",
            stdin="" if stdin else " </dev/null",
            stderr="" if tty else '; echo "$t:end:$e;" >&2',
            staying=_STAYING[stay],
        )
        return [SHELL, "-c", script, "sh", *command]

    @property
    def permission(self) -> bytes:
        """What an attendant that is ready wants to read; the command reads on behind it."""
        return b"begin\n"

    @property
    def dismissal(self) -> bytes:
        """What an attendant that stays until told wants to read; a terminal may hold half a line already."""
        return f"\n{self.mark}\n".encode()


def ending(attendants: Iterable[Attendant], *, whole: bool) -> list[str]:
    """A command that kills all that attendants of one task have started, in that task; `whole` kills them as well."""
    middle = len(_PREFIX) + 16
    halves = " ".join(f"{each.mark[:middle]}:{each.mark[middle:]}" for each in attendants)
    script = _END.format(halves=halves, prefix=f"'{_PREFIX}'", which=_WHOLE if whole else _BELOW)
    return [SHELL, "-c", script]


class MarkedOutput:
    """Finds the marks in one stream and gives what lies between them.

    Only stdout has a mark at its beginning. `code` is None until the end was seen; what comes after it is dropped.
    """

    def __init__(self, attendant: Attendant, *, begins: bool) -> None:
        self._ready = f"{attendant.mark}:ready".encode()
        self._begin = f"{attendant.mark}:begin".encode()
        self._end = f"{attendant.mark}:end:".encode()
        self._pattern = re.compile(re.escape(self._end) + rb"(\d{1,%d});" % _LONGEST_CODE)
        self._kept = b""
        #: The attendant waits for the word to begin.
        self.ready = False
        self.begun = not begins
        self.preamble = b""
        self.code: int | None = None

    @property
    def ended(self) -> bool:
        """Whether the end was seen."""
        return self.code is not None

    @property
    def rest(self) -> bytes:
        """What was kept back, for when no more comes."""
        return self._kept if self.begun and not self.ended else b""

    def feed(self, data: bytes) -> bytes:
        """The output that `data` brings. Keeps back what may be the beginning of a mark, and no more."""
        if self.ended:
            return b""
        data = self._kept + data
        self._kept = b""
        return self._output(data) if self.begun else self._before(data)

    def _before(self, data: bytes) -> bytes:
        self.ready = self.ready or self._ready in data
        place = data.find(self._begin)
        line_end = data.find(b"\n", place) if place >= 0 else -1
        if line_end < 0:
            self._kept = self.preamble = data[:_LONGEST_PREAMBLE]
            return b""
        self.begun, self.preamble = True, b""
        return self._output(data[line_end + 1 :])

    def _output(self, data: bytes) -> bytes:
        found = self._pattern.search(data)
        if found is not None:
            self.code = int(found[1])
            return data[: found.start()]
        place = self._start_of_mark(data)
        self._kept = data[place:]
        return data[:place]

    def _start_of_mark(self, data: bytes) -> int:
        """Where the longest tail begins that could go on as the mark; the end if there is none."""
        place = max(len(data) - len(self._end) - _LONGEST_CODE, 0)
        while (place := data.find(self._end[:1], place)) >= 0:
            tail = data[place:]
            code = tail[len(self._end) :]
            if self._end.startswith(tail) or (tail.startswith(self._end) and (not code or code.isdigit())):
                return place
            place += 1
        return len(data)
