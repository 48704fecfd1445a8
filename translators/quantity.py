"""Kubernetes quantities (`250m`, `64Mi`, `1e3`): read exactly, written in the API's canonical form.

Source of the grammar: kubernetes/apimachinery pkg/api/resource/quantity.go.
"""

import re
from fractions import Fraction
from functools import lru_cache

MEBIBYTE = 2**20

_SUFFIXES: dict[str, Fraction] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")
_GRAMMAR = re.compile(
    r"(?P<number>[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40}))"
    r"(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]{1,2}))?"
)


@lru_cache(maxsize=4096)
def parse(text: str | float) -> Fraction:
    """The exact value of a quantity, in its base unit (cores, bytes, pieces).

    Raises:
        ValueError: for anything that is not a quantity; numbers longer than 40 digits and powers of ten beyond
            99 count as such, for the API caps its quantities far below.
    """
    found = _GRAMMAR.fullmatch(str(text))
    if found is None:
        raise ValueError(f"{text!r} is not a quantity such as 250m, 0.5, 64Mi or 1G")
    number = Fraction(found["number"])
    if found["exponent"] is not None:
        return number * Fraction(10) ** int(found["exponent"])
    return number * _SUFFIXES[found["suffix"] or ""]


def whole(value: Fraction, unit: int = 1) -> int:
    """How many whole units hold the value: rounded up, as Kubernetes rounds."""
    return -(-value.numerator // (value.denominator * unit))


def scaled(value: Fraction, factor: float) -> int:
    """The value times a factor, exact and rounded up (cores to MHz, say)."""
    numerator, denominator = factor.as_integer_ratio()
    return -(-value.numerator * numerator // (value.denominator * denominator))


def decimal(thousandths: int) -> str:
    """A number of thousandths (millicores, say) as the API writes it: `250m`, `2`."""
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def binary(units: int) -> str:
    """A number of bytes as the API writes it, with the greatest suffix that keeps it whole: `64Mi`, `1500`."""
    if units == 0:
        return "0"
    for suffix in _BINARY:
        size = int(_SUFFIXES[suffix])
        if units % size == 0:
            return f"{units // size}{suffix}"
    return str(units)
