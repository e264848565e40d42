"""What integers of operands stand for, against fractions computed one by one."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from hwflow.fixed import FixedType
from hwflow.ir.grid import Grid, is_power_of_two, rationals
from hwflow.ir.real.nodes import Function
from hwflow.ir.scaled import Operand, on_grid
from hwflow.ir.tensor import TensorType

FRACTIONS = st.fractions(-8, 8, max_denominator=97)
TYPES = st.builds(FixedType, st.integers(2, 6), st.integers(-3, 9))


def operand(dtype: FixedType, scale: list[Fraction], offset: list[Fraction]) -> Operand:
    x = TensorType.full((3, 4), dtype)
    return Operand(x, on_grid(Grid(rationals(scale), rationals(offset)), x))


@given(TYPES, FRACTIONS.filter(bool), FRACTIONS, st.integers(-30, 30))
def test_a_line_is_scale_times_value_plus_offset(
    dtype: FixedType, scale: Fraction, offset: Fraction, raw: int
) -> None:
    x = operand(dtype, [scale], [offset])
    assert x.meaning is not None
    value = raw * Fraction(2) ** -dtype.fractional
    assert x.meaning.rational(raw, 0) == scale * value + offset
    assert x.grid is not None
    assert (x.grid.scale[0], x.grid.offset[0]) == (scale, offset)
    assert (x.one_grid is not None) == (scale > 0)


def test_whether_elements_or_channels_share_a_line() -> None:
    one, four, twelve = (
        operand(FixedType(4, 4), [Fraction(1, i + 3) for i in range(n)], [Fraction(0)])
        for n in (1, 4, 12)
    )
    assert [x.one_for_all for x in (one, four, twelve)] == [True, False, False]
    assert [x.by_channel for x in (one, four, twelve)] == [True, True, False]
    assert [x.one_grid is None for x in (one, four, twelve)] == [False, True, True]


def test_a_curve_and_a_sum_of_several_values_have_no_line() -> None:
    line = operand(FixedType(4, 4), [Fraction(1, 3)], [Fraction(0)])
    assert line.meaning is not None
    curve = Operand(line.type, Function(line.meaning, "Tanh", {}))
    assert curve.grid is None
    assert curve.one_for_all
    several = Operand(line.type, None)
    assert several.grid is None
    assert not several.one_for_all
    assert not several.by_channel


def test_powers_of_two() -> None:
    powers = {Fraction(2) ** k for k in range(-9, 9)}
    tried = {Fraction(p, q) for p in range(-40, 41) for q in range(1, 41)}
    assert {x for x in tried if is_power_of_two(x)} == powers & tried
