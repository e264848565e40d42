"""The contract of a golden model says enough to use it with numpy and ONNX Runtime alone."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import hwflow
from hwflow.codegen.golden.contract import CONTRACT, observed_model
from hwflow.codegen.golden.model import golden_model
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.verify.comparison import full_simulation
from tests.floats import float_network

EXAMPLES = Path(__file__).parents[2] / "examples"

SEEDS = (0, 1, 3, 7, 10, 12, 15, 16, 25, 27, 31, 42)
"""Networks with all roundings, scales for channels and zero points at their ports."""

ROUND = {
    "ROUND": np.rint, "FLOOR": np.floor, "CEIL": np.ceil, "DOWN": np.trunc,
    "UP": lambda v: np.copysign(np.ceil(np.abs(v)), v),
    "HALF_UP": lambda v: np.copysign(np.floor(np.abs(v)) + (np.abs(v) % 1 >= 0.5), v),
    "HALF_DOWN": lambda v: np.copysign(np.floor(np.abs(v)) + (np.abs(v) % 1 > 0.5), v),
}  # fmt: skip


def contract_of(content: bytes) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(content)
    found: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map[CONTRACT])
    return found


def entering(port: dict[str, Any], real: np.ndarray) -> np.ndarray:
    q = port["quantize"]
    if q is None:
        return real
    scale, zero = (np.asarray(q[key], np.float64) for key in ("scale", "zero_point"))
    if q["rounding"] == "SIGN":
        return np.where(real + zero * scale >= 0, 1.0, -1.0) - zero
    clamped = np.clip(real / scale + zero, q["minimum"], q["maximum"])
    return np.asarray(ROUND[q["rounding"]](clamped) - zero)


def leaving(port: dict[str, Any], found: np.ndarray) -> np.ndarray:
    if port["real"]:
        return found.astype(np.float64)
    scale, offset = (np.vectorize(Fraction)(port["exact"][key]) for key in ("scale", "offset"))
    return np.asarray((scale * found.astype(int) + offset).astype(np.float64))


def by_contract(content: bytes, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the outputs, from nothing but the file."""
    contract = contract_of(content)
    feeds = {p["name"]: entering(p, data[p["name"]]) for p in contract["inputs"]}
    session = onnxruntime.InferenceSession(content)
    found = session.run(None, {name: array.astype(np.float32) for name, array in feeds.items()})
    return {p["name"]: leaving(p, v) for p, v in zip(contract["outputs"], found, strict=True)}


def real_data(design: hwflow.Design, seed: int) -> dict[str, np.ndarray]:
    """Return float32 numbers around zero, among them ties and what lies far outside."""
    rng = np.random.default_rng(seed)
    found = {}
    for port in design.graph.inputs:
        shape = design.graph.types[port.value].shape
        order = [shape[i] for i in np.argsort(port.axes)]
        values = rng.normal(0, 2, (64, *order))
        values[:16] = np.rint(values[:16] * 8) / 16
        values[16] *= 1e6
        found[port.name] = values.astype(np.float32)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_numpy_and_the_contract_give_the_numbers_of_the_simulation(seed: int) -> None:
    design = hwflow.compile(float_network(seed))
    data = real_data(design, seed)
    found = by_contract(golden_model(design.graph).SerializeToString(), data)
    expected = design.simulate(data).outputs
    for name in expected:
        np.testing.assert_array_equal(found[name].reshape(expected[name].shape), expected[name])


def test_data_gives_the_contract_observed_ranges_and_nothing_else(tmp_path: Path) -> None:
    design = hwflow.compile(EXAMPLES / "digits_mlp.onnx")
    images = np.load(EXAMPLES / "digits.npz")["x"][:50]
    verification = design.verify(images, cpp=False)
    design.write(tmp_path / "project", verification)
    content = (tmp_path / "project" / "model.hw.onnx").read_bytes()
    counters = verification.simulation.counters
    observed = {name: counted.observed for name, counted in counters.items()}
    assert content == observed_model(design.golden.content or b"", observed)
    contract, bare = contract_of(content), contract_of(design.golden.content or b"")
    kept = full_simulation(design.graph, {design.graph.inputs[0].name: images}).layers
    for name, layer in contract["layers"].items():
        raw = kept[name].raw
        assert layer["observed"] == [raw.min(), raw.max()]
        assert layer["proven"][0] <= raw.min() <= raw.max() <= layer["proven"][1]
        assert bare["layers"][name] == {**layer, "observed": None}
    ours, theirs = onnx.load_from_string(content), onnx.load_from_string(design.golden.content)
    assert (ours.graph, list(ours.functions)) == (theirs.graph, list(theirs.functions))


def test_scales_of_channels_broadcast_to_the_ports_tensor() -> None:
    design = hwflow.compile(EXAMPLES / "digits_residual.onnx")
    contract = contract_of(design.golden.content or b"")
    (logits,) = contract["outputs"]
    assert np.shape(logits["scale"]) == np.shape(logits["exact"]["offset"]) == (10,)
    conv = contract["layers"]["conv1"]
    assert np.shape(conv["scale"]) == (conv["shape"][-1],)
    nearest = [float(Fraction(text)) for text in logits["exact"]["scale"]]
    assert nearest == logits["scale"]


@pytest.mark.parametrize(
    ("kind", "zero", "expected"),
    [
        ("Quant", 0.0, "floor(clamp(x / scale, -4, 3))"),
        ("Quant", 2.0, "floor(clamp(x / scale + 2, -4, 3)) - 2"),
        ("BipolarQuant", 0.0, "+1 where x >= 0, else -1"),
    ],
)
def test_the_formula_of_a_quantiser_is_what_it_computes(
    kind: str, zero: float, expected: str
) -> None:
    bits = 1 if kind == "BipolarQuant" else 3
    quantizer = Quantizer(
        kind=kind, scale=np.array(0.3), zero_point=np.array(zero), bit_width=bits, signed=True,
        narrow=False, rounding="FLOOR",
    )  # fmt: skip
    assert quantizer.formula == expected
