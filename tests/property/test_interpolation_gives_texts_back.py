"""What Nomad does to a text is modelled here by its own rules, and must undo what we did to it."""

import json
import re
from base64 import b64decode
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.translators.pods import Value
from translators.interpolation import environment_template, escape, escape_all, would_be_replaced
from translators.pod_to_job.expansion import expand

HOSTILE = st.text(alphabet='$%{}()"\\\r\n\x01\ufeffab.-_~é\u0301', max_size=24)
COMPOSED = HOSTILE.map(lambda text: normalize("NFC", text))
NAMES = st.sampled_from(["A", "a.b", "_x", "LONG_NAME_9", "z"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | COMPOSED,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(COMPOSED, inner, max_size=3),
    max_leaves=8,
)


LITERAL = re.compile(r'\$\{"((?:\\u[0-9a-f]{4})+)"\}')
STRAY_RETURN = re.compile(r"\r(?!\n)")


class Interpolated(Exception):
    """The text held a live template sequence, or what confuses the scanner."""


def hcl(text: str) -> str:
    """HCL's templates (hclsyntax.ParseTemplate), which are normalized, begin without a byte order mark, and can be
    trusted only without a stray carriage return: `$${` and `%%{` are escapes, `${` and `%{` begin an expression."""
    text = text.removeprefix("\ufeff")
    if STRAY_RETURN.search(text):
        raise Interpolated(text)
    out, at = [], 0
    while at < len(text):
        if text.startswith(("$${", "%%{"), at):
            out.append(text[at + 1 : at + 3])
            at += 3
        elif found := LITERAL.match(text, at):
            out.append(str(json.loads(f'"{found[1]}"')))
            at = found.end()
        elif text.startswith(("${", "%{"), at):
            raise Interpolated(text)
        else:
            out.append(text[at])
            at += 1
    return normalize("NFC", "".join(out))


def hcl_all(value: Value) -> Value:
    if isinstance(value, str):
        return hcl(value)
    if isinstance(value, dict):
        return {hcl(key): hcl_all(item) for key, item in value.items()}
    return [hcl_all(item) for item in value] if isinstance(value, list) else value


def expand_as_kubelet(text: str, variables: dict[str, str]) -> str:
    """third_party/forked/golang/expansion/expand.go, written down again step by step."""
    out, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 >= len(text):
            out, at = out + text[at], at + 1
        elif text[at + 1] == "$":
            out, at = out + "$", at + 2
        elif text[at + 1] == "(" and (end := text.find(")", at + 2)) >= 0:
            name = text[at + 2 : end]
            out, at = out + variables.get(name, f"$({name})"), end + 1
        else:
            out, at = out + text[at : at + 2], at + 2
    return out


@given(COMPOSED)
def test_an_escaped_text_evaluates_to_itself(text: str) -> None:
    assert hcl(escape(text)) == text


@given(JSON)
def test_a_whole_configuration_evaluates_to_itself_and_stays_json(value: Value) -> None:
    escaped = escape_all(value)
    assert hcl_all(escaped) == value
    assert json.loads(json.dumps(escaped)) == escaped


@given(HOSTILE, HOSTILE)
def test_a_text_that_a_template_would_compose_is_refused(before: str, after: str) -> None:
    text = f"{before}e\u0301{after}"
    with pytest.raises(ValueError, match="NFC"):
        escape_all({"args": [text]})


@pytest.mark.parametrize("text", ["plain", "$HOME", "50% {x}", "$(A)", "two\r\nlines", "a\ufeff"])
def test_a_text_that_means_nothing_to_a_template_is_left_as_it_is(text: str) -> None:
    assert escape(text) == text


@given(HOSTILE)
def test_a_value_that_may_stand_in_env_is_left_alone_by_nomad(text: str) -> None:
    replaced = re.sub(r"\$\{[a-zA-Z0-9_\-\.]+\}", "REPLACED", text)
    assert would_be_replaced(text) is (replaced != text)


@given(st.dictionaries(NAMES, st.text(max_size=20), max_size=4))
def test_an_env_template_holds_nothing_but_base64(values: dict[str, str]) -> None:
    text = environment_template(values)
    found = re.findall(
        r'^([A-Za-z_][A-Za-z0-9_.]*)=\{\{ "([A-Za-z0-9+/=]*)" \| base64Decode \| toJSON \}\}$', text, re.MULTILINE
    )
    assert {name: b64decode(literal).decode() for name, literal in found} == values
    assert text.count("\n") == len(values)


@given(
    st.text(alphabet="$()ab", max_size=20), st.dictionaries(st.text(alphabet="$(ab", max_size=3), st.text(max_size=3))
)
def test_references_expand_as_a_kubelet_expands_them(text: str, variables: dict[str, str]) -> None:
    assert expand(text, variables) == expand_as_kubelet(text, variables)
