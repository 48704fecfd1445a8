"""The downward API: a Pod's own fields, as variables and as files.

Sources: kubernetes pkg/fieldpath/fieldpath.go, pkg/api/v1/resource/helpers.go.
"""

import re
import unicodedata
from collections.abc import Mapping
from fractions import Fraction

from translators import quantity
from translators.errors import Finding, Refused
from translators.records.pods import Container, Pod
from translators.records.sources import ResourceFieldSelector

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_CPU = "cpu"
_MILLI = Fraction(1, 1000)
_RESOURCE = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage)")
_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
}  # fmt: skip
_BASIC_PLANE = 0xFFFF


def field(pod: Pod, path: str, where: str) -> str:
    """A field that is known before the Pod is placed.

    Raises:
        Refused: for a path that no variable and no file can show.
    """
    found = _SUBSCRIPT.fullmatch(path)
    metadata = pod.metadata
    if found is not None:
        entries = metadata.labels if found[1] == "labels" else metadata.annotations
        return entries.get(found[2], "")
    fields = {
        "metadata.name": metadata.name,
        "metadata.namespace": metadata.namespace,
        "metadata.uid": metadata.uid,
        "metadata.labels": _lines(metadata.labels),
        "metadata.annotations": _lines(metadata.annotations),
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
    }
    if path not in fields:
        message = f"{path!r} is no field that can be shown"
        raise Refused(Finding("PodFeatureUnsupported", f"{where}.fieldRef", message))
    return fields[path]


def changes(path: str) -> bool:
    """Whether a field can change while the Pod lives."""
    return path.startswith(("metadata.labels", "metadata.annotations"))


def resource(container: Container, selector: ResourceFieldSelector, where: str) -> str:
    """A request or limit in whole divisors, rounded up.

    Raises:
        Refused: for a resource that cannot be shown, and for a limit that the container does not have: a kubelet shows
            what its machine has, and this Node is no machine.
    """
    path = f"{where}.resourceFieldRef"
    found = _RESOURCE.fullmatch(selector.resource)
    if found is None:
        message = f"{selector.resource!r} cannot be shown; use cpu, memory or ephemeral-storage of limits or requests"
        raise Refused(Finding("PodFeatureUnsupported", path, message))
    amounts = container.resources.limits if found[1] == "limits" else container.resources.requests
    if found[1] == "limits" and found[2] not in amounts:
        message = (
            f"container {container.name} has no limit of {found[2]}, and this Node is no machine whose own to show"
        )
        raise Refused(Finding("PodFeatureUnsupported", path, f"{message}; set the limit"))
    try:
        amount = quantity.parse(amounts.get(found[2], "0"))
        divisor = quantity.parse(selector.divisor or "1") or Fraction(1)
    except ValueError as error:
        raise Refused(Finding("InvalidResources", path, str(error))) from None
    if found[2] == _CPU:
        # As a kubelet, which counts both in whole thousandths.
        amount, divisor = Fraction(quantity.whole(amount / _MILLI)), Fraction(quantity.whole(divisor / _MILLI))
    else:
        amount, divisor = Fraction(quantity.whole(amount)), Fraction(quantity.whole(divisor))
    return str(quantity.whole(amount / divisor))


def _lines(entries: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={_quoted(entries[key])}" for key in sorted(entries))


def _quoted(text: str) -> str:
    """The text as Go's `%q` writes it."""
    return '"' + "".join(map(_quoted_character, text)) + '"'


def _quoted_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character == " " or unicodedata.category(character)[0] in "LMNPS":
        return character
    number = ord(character)
    if number < ord(" ") or number == 0x7F:  # noqa: PLR2004 - DEL
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= _BASIC_PLANE else f"\\U{number:08x}"
