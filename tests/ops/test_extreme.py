"""Max and Min: of two activations, and with a constant."""

import numpy as np
import pytest

from hwflow.ir.op import RefusedError
from hwflow.ir.tensor import TensorType
from hwflow.ops.clip import Clip
from hwflow.ops.maximum import Maximum
from hwflow.ops.minimum import Minimum
from tests.ops.chain import compute, convert, every_value, onnx_node
from tests.passes.graphs import X


@pytest.mark.parametrize(("op", "numpy"), [("Max", np.maximum), ("Min", np.minimum)])
def test_two_activations(op: str, numpy: np.ufunc) -> None:
    a, b = every_value(X, (3,), 1), every_value(X, (3,), 2)
    kind = {"Max": Maximum, "Min": Minimum}[op]()
    np.testing.assert_array_equal(compute([kind], a, b).values, numpy(a.values, b.values))


@pytest.mark.parametrize(("op", "numpy"), [("Max", np.maximum), ("Min", np.minimum)])
@pytest.mark.parametrize("bound", [0.0, -1.5, 2.0625, 100.0, -100.0])
def test_a_constant(op: str, numpy: np.ufunc, bound: float) -> None:
    x = every_value(X, (3,))
    ops = convert(onnx_node(op, [TensorType.full((3,), X), bound]))
    assert [type(o) for o in ops] == [Clip]
    np.testing.assert_array_equal(compute(ops, x).values, numpy(x.values, bound))


@pytest.mark.parametrize(
    ("op", "bound"), [("Max", np.zeros(3)), ("Min", np.zeros((1, 1, 1))), ("Max", 0.1**9)]
)
def test_other_constants_are_refused(op: str, bound: object) -> None:
    node = onnx_node(op, [TensorType.full((3,), X), np.asarray(bound)])
    with pytest.raises(RefusedError):
        convert(node)


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_a_bound_beyond_all_numbers_on_the_wrong_side_is_not_dropped(op: str) -> None:
    largest = float(np.finfo(np.float32).max) * (1 if op == "Max" else -1)
    try:
        kept = convert(onnx_node(op, [TensorType.full((3,), X), largest]))
    except RefusedError:
        kept = [Clip()]
    assert kept, "the constant always wins, so it cannot be left out"
    assert list(convert(onnx_node(op, [TensorType.full((3,), X), -largest]))) == []
