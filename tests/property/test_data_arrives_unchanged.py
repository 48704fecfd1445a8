"""What Nomad's client makes of Variables and templates is modelled here by its own rules."""

import json
import re
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators.interpolation import Reference, environment_file, expression, is_template_name
from translators.variables import CAPACITY, ONE, THREE, count, fit, is_deep, pack, paths, policy, template, unpack

JOB = "vk-6f1d0c5e-9a55-4a8e-8a5c-2f4a1f5a0001"
TASKS = ("web", "side")
ITEMS = st.dictionaries(
    st.from_regex(r"[a-z]{3}-[0-9a-f]{24}", fullmatch=True),
    st.binary(max_size=40) | st.sampled_from([0, 1, 48_000, 49_000, 60_000]).map(bytes),
    max_size=4,
)
TEXTS = st.text(max_size=30) | st.text(alphabet="\"\\\n\r\t#'={}$ \u2028\x01\x7f", max_size=30)
_WHOLE = '(index . "vnode").Value'
_NOTED = f"{{{{ $whole = {_WHOLE} }}}}"
_COMPARED = f"{{{{ if ne {_WHOLE} $whole }}}}{{{{ $torn = $whole }}}}{{{{ end }}}}"
_PART = re.compile(
    rf'\{{\{{ with nomadVar "([^"]+)" \}}\}}({re.escape(_NOTED)}|{re.escape(_COMPARED)}|)'
    r'\{\{ \(index \. "([^"]+)"\)\.Value \| base64Decode \}\}\{\{ end \}\}'
)
_AROUND = '{{ $whole := "" }}{{ $torn := "" }}', '{{ if $torn }}{{ with nomadVar "nomad/jobs" }}{{ end }}{{ end }}'


def rendered(text: str, variables: dict[str, dict[str, str]]) -> bytes | None:
    """What a template gives; None where it waits for a Variable that is not there."""
    parts = _PART.findall(text)
    several = len(parts) > 1
    assert _PART.sub("", text) == ("".join(_AROUND) if several else "")
    assert [mark for _, mark, _ in parts] == ([_NOTED, *[_COMPARED] * (len(parts) - 1)] if several else [""])
    if several and len({variables[path]["vnode"] for path, _, _ in parts}) > 1:
        return None
    return b"".join(b64decode(variables[path].get(item, "")) for path, _, item in parts)


@given(items=ITEMS, deep=st.booleans())
def test_every_task_reads_every_item_as_it_was(items: dict[str, bytes], *, deep: bool) -> None:
    try:
        number = count(items, deep=deep)
    except ValueError:
        assert sum(map(len, items.values())) > 140_000
        assert not deep
        return
    variables = pack(items, JOB, TASKS, number)
    for task in TASKS:
        for name, content in items.items():
            assert rendered(template(JOB, task, number, name), variables) == content
    for held in variables.values():
        assert held
        assert sum(len(key.encode()) + len(value.encode()) for key, value in held.items()) <= CAPACITY
    first = [variables[path] for path in paths(JOB, TASKS[:1], number)]
    assert unpack(first) == {name: content for name, content in items.items() if content}


@given(items=ITEMS, changed=ITEMS, written=st.integers(0, THREE), deep=st.booleans())
def test_what_was_written_in_part_is_not_shown(
    items: dict[str, bytes], changed: dict[str, bytes], written: int, *, deep: bool
) -> None:
    try:
        number = max(count(items, deep=deep), count(changed, deep=deep))
    except ValueError:
        return
    before, after = (pack(each, JOB, TASKS[:1], number) for each in (items, changed))
    done = min(written, number)
    held = {**before, **dict(list(after.items())[:done])}
    assert fit(held.values()) == (done in {0, number} or items == changed or number == ONE)
    for name in items.keys() | changed.keys():
        shown = rendered(template(JOB, TASKS[0], number, name), held)
        assert shown in (None, items.get(name, b""), changed.get(name, b""))
        if done in {0, number}:
            assert shown == (changed if done else items).get(name, b"")


def test_three_variables_hold_144_kib() -> None:
    assert count({"x-1": bytes(144 * 1024 - 100)}) == THREE
    with pytest.raises(ValueError, match="147456 bytes do not fit"):
        count({"x-1": bytes(144 * 1024)})


def test_what_lies_deeper_has_room_to_grow_and_a_policy_of_its_own() -> None:
    """A Secret of Kubernetes holds 1 MiB."""
    large = {"x-1": bytes(2**20)}
    number = count(large, deep=True)
    assert is_deep(number)
    assert pack({"x-1": bytes(2**20 * 5 // 4)}, JOB, TASKS, number).keys() == set(paths(JOB, TASKS, number))
    below = re.findall(r'path "(.*)\*"', policy("k8s", JOB))
    assert len(below) == 1
    assert all(path.startswith(below[0]) for path in paths(JOB, TASKS, number))
    assert not any(path.startswith(below[0]) for path in paths(JOB, TASKS, THREE))
    with pytest.raises(ValueError, match="hold about 3072 KiB"):
        count({f"x-{index}": bytes(2**20) for index in range(3)}, deep=True)


def go_envparse(text: bytes) -> dict[str, str]:
    """hashicorp/go-envparse, for the lines that we write: a name, and a value in double quotes."""
    found = {}
    for line in text.split(b"\n")[:-1]:
        name, _, value = line.partition(b"=")
        assert is_template_name(name.decode())
        assert len(line) < 65_536
        assert all(byte >= 32 for byte in value)
        assert re.fullmatch(rb'"(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-f]{4})*"', value)
        found[name.decode()] = json.loads(value)
    return found


@given(values=st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,8}", fullmatch=True), TEXTS, max_size=4))
def test_a_file_of_variables_is_read_back(values: dict[str, str]) -> None:
    assert go_envparse(environment_file(values)) == values


def hcl(text: str, known: dict[str, str]) -> str:
    """HCL templates with references to simple names, escapes, and the literals that we write."""
    out, at = "", 0
    while at < len(text):
        literal = re.compile(r'\$\{"((?:\\u[0-9a-f]{4})+)"\}').match(text, at)
        reference = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}").match(text, at)
        if text.startswith(("$${", "%%{"), at):
            out, at = out + text[at + 1 : at + 3], at + 3
        elif literal:
            out, at = out + str(json.loads(f'"{literal[1]}"')), literal.end()
        elif reference:
            out, at = out + known[reference[1]], reference.end()
        else:
            assert not text.startswith(("${", "%{"), at), text
            out, at = out + text[at], at + 1
    return out


PARTS = st.lists(
    st.text(alphabet='$%{}a"', max_size=5) | st.sampled_from([Reference("A"), Reference("_b")]), max_size=5
)


@given(parts=PARTS)
def test_a_reference_stands_in_any_text(parts: list[str]) -> None:
    known = {"A": "${B}", "_b": "%{"}
    wanted = "".join(known[part] if isinstance(part, Reference) else part for part in parts)
    assert hcl(expression(parts), known) == wanted


@pytest.mark.parametrize("name", ["a.b", "1a", "attr", "a-b", ""])
def test_a_name_that_the_template_cannot_say_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot look up"):
        expression([Reference(name)])
