"""An operator with a scale is added by docs/adding-an-operator.md alone, and is lossless."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, parser

import hwflow
from hwflow.core.errors import CompileError
from hwflow.testing.operators.skeleton import write_skeleton
from tests.networks import DOMAIN, Builder
from tests.passes.scaled import quant

PAGE = (Path(__file__).parents[2] / "docs" / "adding-an-operator.md").read_text("utf-8")

SQUARE = """
<opset_import: ["" : 18], domain: "com.example">
Square (x) => (y) { y = Mul(x, x) }
"""

NAMES = ("Grid", "OnIntegers", "Operand", "Scaled")


def method() -> str:
    """Return the scale rule that the page shows."""
    section = PAGE[PAGE.index("## 5. Scales") :]
    (text,) = re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)
    return str(text)


def added(folder: Path, *, rule: bool) -> Path:
    """Return the module that the page leads to: what ``op new`` writes, with the rule in it."""
    module, *_ = write_skeleton("Square", folder)
    text = module.read_text("utf-8")
    if rule:
        assert all(f"`{name}`" in PAGE for name in NAMES)
        text = text.replace("    MAX_RAW_BITS,\n", f"    MAX_RAW_BITS, {', '.join(NAMES)},\n")
        text = text.replace("    def exact(self", f"{method()}\n    def exact(self", 1)
        module.write_text(text, "utf-8")
    return module


def model(scale: object, *, end: bool) -> onnx.ModelProto:
    """Return a quantised input, its squares, and perhaps a quantiser behind them."""
    b = Builder(np.random.default_rng(0))
    squared = b.node("Square", [quant(b, "x", scale)], "com.example")
    out = quant(b, squared, 0.23, 7) if end else squared
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        b.nodes, "squares", [info("x", TensorProto.FLOAT, (1, 4))],
        [info(out, TensorProto.FLOAT, (1, 4))], b.tensors,
    )  # fmt: skip
    opsets = [helper.make_opsetid(d, v) for d, v in (("", 18), (DOMAIN, 1), ("com.example", 1))]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    proto.functions.append(parser.parse_function(SQUARE))
    return proto


def rounded(x: Fraction, scale: Fraction, bits: int) -> Fraction:
    """Return a signed quantiser's result; Python rounds fractions half to even, as QONNX does."""
    level = min(max(round(x / scale), -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)
    return level * scale


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("scale", [0.3, [[0.3, 0.1, 0.7, 0.5]]])
def test_an_operator_with_a_scale_by_the_page_alone(
    tmp_path: Path, scale: object, end: bool
) -> None:
    design = hwflow.compile(model(scale, end=end), plugins=[added(tmp_path, rule=True)])
    x = np.random.default_rng(1).normal(size=(200, 4), scale=5).astype(np.float32)
    scales = np.broadcast_to(np.float32(scale).ravel(), 4)
    steps, last = [Fraction(float(s)) for s in scales], Fraction(float(np.float32(0.23)))
    squares = [
        [rounded(Fraction(v), s, 5) ** 2 for v, s in zip(row, steps, strict=True)]
        for row in x.tolist()
    ]
    if end:
        squares = [[rounded(v, last, 7) for v in row] for row in squares]
    (found,) = design.simulate(x).outputs.values()
    np.testing.assert_array_equal(found, np.array(squares, np.float64).astype(found.dtype))
    assert "Square" in {node.op.kind for node in design.graph.nodes}
    if end:
        check = design.verify(x, cpp=False).lossless
        assert check is not None
        assert check.holds, check.first


@pytest.mark.cpp
def test_its_cpp_computes_the_same_bits(tmp_path: Path) -> None:
    design = hwflow.compile(model(0.3, end=True), plugins=[added(tmp_path, rule=True)])
    x = np.random.default_rng(1).normal(size=(50, 4), scale=5).astype(np.float32)
    assert design.verify(x).faithful.holds


def test_without_the_rule_the_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as refusal:
        hwflow.compile(model(0.3, end=True), plugins=[added(tmp_path, rule=False)])
    assert [d.code for d in refusal.value.diagnostics] == ["HW213"]
