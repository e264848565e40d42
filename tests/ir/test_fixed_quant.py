"""``FixedQuant`` as an ONNX function against ap_fixed's arithmetic."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.qonnx.fixed_quant import DOMAIN, OP, OVERFLOWS, Formats, function

SIZE = 40


def in_onnxruntime(
    x: np.ndarray, kif: list[np.ndarray], rounding: str, overflow: str
) -> np.ndarray:
    node = helper.make_node(
        OP, ["x", "k", "i", "f"], ["y"], domain=DOMAIN, rounding_mode=rounding,
        overflow_mode=overflow,
    )  # fmt: skip
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [info("x", TensorProto.FLOAT, ["b", SIZE])],
        [info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a.astype(np.float32), n) for a, n in zip(kif, "kif", strict=True)],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=imports, functions=[function()], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", list(Rounding))
def test_the_function_casts_as_ap_fixed_does(rounding: Rounding, overflow: Overflow) -> None:
    rng = np.random.default_rng(0)
    kif = [rng.integers(0, 2, SIZE), rng.integers(-2, 4, SIZE), rng.integers(-2, 5, SIZE)]
    x = (rng.integers(-300, 300, (400, SIZE)) / 32).astype(np.float32)
    formats = Formats.of(kif, rounding, overflow)
    expected = np.zeros(x.shape)
    for j, place in enumerate(formats.index):
        dtype = formats.types[place]
        if dtype is not None:
            expected[:, j] = quantize_values(x[:, j].astype(float), dtype) * dtype.step
    assert np.array_equal(in_onnxruntime(x, kif, rounding, overflow), expected)


def test_formats_of_no_bits_are_zero_and_equal_ones_are_one() -> None:
    formats = Formats.of(([1, 1, 0, 0], [2, 2, 1, -3], [3, 3, -1, 3]), Rounding.TRN, Overflow.SAT)
    assert set(formats.types) == {FixedType(6, 3, True, Rounding.TRN, Overflow.SAT), None}
    assert formats.index[0] == formats.index[1]
    assert formats.index[2] == formats.index[3]
    assert formats.uniform is None
    assert formats.fractional == 3


@pytest.mark.parametrize(
    ("k", "i", "f"), [(2, 1, 1), (1, 0.5, 1), (1, 60, 60), (1, np.nan, 1), (0, 500, -490)]
)
def test_what_is_no_format_is_said(k: float, i: float, f: float) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Formats.of((k, i, f), Rounding.RND, Overflow.WRAP)


def test_unknown_modes_are_said() -> None:
    parts = [np.ones(1)] * 3
    for modes in ({"rounding_mode": "RND"}, {"rounding_mode": "X", "overflow_mode": "WRAP"}):
        with pytest.raises(ValueError, match="_mode"):
            Formats.of_node(parts, modes)
