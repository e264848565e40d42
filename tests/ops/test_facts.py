"""What operators say about themselves, against what they compute on their examples."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Example, OnnxNode, Op
from hwflow.ops import facts_of, names_where, operators
from hwflow.ops.shared.constants import is_short

SAMPLES = 5

EXAMPLES = [
    pytest.param(example, id=f"{cls.__name__}-{example.name}")
    for cls in operators().values()
    for example in cls.examples()
    if cls.selects or cls.moves or cls.homogeneous or cls.ranks
]


def drawn(example: Example) -> Iterator[list[FixedArray]]:
    rng = np.random.default_rng(0)
    for _ in range(SAMPLES):
        yield [
            FixedArray(rng.integers(t.lo.min(), t.hi.max() + 1, (1, *t.shape)), t.dtype)
            for t in example.inputs
        ]


def reals(values: FixedArray) -> list[Fraction]:
    step = Fraction(2) ** -values.dtype.fractional
    return [raw * step for raw in values.raw.ravel().tolist()]


def numbered(example: Example) -> list[FixedArray]:
    """Return inputs of which no two elements are equal."""
    (x,) = example.inputs
    count = np.arange(x.size).reshape(1, *x.shape)
    return [FixedArray(count, FixedType(32, 32 - x.dtype.fractional))]


@pytest.mark.parametrize("example", EXAMPLES)
def test_facts_hold_on_examples(example: Example) -> None:
    op = replace(example.op, result_t=None, rectified=False)
    for inputs in drawn(example):
        result = op.compute(*inputs)
        if op.selects:
            assert set(reals(result)) <= {v for x in inputs for v in reals(x)}
        if op.homogeneous:
            tripled = [
                FixedArray(x.raw * 3, replace(x.dtype, width=x.dtype.width + 2,
                                              integer=x.dtype.integer + 2))
                for x in inputs
            ]  # fmt: skip
            assert reals(op.compute(*tripled)) == [3 * v for v in reals(result)]
        if op.ranks and getattr(op, "indices", False):
            shifted = [FixedArray(x.raw * 2 + 1, FixedType(40, 20)) for x in inputs]
            np.testing.assert_array_equal(op.compute(*shifted).raw, result.raw)
    if op.moves:
        (x,) = numbered(example)
        moved = op.compute(x).raw.ravel().tolist()
        assert len(set(moved)) == len(moved)
        assert not op.reorders or sorted(moved) == sorted(x.raw.ravel().tolist())


def test_facts_go_together() -> None:
    for cls in operators().values():
        assert cls.selects or not cls.moves
        assert cls.moves or not cls.reorders
        assert set(cls.functions) <= set(cls.onnx)
        assert set(cls.pairs) <= set(cls.functions)
        assert {*cls.pools, *cls.infinite} <= set(cls.onnx)


def test_short_constants_are_those_that_twelve_bits_hold() -> None:
    assert is_short(np.array([2047.0, -2048.0]))
    assert not is_short(np.array([2048.0, -1.0]))
    assert is_short(np.array([0.375, 100.0]))
    assert not is_short(np.array(0.1))


@pytest.mark.parametrize(
    ("name", "left", "right", "expected"),
    [
        ("Add", None, 0.3, True), ("Sub", 0.3, None, True), ("Mul", None, 0.3, True),
        ("Div", None, 0.3, True), ("Div", 0.3, None, False), ("Pow", None, 2.0, False),
        ("Add", None, None, False), ("Mul", None, None, False),
    ],
)  # fmt: skip
def test_lines_are_what_numpy_says(
    name: str, left: float | None, right: float | None, expected: bool
) -> None:
    from hwflow.ir.op import Constant

    functions = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide,
                 "Pow": np.power}  # fmt: skip
    operands = (left, right)
    x = np.array([1.0, 2.0, 3.0, 4.0])
    values = functions[name](*(x if v is None else v for v in operands))
    constants = tuple(None if v is None else Constant(np.array(v), False) for v in operands)
    line = bool(np.allclose(np.diff(values, 2), 0)) and None in operands and any(operands)
    assert line is expected
    cls = facts_of(ir.node(name, []))
    assert (
        cls.is_line(
            OnnxNode(op_type=name, attributes={}, inputs=constants, axes=(), output_shape=())
        )
        is expected
    )


def test_nodes_without_hardware_have_the_facts_of_what_they_become() -> None:
    assert facts_of(ir.node("Identity", [])).reorders
    assert facts_of(ir.node("Split", [])).moves
    assert facts_of(ir.node("LSTM", [])) is Op
    assert facts_of(ir.node("Quant", [], domain="qonnx.custom_op.general")) is Op
    assert "Transpose" in names_where(lambda cls: cls.reorders)
    known = {s.name for s in onnx.defs.get_all_schemas()}
    assert set(names_where(lambda cls: True)) <= known
