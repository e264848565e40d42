"""Fixed-point arithmetic against rational numbers, against its own laws and against ap_fixed."""

import importlib.util
import subprocess
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hwflow.fixed import (
    FixedArray,
    FixedType,
    Overflow,
    Rounding,
    cast_raw,
    needed_fractional,
    overflow_raw,
    shift_round,
)
from hwflow.fixed.doubles import quantize_values
from tests.strategies import (
    cast_exactly,
    fixed_arrays,
    fixed_types,
    overflowed,
    real,
    rounded,
    roundings,
)


@given(fixed_arrays(), fixed_types())
def test_cast_is_the_cast_of_rational_numbers(x: FixedArray, to: FixedType) -> None:
    wanted = [cast_exactly(real(int(r), x.dtype), to) for r in x.raw]
    assert x.cast(to).raw.tolist() == wanted


@given(st.lists(st.integers(-(2**61), 2**61), min_size=1), st.integers(0, 80), roundings)
@example([2**61], 63, Rounding.RND)
def test_shift_round_is_rational_rounding(raw: list[int], bits: int, rounding: Rounding) -> None:
    wanted = [rounded(Fraction(r, 2**bits), rounding) for r in raw]
    assert shift_round(np.array(raw, np.int64), bits, rounding).tolist() == wanted


@given(st.lists(st.floats(-(2.0**60), 2.0**60), min_size=1), fixed_types())
@example([-0.49999999999999994], FixedType(4, 4, rounding=Rounding.RND_INF))
@example([-1.0, -(2.0**61) - 512], FixedType(62, 62))
def test_values_are_cast_like_rational_numbers(values: list[float], to: FixedType) -> None:
    wanted = [cast_exactly(Fraction(v), to) for v in values]
    assert quantize_values(np.array(values), to).tolist() == wanted


@given(fixed_arrays(), fixed_types())
def test_a_second_cast_changes_nothing(x: FixedArray, to: FixedType) -> None:
    once = x.cast(to)
    assert np.array_equal(once.cast(to).raw, once.raw)


@given(fixed_arrays(size=8), fixed_arrays(size=8), st.integers(1, 20))
def test_wrapping_sums_do_not_depend_on_when_they_wrap(
    x: FixedArray, y: FixedArray, width: int
) -> None:
    to = FixedType(width, width)
    n = min(x.raw.size, y.raw.size)
    a, b = x.raw[:n], y.raw[:n]
    late = overflow_raw(a + b, to)
    early = overflow_raw(overflow_raw(a, to) + overflow_raw(b, to), to)
    assert np.array_equal(late, early)


@given(fixed_arrays(), fixed_types())
def test_saturating_casts_are_monotone(x: FixedArray, to: FixedType) -> None:
    ordered = np.sort(x.raw)
    for overflow in (Overflow.SAT, Overflow.SAT_SYM):
        result = cast_raw(ordered, x.dtype.fractional, replace(to, overflow=overflow))
        assert (np.diff(result) >= 0).all()


@given(fixed_types())
def test_types_read_back_as_written(dtype: FixedType) -> None:
    assert FixedType.parse(str(dtype)) == dtype
    assert FixedType.parse(f"ap_{dtype}") == dtype


@pytest.mark.parametrize(
    "text", ["", "fixed", "fixed<8>", "fixed<8,4,>", "int<8,4>", "fixed<a,b>", "fixed<8,4,UP>"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not of the form|not a valid"):
        FixedType.parse(text)


@pytest.mark.parametrize("width", [0, -1, 63])
def test_widths_that_cannot_be_computed_are_refused(width: int) -> None:
    with pytest.raises(OverflowError, match="width"):
        FixedType(width, 0)


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**40), st.integers(-8, 8))
def test_covering_is_the_narrowest_type(lo: int, span: int, fractional: int) -> None:
    hi = lo + span
    dtype = FixedType.covering(lo, hi, fractional)
    assert dtype.fractional == fractional
    assert dtype.holds(lo, hi, fractional)
    assume(dtype.width > 1)
    narrower = FixedType(dtype.width - 1, dtype.width - 1 - fractional, dtype.signed)
    assert not narrower.holds(lo, hi, fractional)


@given(fixed_arrays())
def test_exactly_keeps_every_value(x: FixedArray) -> None:
    again = FixedArray.exactly(x.values)
    assert np.array_equal(again.values, x.values)
    assert again.dtype.fractional == needed_fractional(x.values)


@given(fixed_types(), st.integers(-(2**70), 2**70))
def test_overflow_follows_its_definition(to: FixedType, raw: int) -> None:
    assume(abs(raw) < 2**62)
    assert int(overflow_raw(np.array(raw), to)) == overflowed(raw, to)


def test_what_would_pass_63_bits_is_refused() -> None:
    wide = FixedArray(np.array([2**60]), FixedType(62, 62))
    with pytest.raises(OverflowError, match="63 bits"):
        wide.cast(FixedType(62, 50, overflow=Overflow.SAT_ZERO))


TYPES = ((5, 2), (3, 3), (4, 6), (3, -1), (1, 0), (1, 1))
SOURCES = (FixedType(7, 3), FixedType(7, 3, signed=False))


def _cpp_type(dtype: FixedType) -> str:
    name = "ap_fixed" if dtype.signed else "ap_ufixed"
    return f"{name}<{dtype.width},{dtype.integer},AP_{dtype.rounding},AP_{dtype.overflow},0>"


@pytest.mark.cpp
def test_every_mode_is_that_of_the_ap_fixed_headers(tmp_path: Path) -> None:
    """All values of two 7-bit types into 12 shapes of type, 7 roundings and 4 overflows."""
    found = importlib.util.find_spec("hls4ml")
    assert found is not None
    assert found.origin is not None
    headers = Path(found.origin).parent / "templates" / "vivado" / "ap_types"
    targets = [
        FixedType(*shape, signed, rounding, overflow)
        for shape, signed, rounding, overflow in product(TYPES, (True, False), Rounding, Overflow)
        if not (overflow is Overflow.SAT_SYM and signed and shape[0] == 1)
    ]
    calls = [f"  all<{_cpp_type(s)}, {_cpp_type(t)}>();" for s in SOURCES for t in targets]
    program = "\n".join(
        [
            "#include <cstdio>",
            '#include "ap_fixed.h"',
            "template <class S, class T> void all() {",
            "  for (int i = 0; i < 128; i++) {",
            "    S s; s.range() = i; T t = s;",
            '    std::printf("%.17g ", t.to_double());',
            "  }",
            '  std::printf("\\n");',
            "}",
            "int main() {",
            *calls,
            "}",
        ]
    )
    (tmp_path / "oracle.cpp").write_text(program)
    line = ["g++", "-std=c++17", "-O0", "-w", f"-I{headers}", "oracle.cpp", "-o", "oracle"]
    subprocess.run(line, cwd=tmp_path, check=True)
    result = subprocess.run(["./oracle"], cwd=tmp_path, check=True, capture_output=True, text=True)
    lines = iter(result.stdout.splitlines())
    for source, to in product(SOURCES, targets):
        raw = overflow_raw(np.arange(128), source)
        expected = np.array(next(lines).split(), np.float64)
        assert np.array_equal(FixedArray(raw, source).cast(to).values, expected), (source, to)
        assert np.array_equal(
            FixedArray(quantize_values(FixedArray(raw, source).values, to), to).values, expected
        ), (source, to)
