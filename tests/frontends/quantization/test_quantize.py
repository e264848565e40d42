"""Float models become QONNX models that the hardware computes exactly."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

import hwflow
from hwflow.frontends.quantization import Quantized, quantize
from hwflow.ir.qonnx.model import QONNX_DOMAIN
from tests.frontends.quantization.networks import NETWORKS, data, residual

ROOT = Path(__file__).parents[3]


def quantizers(found: Quantized) -> dict[str, tuple[np.ndarray, int, int]]:
    """Return scale, zero point and signedness of each quantiser, by the value it quantises."""
    proto = ir.to_proto(found.model.ir)
    constants = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    return {
        n.input[0]: (
            constants[n.input[1]],
            int(constants[n.input[2]]),
            next(a.i for a in n.attribute if a.name == "signed"),
        )
        for n in proto.graph.node
        if n.domain == QONNX_DOMAIN
    }


CASES: list[dict[str, Any]] = [
    {},
    {"per_channel": True, "scale": "pow2", "equalize": True},
    {"per_channel": True, "asymmetric": True, "bits": "w=4,a=5"},
]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("settings", CASES, ids=lambda s: "-".join(s) or "default")
def test_quantized_model_compiles_without_loss(network: str, settings: dict[str, Any]) -> None:
    x = data()
    found = quantize(NETWORKS[network](), x, **settings)
    verification = hwflow.compile(found.model).verify(x[:16], cpp=False)
    assert verification.lossless is not None
    assert verification.lossless.holds
    (output,) = found.cost.outputs
    assert output.sqnr_db is not None
    assert output.sqnr_db > (8 if "bits" in settings else 25)


def test_operands_of_a_sum_differ_by_a_power_of_two() -> None:
    found = quantize(residual(), data(), "w=8,a=6")
    proto = ir.to_proto(found.model.ir)
    sources = {n.output[0]: n.input[0] for n in proto.graph.node if n.op_type == "Quant"}
    (add,) = (n for n in proto.graph.node if n.op_type == "Add")
    a, b = (quantizers(found)[sources[i]][0] for i in add.input)
    assert np.frexp(np.float64(a) / np.float64(b))[0] == 0.5


def test_operands_of_a_concatenation_have_one_scale() -> None:
    found = quantize(NETWORKS["branches"](), data())
    proto = ir.to_proto(found.model.ir)
    sources = {n.output[0]: n.input[0] for n in proto.graph.node if n.op_type == "Quant"}
    (concat,) = (n for n in proto.graph.node if n.op_type == "Concat")
    parts = [quantizers(found)[sources[i]] for i in concat.input]
    assert parts[0][0] == parts[1][0]
    assert [p[2] for p in parts] == [0, 1]


def test_what_only_moves_values_stands_behind_the_quantiser() -> None:
    proto = ir.to_proto(quantize(residual(), data()).model.ir)
    (pool,) = (n for n in proto.graph.node if n.op_type == "MaxPool")
    makers = {n.output[0]: n.op_type for n in proto.graph.node}
    assert makers[pool.input[0]] == "Quant"
    assert makers[proto.graph.output[0].name] == "Gemm"


def test_zero_points_only_where_values_have_both_signs() -> None:
    found = quantizers(quantize(NETWORKS["branches"](), data(), asymmetric=True))
    assert found["x"][1] > 0
    assert any(zero == 0 and not signed for _, zero, signed in found.values())
    plain = quantizers(quantize(NETWORKS["branches"](), data()))
    assert all(zero == 0 for _, zero, _ in plain.values())


def test_powers_of_two() -> None:
    found = quantizers(quantize(residual(), data(), "w=5,a=5", scale="pow2", per_channel=True))
    assert all(np.all(np.frexp(scale)[0] == 0.5) for scale, _, _ in found.values())


def test_bits_of_single_layers() -> None:
    found = quantize(residual(), data(), {"w": 6, "a": 7, "gemm27.w": 3, "x.a": 9})
    names = [layer.name for layer in found.cost.layers]
    assert [layer.weight_bits for layer in found.cost.layers] == [
        3 if name == "gemm27" else 6 for name in names
    ]
    assert 3 in [layer.weight_bits for layer in found.cost.layers]
    assert [layer.input_bits for layer in found.cost.layers] == [9, 7, 7]


def test_same_result_twice_and_source_unchanged() -> None:
    proto = residual()
    before = proto.SerializeToString(deterministic=True)
    first, second = (quantize(proto, data(), "w=4,a=4") for _ in range(2))
    texts = [ir.to_proto(q.model.ir).SerializeToString(deterministic=True) for q in (first, second)]
    assert texts[0] == texts[1]
    assert first.cost == second.cost
    assert proto.SerializeToString(deterministic=True) == before


def test_labels_give_accuracies() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 80)
    found = quantize(residual(), {"x": data(), "y": labels})
    (output,) = found.cost.outputs
    assert output.accuracy is not None
    assert output.float_accuracy is not None
    assert (found.cost.calibration, found.cost.held_out) == (64, 16)


BAD: list[tuple[str, dict[str, Any]]] = [
    ("HW310", {"bits": "w=1"}),
    ("HW310", {"bits": "a=17"}),
    ("HW310", {"bits": "q=8"}),
    ("HW310", {"bits": "w"}),
    ("HW311", {"method": "best"}),
    ("HW311", {"scale": "half"}),
    ("HW312", {"bits": "conv99.w=4"}),
    ("HW314", {"data": data(9)}),
    ("HW401", {"data": {"z": data(), "w": data()}}),
    ("HW402", {"data": data().astype(complex)}),
    ("HW403", {"data": data()[:, :1]}),
    ("HW405", {"data": np.full((20, 2, 6, 6), np.nan, np.float32)}),
]


@pytest.mark.parametrize(("code", "wrong"), BAD, ids=lambda p: str(p)[:24])
def test_what_cannot_be_used_is_refused(code: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(hwflow.CompileError, match=code):
        quantize(residual(), **{"data": data(), **wrong})


def test_quantized_models_are_taken_as_they_are(tmp_path: Path) -> None:
    found = quantize(residual(), data())
    path = found.save(tmp_path / "model.qonnx.onnx")
    onnx.checker.check_model(onnx.load(path))
    again = quantize(path, data())
    before, after = (hwflow.compile(m).simulate(data()[:8]) for m in (path, again.model))
    assert np.array_equal(*(next(iter(s.outputs.values())) for s in (before, after)))


@pytest.mark.cpp
def test_digits_are_built_faithfully_and_without_loss(tmp_path: Path) -> None:
    found = quantize(
        ROOT / "examples" / "digits_float.onnx", ROOT / "examples" / "digits.npz", per_channel=True
    )
    path = found.save(tmp_path / "digits.qonnx.onnx")
    design = hwflow.compile(path, board="pynq-z2", io_type="io_stream")
    with np.load(ROOT / "examples" / "digits.npz") as file:
        verification = design.verify(file["x"][:64])
    assert verification.faithful is not None
    assert verification.faithful.holds
    assert verification.lossless is not None
    assert verification.lossless.holds
