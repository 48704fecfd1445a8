"""`$(VARIABLE)` in commands, arguments and environment values, expanded as a kubelet does.

Source: kubernetes third_party/forked/golang/expansion/expand.go: `$$` is a dollar sign, an unknown or unclosed
reference stays as it is, and nothing is expanded twice.
"""

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"\$\$|\$\(([^)]*)\)")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with the references to these variables replaced."""
    if "$" not in text:
        return text

    def replace(found: re.Match[str]) -> str:
        name = found[1]
        return "$" if name is None else variables.get(name, found[0])

    return _TOKEN.sub(replace, text)


def references(text: str) -> tuple[str, ...]:
    """The names of the variables that a text refers to."""
    return tuple(found[1] for found in _TOKEN.finditer(text) if found[1] is not None)
