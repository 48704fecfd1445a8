"""What Nomad would interpolate, and how a text passes through it unchanged.

Two mechanisms differ: every string below `Task.Config`, keys too, is an
HCL template with escapes, and comes out of it in Unicode's composed form; `Env`, `Meta`, destinations and sources go
through a plain regular expression that knows no escape. The template engine of `template` blocks is the third; user
data enters it as base64 only.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any
from unicodedata import is_normalized

#: How deep a `task-config` may nest; Nomad's drivers need three.
MAX_DEPTH = 32

#: What a template does not keep: the beginning of a sequence, with the signs before it that would join its escape; a
#: carriage return that ends no line, after which HCL (2.20, hclsyntax) reads escapes by other rules; a byte order mark.
_UNKEPT = re.compile(r"[$%]*(?:\{|\r(?!\n))|\A\ufeff")
_ESCAPES = {"{": "{", "${": "$${", "%{": "%%{"}

_REFERENCE = re.compile(r"\$\{[a-zA-Z0-9_\-.]+\}")
_TEMPLATE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")

_SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOMADS_OWN = frozenset({"node", "attr", "meta", "unique"})
_BEFORE_A_REFERENCE = re.compile(r"[$%]+\Z")

#: What separates values in a file that Nomad's reader of env files takes whole: its scanner holds 64 KiB a line.
LONGEST_LINE = 65_000


class Expression(str):
    """A text that is escaped already and refers to variables which the client fills in."""

    __slots__ = ()


class Reference(str):
    """The name of an environment variable of the task, whose value the client puts in its place."""

    __slots__ = ()


def expression(parts: Iterable[str]) -> Expression:
    """The HCL template of literal texts and References side by side.

    Raises:
        ValueError: for a name that the template language cannot say.
    """
    text, literal = "", ""
    for part in parts:
        if not isinstance(part, Reference):
            literal += part
            continue
        if _SIMPLE_NAME.fullmatch(part) is None or part in _NOMADS_OWN:
            raise ValueError(f"refers to the variable {str(part)!r}, whose name the client cannot look up; rename it")
        # A sign before the reference would make an escape of it.
        text += _BEFORE_A_REFERENCE.sub(lambda found: _expression(found[0]), escape(literal)) + "${" + part + "}"
        literal = ""
    return Expression(text + escape(literal))


def escape(text: str) -> str:
    """The HCL template that evaluates to this text, if that is composed (NFC)."""
    return _UNKEPT.sub(lambda found: _ESCAPES.get(found[0]) or _expression(found[0]), text)


def escape_all(value: Any, depth: int = 0) -> Any:
    """A JSON value with every string and key escaped, for `Task.Config`.

    Raises:
        ValueError: for what no JSON or no driver can carry: NUL, characters that are not composed, a number that is
            not finite, deep nesting.
    """
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, str):
        return escape(_checked(value))
    if depth > MAX_DEPTH:
        raise ValueError(f"nests deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {escape(_checked(str(key))): escape_all(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [escape_all(item, depth + 1) for item in value]
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"holds {value}, which is not a JSON number")
    return value


def would_be_replaced(text: str) -> bool:
    """Whether `Env` or `Meta` cannot carry this text, for Nomad might replace a part of it."""
    return "${" in text and _REFERENCE.search(text) is not None


def is_template_name(name: str) -> bool:
    """Whether an env template may set a variable of this name; Nomad's parser kills the task for others."""
    return _TEMPLATE_NAME.fullmatch(name) is not None


def environment_template(values: Mapping[str, str]) -> str:
    """The text of an `Envvars` template that sets these variables byte by byte.

    The values stand in it as base64 literals, so that nothing a user wrote is ever template text; `toJSON`
    quotes them for Nomad's reader of env files.
    """
    return "".join(f"{name}={{{{ {_literal(value)} | base64Decode | toJSON }}}}\n" for name, value in values.items())


def quoted(value: str) -> str:
    """A value as Nomad's reader of env files gives it back (hashicorp/go-envparse)."""
    return json.dumps(value, ensure_ascii=False)


def environment_file(values: Mapping[str, str]) -> bytes:
    """Variables as Nomad's reader of env files gives them back byte by byte (hashicorp/go-envparse).

    Raises:
        ValueError: naming the variable that is too long for it.
    """
    lines = []
    for name, value in values.items():
        line = f"{name}={quoted(value)}\n".encode()
        if len(line) > LONGEST_LINE:
            raise ValueError(
                f"{name} holds {len(value.encode())} bytes; Nomad reads about {LONGEST_LINE} of a variable"
            )
        lines.append(line)
    return b"".join(lines)


def _literal(text: str) -> str:
    return '"' + b64encode(text.encode()).decode() + '"'


def _expression(text: str) -> str:
    """An expression of HCL for a text of the basic plane."""
    return '${"' + "".join(f"\\u{ord(character):04x}" for character in text) + '"}'


def _checked(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character, which no process can receive")
    if not is_normalized("NFC", text):
        message = (
            "holds characters that are not in Unicode's composed form (NFC), into which Nomad's drivers bring what "
            "they are told; compose them, or let the program read the text from a variable in `env`"
        )
        raise ValueError(message)
    return text
