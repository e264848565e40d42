"""Products of activations and Einsum give what ONNX Runtime gives, with short numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import hwflow
from hwflow.core.errors import CompileError
from tests.networks import DOMAIN, Builder

Shape = tuple[int, ...]


def network(op: str, shapes: list[Shape], weight: Any = None, **attributes: Any) -> onnx.ModelProto:
    """Return a network of one node on whole numbers; a weight is its last operand."""
    b = Builder(np.random.default_rng(0))
    names = [f"x{i}" for i in range(len(shapes))]
    operands = [b.quant(name, 5, 1.0, signed=True) for name in names]
    if weight is not None:
        operands.append(b.quant(b.constant(weight), 5, 1.0, signed=True))
    b.nodes.append(helper.make_node(op, operands, ["y"], name="node", **attributes))
    info = helper.make_tensor_value_info
    inputs = [info(n, TensorProto.FLOAT, s) for n, s in zip(names, shapes, strict=True)]
    graph = helper.make_graph(
        b.nodes, "products", inputs, [info("y", TensorProto.FLOAT, None)], b.tensors
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def expected_of(op: str, operands: list[Any], **attributes: Any) -> Any:
    """Return what ONNX Runtime gives for one node."""
    info = helper.make_tensor_value_info
    names = [f"x{i}" for i in range(len(operands))]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)], "one",
        [info(n, TensorProto.FLOAT, x.shape) for n, x in zip(names, operands, strict=True)],
        [info("y", TensorProto.FLOAT, None)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, dict(zip(names, operands, strict=True)))[0]


def agrees(op: str, shapes: list[Shape], weight: Any = None, **attributes: Any) -> hwflow.Design:
    """Compare a network of one node with ONNX Runtime, sample by sample."""
    design = hwflow.compile(network(op, shapes, weight, **attributes))
    rng, samples = np.random.default_rng(1), 6
    data = {
        f"x{i}": rng.integers(-16, 16, (samples, *s[1:])).astype(np.float32)
        for i, s in enumerate(shapes)
    }
    rest = [] if weight is None else [weight]
    found = design.simulate(data).outputs["y"]
    for n in range(samples):
        each = [x[n : n + 1] for x in data.values()]
        wanted = expected_of(op, [*each, *rest], **attributes)
        np.testing.assert_array_equal(found[n].reshape(wanted.shape), wanted)
    return design


def weights(*shape: int) -> Any:
    return np.random.default_rng(2).integers(-8, 8, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 3, 4), (1, 4, 2)), ((1, 2, 3, 4), (1, 2, 4, 2)), ((1, 1, 3, 4), (1, 5, 4, 2)),
        ((1, 3, 1, 2, 4), (1, 1, 2, 4, 3)), ((1, 5, 1), (1, 1, 5)), ((1, 64, 8), (1, 8, 64)),
    ],
)  # fmt: skip
def test_products_of_two_activations(left: Shape, right: Shape) -> None:
    graph = agrees("MatMul", [left, right]).graph
    assert [n.op.kind for n in graph.nodes].count("MatMul") == 1


@pytest.mark.parametrize(
    ("x", "weight"),
    [((1, 3, 4), (1, 4, 5)), ((1, 3, 2, 4), (3, 4, 5)), ((1, 2, 3, 2, 4), (1, 2, 3, 4, 2))],
)
def test_constant_matrices_for_each_element_of_an_axis(x: Shape, weight: Shape) -> None:
    agrees("MatMul", [x], weights(*weight))


def test_many_constant_matrices_are_products_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwflow.passes.model.rewrites.batched_matrix.MAX_WHOLE", 0)
    graph = agrees("MatMul", [(1, 3, 2, 4)], weights(3, 4, 5)).graph
    assert [n.op.kind for n in graph.nodes].count("Dense") == 3


LETTERS = "bcdhijk"


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, list[Shape], Shape | None]:
    """Draw an equation of one or two operands, and shapes; the batch axis is ``b``."""
    sizes = {a: 1 if a == "b" else draw(st.integers(1, 3)) for a in LETTERS}
    some = st.permutations(LETTERS[1:]).map(lambda p: p[: draw(st.integers(1, 3))])
    first = "b" + "".join(draw(some))
    constant = draw(st.booleans())
    second = draw(st.sampled_from([None, "".join(draw(some))]))
    if second is not None and not constant:
        second = "b" + second
    letters = sorted(set(first + (second or "")) - {"b"})
    kept = draw(st.permutations(letters)) if letters else []
    result = "b" + "".join(kept[: draw(st.integers(0, len(kept)))])

    def shape(of: str) -> Shape:
        return tuple(sizes[a] for a in of)

    equation = ",".join(filter(None, (first, second))) + "->" + result
    if second is None:
        return equation, [shape(first)], None
    if constant:
        return equation, [shape(first)], shape(second)
    return equation, [shape(first), shape(second)], None


@settings(max_examples=15, deadline=None)
@given(drawn=equations())
def test_any_equation_of_up_to_two_operands(drawn: tuple[str, list[Shape], Shape | None]) -> None:
    equation, shapes, weight = drawn
    agrees("Einsum", shapes, None if weight is None else weights(*weight), equation=equation)


@pytest.mark.parametrize(
    ("equation", "shapes", "weight"),
    [
        ("...i,ij->...j", [(1, 2, 3)], (3, 4)), ("bi...,bij->b...j", [(1, 2, 3), (1, 2, 2)], None),
        ("bij, jk", [(1, 2, 3)], (3, 2)), ("bhqk,bkhd->bqhd", [(1, 2, 3, 4), (1, 4, 2, 3)], None),
    ],
)  # fmt: skip
def test_equations_with_dots_or_without_a_result(
    equation: str, shapes: list[Shape], weight: Shape | None
) -> None:
    agrees("Einsum", shapes, None if weight is None else weights(*weight), equation=equation)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [("bii->bi", [(1, 3, 3)]), ("bi,bj,bk->bijk", [(1, 2)] * 3), ("bi,bj->ibj", [(1, 2)] * 2)],
)
def test_other_equations_are_refused_with_the_reason(equation: str, shapes: list[Shape]) -> None:
    with pytest.raises(CompileError) as refused:
        hwflow.compile(network("Einsum", shapes, equation=equation))
    (finding,) = refused.value.diagnostics
    assert finding.code == "HW210"
    assert equation in (finding.found or "")
