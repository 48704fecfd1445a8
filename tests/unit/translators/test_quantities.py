from fractions import Fraction

import pytest

from translators import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250m", Fraction(1, 4)),
        ("0.5", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        (2, Fraction(2)),
        (0.25, Fraction(1, 4)),
        ("64Mi", Fraction(64 * 2**20)),
        ("1G", Fraction(10**9)),
        ("1k", Fraction(1000)),
        ("100n", Fraction(1, 10**7)),
        ("1e3", Fraction(1000)),
        ("1E-3", Fraction(1, 1000)),
        ("1E", Fraction(10**18)),
        ("-1", Fraction(-1)),
    ],
)
def test_a_quantity_has_its_exact_value(text: str | float, value: Fraction) -> None:
    assert quantity.parse(text) == value


@pytest.mark.parametrize(
    "text", ["", "x", "1 Gi", "1K", "1mi", "1e", "1e999", "--1", "1Gii", "0x10", "\u0661", "1" * 41]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantity.parse(text)


@pytest.mark.parametrize(("amount", "mebibytes"), [("1", 1), ("1Mi", 1), (str(2**20 + 1), 2), ("0", 0)])
def test_amounts_round_up_to_whole_units(amount: str, mebibytes: int) -> None:
    assert quantity.whole(quantity.parse(amount), quantity.MEBIBYTE) == mebibytes


def test_scaling_is_exact_and_rounds_up() -> None:
    assert [quantity.scaled(quantity.parse(cores), 2394.454) for cores in ("1", "1m", "0")] == [2395, 3, 0]


@pytest.mark.parametrize(
    ("written", "text"),
    [(quantity.decimal(250), "250m"), (quantity.decimal(4000), "4"), (quantity.binary(3 * 2**30), "3Gi")],
)
def test_quantities_are_written_canonically(written: str, text: str) -> None:
    assert written == text
