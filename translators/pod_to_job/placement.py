"""Where Nomad may place a Pod, and how urgently: the annotations about datacenters, pools and clients.

Operands and rules: nomad/structs Constraint.Validate and Affinity.Validate.
"""

import re
from collections.abc import Mapping

from translators import annotations, priorities
from translators.annotations import Annotations, Setting
from translators.errors import Finding
from translators.records.jobs import Affinity, Constraint

_COMPARISONS = frozenset({"=", "==", "is", "!=", "not", "<", "<=", ">", ">=", "regexp", "version", "semver"})
_SETS = frozenset({"set_contains", "set_contains_all", "set_contains_any"})
_PRESENCE = frozenset({"is_set", "is_not_set"})
_DISTINCT_HOSTS = "distinct_hosts"
_DISTINCT_PROPERTY = "distinct_property"

_TARGET = re.compile(
    r"\$\{(?:node\.(?:unique\.id|unique\.name|datacenter|class|pool)|(?:attr|meta|device)\.[^{}\s]+)\}"
)
_LINE = re.compile(r"(?P<target>\S+)\s+(?P<operand>\S+)(?:\s+(?P<value>.*))?")
_WEIGHT = re.compile(r"(?P<line>.*?)\s+weight=(?P<weight>-?[0-9]{1,3})")
_DATACENTER = re.compile(r"[A-Za-z0-9._*-]+")
_POOL = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_MOST = 100


def datacenters(settings: Annotations, default: tuple[str, ...]) -> tuple[str, ...]:
    """The datacenters, separated by commas or blanks; `*` stands for any characters."""
    setting = settings.setting(annotations.DATACENTERS)
    if setting is None:
        return default
    names = tuple(setting.text.replace(",", " ").split())
    for name in names:
        if _DATACENTER.fullmatch(name) is None:
            raise setting.refused(f"{name!r} is no name of a datacenter")
    if not names:
        raise setting.refused("names no datacenter")
    return names


def node_pool(settings: Annotations, default: str) -> str:
    """The node pool."""
    setting = settings.setting(annotations.NODE_POOL)
    if setting is None:
        return default
    if _POOL.fullmatch(setting.text) is None:
        raise setting.refused(f"{setting.text!r} is no name of a node pool")
    return setting.text


def priority(settings: Annotations, priority_class: str, by_class: Mapping[str, int]) -> int:
    """The job's priority: by annotation, else by what the PriorityClass means here, else the default."""
    setting = settings.setting(annotations.PRIORITY)
    if setting is None:
        return by_class.get(priority_class, priorities.DEFAULT)
    least, most = priorities.LEAST, priorities.MOST
    if not re.fullmatch(r"[0-9]{1,3}", setting.text, re.ASCII) or not least <= int(setting.text) <= most:
        raise setting.refused(f"{setting.text!r} is not a number from {least} to {most}")
    return int(setting.text)


def constraints(settings: Annotations) -> tuple[Constraint, ...]:
    """The constraints of the Pod and of its containers, which all go where the Pod goes."""
    return tuple(
        _constraint(line, setting)
        for setting in settings.everywhere(annotations.CONSTRAINTS)
        for line in _lines(setting)
    )


def affinities(settings: Annotations) -> tuple[Affinity, ...]:
    """The affinities, each a condition and perhaps a weight."""
    return tuple(
        _affinity(line, setting) for setting in settings.everywhere(annotations.AFFINITIES) for line in _lines(setting)
    )


def warnings(settings: Annotations) -> tuple[Finding, ...]:
    """Constraints that cannot do what they say."""
    return tuple(
        Finding(
            "ConstraintWithoutEffect",
            f"metadata.annotations[{setting.key}]",
            f"{line.split()[0]} has no effect: each Pod is a job of its own, so it has no other to be distinct from",
        )
        for setting in settings.everywhere(annotations.CONSTRAINTS)
        for line in _lines(setting)
        if _DISTINCT_HOSTS in line.split()[:1] or _DISTINCT_PROPERTY in line.split()[1:2]
    )


def _lines(setting: Setting) -> list[str]:
    return [line.strip() for line in setting.text.splitlines() if line.strip()]


def _constraint(line: str, setting: Setting) -> Constraint:
    if line.split() in ([_DISTINCT_HOSTS], [_DISTINCT_HOSTS, "=", "true"]):
        return Constraint(operand=_DISTINCT_HOSTS, r_target="true")
    target, operand, value = _condition(line, setting)
    if operand in _PRESENCE:
        if value:
            raise setting.refused(f"{line}: {operand} takes no value")
    elif operand == _DISTINCT_PROPERTY:
        if value and not (re.fullmatch(r"[0-9]{1,18}", value, re.ASCII) and int(value)):
            raise setting.refused(f"{line}: {operand} takes a number of at least 1, or nothing")
    else:
        _require_comparison(operand, value, line, setting)
    return Constraint(l_target=target, operand=operand, r_target=value)


def _affinity(line: str, setting: Setting) -> Affinity:
    weighted = _WEIGHT.fullmatch(line)
    weight = int(weighted["weight"]) if weighted else Affinity().weight
    if weight == 0 or abs(weight) > _MOST:
        raise setting.refused(f"{line}: a weight is from -{_MOST} to {_MOST} and not 0")
    target, operand, value = _condition(weighted["line"] if weighted else line, setting)
    _require_comparison(operand, value, line, setting)
    return Affinity(l_target=target, operand=operand, r_target=value, weight=weight)


def _condition(line: str, setting: Setting) -> tuple[str, str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise setting.refused(f"{line}: write a condition such as ${{attr.kernel.name}} = linux")
    if _TARGET.fullmatch(found["target"]) is None:
        raise setting.refused(
            f"{line}: {found['target']} is nothing that a client has; use ${{attr.…}}, ${{meta.…}}, ${{node.class}}, "
            "${node.datacenter}, ${node.pool}, ${node.unique.name} or ${node.unique.id}"
        )
    return found["target"], found["operand"], (found["value"] or "").strip()


def _require_comparison(operand: str, value: str, line: str, setting: Setting) -> None:
    if operand not in _COMPARISONS and operand not in _SETS:
        known = sorted({*_COMPARISONS, *_SETS, *_PRESENCE, _DISTINCT_PROPERTY})
        raise setting.refused(f"{line}: {operand!r} is no operand that fits here; there are {', '.join(known)}")
    if not value:
        raise setting.refused(f"{line}: {operand} needs a value")
