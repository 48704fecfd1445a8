from contextlib import suppress
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from translators import quantity

AMOUNTS = st.integers(min_value=0, max_value=2**63)


@given(AMOUNTS)
def test_decimal_quantities_read_back_as_written(thousandths: int) -> None:
    assert quantity.parse(quantity.decimal(thousandths)) == Fraction(thousandths, 1000)


@given(AMOUNTS)
def test_binary_quantities_read_back_as_written(units: int) -> None:
    assert quantity.parse(quantity.binary(units)) == units


@given(AMOUNTS, st.integers(min_value=1, max_value=2**40))
def test_whole_units_are_the_least_that_hold_the_value(units: int, unit: int) -> None:
    held = quantity.whole(Fraction(units), unit)
    assert (held - 1) * unit < units <= held * unit


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(quantity.parse(text), Fraction)
