"""Strings are exact to the byte: what a Pod says in `env`, `command` and `args` is what its process gets.

Between the two lie three interpolations of Nomad (HCL templates in the driver's configuration, a regular expression
over `Env`, the template engine), a file of variables, a shell, and `/proc`. More than two thousand hostile values go
through all of it, packed into few jobs, and are compared with what a kubelet would have given. Characters that are not
composed (NFC) are carried by `env` only; elsewhere they are refused.
"""

import base64
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from unicodedata import normalize

import pytest

from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import LATER, SOON, Namespace

DRIVERS = ("raw_exec", "exec", "docker")
SEED = 20261123
_PODS_PER_DRIVER = 5
_VALUES = 2_250
_MOST_JOBS = 20
_LONG = 30_000
_LINES = 2
_KNOWN = {"KNOWN": "what is known", "KNOWN_TRAP": "${HOME} %{if true} $(KNOWN)"}

#: `$$` is a dollar sign to a kubelet, and two of them are the process of the shell.
_SCRIPT = "base64 -w0 /proc/$$$$/cmdline; echo; base64 -w0 /proc/$$$$/environ; echo; sleep 2"

TRAPS = (
    # Nomad's variables, known and unknown, in every form that it replaces somewhere.
    "${HOME}",
    "${NOMAD_ALLOC_ID}",
    "${NOMAD_TASK_DIR}/x",
    "${node.unique.name}",
    "${node.unique.id}",
    "${attr.cpu.arch}",
    "${meta.rack}",
    "${KNOWN}",
    '${env["HOME"]}',
    "${nothing}",
    "${}",
    "${",
    "${unclosed",
    "$${HOME}",
    "$$${HOME}",
    "$$$${HOME}",
    "$${",
    "a${HOME}b${NOMAD_ALLOC_ID}c",
    "${${HOME}}",
    "${a-b.c_d}",
    "${a b}",
    "${upper(NOMAD_ALLOC_ID)}",
    "$HOME",
    "$NOMAD_ALLOC_ID",
    # HCL's directives.
    "%{if true}yes%{endif}",
    "%{if true}",
    "%{for x in []}%{endfor}",
    "%%{x}",
    "%%%{x}",
    "%{",
    "%{~ if true ~} x %{~ endif ~}",
    "100%",
    "%s %d %%",
    # The template engine.
    '{{ env "HOME" }}',
    '{{ env "NOMAD_ALLOC_ID" | toJSON }}',
    '{{ key "a" }}{{ with nomadVar "nomad/jobs" }}{{ end }}',
    "{{",
    "}}",
    "{{{{}}}}",
    "{{- /* comment */ -}}",
    '{{ "a" }}',
    "[[ x ]]",
    "<no value>",
    # A kubelet's own.
    "$(KNOWN)",
    "$(KNOWN_TRAP)",
    "$(UNKNOWN)",
    "$(HOME)",
    "$$(KNOWN)",
    "$$$(KNOWN)",
    "$$$$(KNOWN)",
    "$$",
    "$$$",
    "$",
    "$(",
    "$()",
    "$(KNOWN",
    "$(KNOWN)$(KNOWN)",
    "$($(KNOWN))",
    "$(KNOWN){HOME}",
    "$$(KNOWN){${HOME}}",
    "a$",
    # Quotes, backslashes, comments.
    '"',
    "'",
    "`id`",
    '""',
    "'it'\"s\"",
    '"quoted"',
    "\\",
    "\\\\",
    "\\n",
    '\\"',
    "\\${HOME}",
    "\\u0041",
    "\\x41",
    "a\\",
    "=",
    "a=b=c",
    "#",
    "# comment",
    "a # b",
    "export A=1",
    "key: value",
    "- item",
    "~",
    "!!",
    "&&",
    "; exit 9",
    "| cat",
    "<html>&amp;</html>",
    "*",
    "?",
    "[a-z]",
    "null",
    "true",
    "0",
    "{}",
    "[]",
    '{"a": "${HOME}"}',
    "<<EOT\n${HOME}\nEOT\n",
    "//",
    "/* */",
    # Blanks and ends of lines.
    "",
    " ",
    " leading",
    "trailing ",
    "\t",
    "\ttab\t",
    "\n",
    "\nleading",
    "trailing\n",
    "two\nlines",
    "two\r\nlines",
    "\r",
    "\r\n",
    "a\n\nb",
    "A=1\nB=2",
    "\v\f",
    *map(chr, range(0x01, 0x20)),
    "\x7f",
    "\x1b[31mred\x1b[0m",
    # Unicode.
    "\x80\x9f",
    "\u00a0",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\ufeffmark",
    "\u200b\u202e",
    "\ufffd\ufffe\uffff",
    "é",
    "e\u0301\u0327",
    "🏓",
    "👩‍👩‍👧‍👦🇪🇺",
    "\U0010ffff",
    "日本語",
    "שלום",
    "ß😀${HOME}😀",
)
_LONG_TRAPS = ("${HOME}%{if true}$$(KNOWN){{ x }}\n" * _LONG)[:_LONG], "ä" * (_LONG // 2)
_FRAGMENTS = (*TRAPS, "a", "B", "7", "-", "_", ".", "(", ")", "{", "}", "$", "%", "KNOWN", "HOME", "NOMAD_ALLOC_ID")


@dataclass(frozen=True, slots=True)
class Values:
    """What one Pod says, as it is written."""

    env: Mapping[str, str]
    command: Sequence[str]
    args: Sequence[str]

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.env) + len(self.command) + len(self.args)


def _spread(number: int, values: Sequence[str]) -> Values:
    """Deal values out to the three places; which place gets which value differs from Pod to Pod."""
    places: tuple[list[str], list[str], list[str]] = ([], [], [])
    for index, value in enumerate(values):
        places[(index + number) % 3].append(value)
    env, *parts = places
    command, args = ([normalize("NFC", value) for value in part] for part in parts)
    return Values({f"H_{index}": value for index, value in enumerate(env)}, command, args)


def _of_driver(driver: str) -> list[Values]:
    """Every trap in every place, and as many random ones as are missing."""
    source = random.Random(f"{SEED} {driver}")
    packed = [_spread(number, TRAPS) for number in range(3)]
    rest = _VALUES // len(DRIVERS) - 3 * len(TRAPS)
    spare = _PODS_PER_DRIVER - len(packed)
    for number in range(spare):
        values = ["".join(source.choices(_FRAGMENTS, k=source.randint(2, 9))) for _ in range(-(-rest // spare))]
        packed.append(_spread(number, [*_LONG_TRAPS, *values]))
    return packed


def _expand(text: str, variables: Mapping[str, str]) -> str:
    """What a kubelet does with `$(NAME)`: kubernetes third_party/forked/golang/expansion/expand.go."""

    def replaced(found: re.Match[str]) -> str:
        return "$" if found[2] is None else variables.get(found[2], found[0])

    return re.sub(r"\$(\$|\(([^)]*)\))", replaced, text)


def _environment(values: Values) -> dict[str, str]:
    """The variables as a kubelet gives them: each is expanded with those before it."""
    found: dict[str, str] = {}
    for name, value in {**_KNOWN, **values.env}.items():
        found[name] = _expand(value, found)
    return found


def _pod(name: str, driver: str, values: Values) -> Manifest:
    """A Pod that prints what it got."""
    main = container(
        command=["/bin/sh", "-c", _SCRIPT, "_", *values.command],
        args=list(values.args),
        env=[{"name": name, "value": value} for name, value in {**_KNOWN, **values.env}.items()],
    )
    return pod(name, main, driver=driver, restart="Never")


def _whole_log(namespace: Namespace, name: str) -> str:
    """Both lines; Nomad takes docker's log over from the engine, and may still be at it when the container ended."""

    def whole() -> str:
        text = namespace.logs(name)
        return text if text.count("\n") == _LINES else ""

    return wait_until(f"the log of {name}", whole, within=SOON)


def _printed(text: str) -> list[list[bytes]]:
    """The arguments and the environment that a process saw."""
    return [base64.b64decode(line, validate=True).removesuffix(b"\0").split(b"\0") for line in text.splitlines()]


def _variables(environ: Sequence[bytes]) -> dict[str, bytes]:
    """The environment by name."""
    parted = (entry.partition(b"=") for entry in environ)
    return {name.decode(): value for name, _, value in parted}


def _differences(place: str, wanted: Mapping[str, str], got: Mapping[str, bytes]) -> list[str]:
    return [
        f"{place} {name}: {value!r} became {got.get(name)!r}"
        for name, value in wanted.items()
        if got.get(name) != value.encode()
    ]


@pytest.fixture(scope="module")
def everything() -> dict[str, list[Values]]:
    """What each Pod of each driver says."""
    return {driver: _of_driver(driver) for driver in DRIVERS}


def test_more_than_two_thousand_values_are_packed_into_few_jobs(everything: dict[str, list[Values]]) -> None:
    packed = [values for each in everything.values() for values in each]
    assert sum(values.count for values in packed) >= _VALUES
    assert len(packed) <= _MOST_JOBS
    for each in everything.values():
        assert {value for one in each for value in one.env.values()} >= set(TRAPS)
        composed = {normalize("NFC", trap) for trap in TRAPS}
        assert {value for one in each for value in one.command} >= composed
        assert {value for one in each for value in one.args} >= composed


def test_what_a_driver_would_compose_is_refused(scene: Namespace) -> None:
    scene.create(pod("not-composed", container(command=["/bin/echo", "e\u0301"]), restart="Never"))
    scene.wait_phase("not-composed", "Failed")
    scene.wait_event("not-composed", "InvalidField", "spec.containers[main]", "NFC", "`env`")


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_process_gets_what_the_pod_says_to_the_byte(
    scene: Namespace, everything: dict[str, list[Values]], driver: str
) -> None:
    pods = {f"strings-{driver.replace('_', '-')}-{number}": one for number, one in enumerate(everything[driver])}
    scene.create(*(_pod(name, driver, values) for name, values in pods.items()))
    different: list[str] = []
    for name, values in pods.items():
        scene.wait_phase(name, "Succeeded", "Failed", within=LATER)
        arguments, environ = _printed(_whole_log(scene, name))
        variables = _environment(values)
        said = ["-c", _SCRIPT, "_", *values.command, *values.args]
        wanted = {str(index): _expand(text, variables) for index, text in enumerate(said, 1)}
        assert len(arguments) == len(wanted) + 1, name
        different += _differences(name, wanted, {str(index): each for index, each in enumerate(arguments)})
        different += _differences(name, variables, _variables(environ))
    assert not different, f"seed {SEED}: {len(different)} values changed, e.g.\n" + "\n".join(different[:10])
