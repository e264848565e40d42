"""Operators of other domains than ONNX's: refused, and the help applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper

import hwflow
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.tflite.functions import functions
from hwflow.frontends.tflite.integers import (
    ADD_SHIFT,
    multiply_twice_rounded,
    quantize_multiplier,
)
from hwflow.ops.requantize import TFLITE
from hwflow.testing.operators.skeleton import write_skeleton
from tests.fixtures import model
from tests.networks import Builder

Tables = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
HALF_WAVE = "com.example"


def refusal(proto: onnx.ModelProto, **given: Any) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        hwflow.compile(proto, **given)
    (one,) = caught.value.diagnostics
    return one


def biased(own: bool) -> onnx.ModelProto:
    """A sum with HalfWave of a constant, or with the value of that."""
    b = Builder(np.random.default_rng(0))
    steps = np.array([[1.0, -2.0, 3.0, 0.0]])
    add = b.constant(steps if own else steps**2)
    if own:
        add = b.node("HalfWave", [add], HALF_WAVE)
    y = b.node("Add", [b.quant("x", 5, 0.25, signed=True), add])
    proto = model(b, b.quant(y, 6, 0.5, signed=True), (1, 4), (1, 4))
    proto.opset_import.append(helper.make_opsetid(HALF_WAVE, 1))
    return proto


def test_hw218_an_operator_of_a_plugin_on_constants(tmp_path: Path) -> None:
    write_skeleton("HalfWave", tmp_path)
    one = refusal(biased(own=True), plugins=[tmp_path / "half_wave.py"])
    assert one.code == "HW218"
    assert one.where.startswith("halfwave")
    assert one.help.startswith("replace it by its value")
    helped = hwflow.compile(biased(own=False))
    assert helped.verify(np.linspace(-4, 4, 40).reshape(10, 4), cpp=False).lossless.holds  # type: ignore[union-attr]


@pytest.mark.parametrize("op", ["Relu", "Identity", "Neg"])
def test_hw219_a_constant_output_is_one_finding_and_removing_it_helps(op: str) -> None:
    b = Builder(np.random.default_rng(0))
    proto = model(b, b.quant("x", 5, 0.25, signed=True), (1, 4), (1, 4))
    plain = onnx.ModelProto()
    plain.CopyFrom(proto)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([[1, -2]]), "two"))
    proto.graph.node.append(helper.make_node(op, ["two"], ["k"]))
    proto.graph.output.append(helper.make_tensor_value_info("k", 1, None))
    one = refusal(proto)
    assert (one.code, one.where.split(",")[0]) == ("HW219", "output 'k'")
    assert one.help.startswith("remove this output from the model")
    assert hwflow.compile(plain).graph.outputs


def quant_tensor(*constants: str) -> onnx.ModelProto:
    """A quantised value, and constants as outputs, as a QuantTensor is exported."""
    b = Builder(np.random.default_rng(0))
    proto = model(b, b.node("Relu", [b.quant("x", 5, 0.07, signed=True)]), (1, 4), (1, 4))
    for name in constants:
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([[0.07]]), name))
        proto.graph.output.append(helper.make_tensor_value_info(name, 1, (1, 1)))
    return proto


def two_outputs(extra: str) -> onnx.ModelProto:
    """A value, and as another output itself, a sum of it, that quantised, or the port."""
    b = Builder(np.random.default_rng(0))
    second = b.quant("x", 5, 0.07, signed=True)
    last = b.node("Relu", [second])
    if extra == "itself":
        second = b.node("Identity", [last])
    elif extra != "port":
        second = b.node("Add", [last, b.constant([0.5, 0.25, 0.75, 1.0])])
    if extra == "quantised":
        second = b.quant(second, 5, 0.11, signed=True)
    proto = model(b, last, (1, 4), (1, 4))
    proto.graph.output.append(helper.make_tensor_value_info(second, 1, (1, 4)))
    return proto


def test_hw219_constants_of_a_quant_tensor_are_one_finding() -> None:
    one = refusal(quant_tensor("scale", "zero_point", "bits"))
    assert one.code == "HW219"
    assert one.where.startswith("outputs 'scale', 'zero_point', 'bits', in ")
    assert one.found == "3 constants"
    assert "return_quant_tensor=False" in one.help
    assert hwflow.compile(quant_tensor()).graph.outputs


def test_hw219_says_what_an_output_is_and_removing_it_helps() -> None:
    proto = two_outputs("itself")
    one = refusal(proto)
    assert (one.code, one.found) == ("HW219", "the value of another output")
    assert one.help == "remove this output from the model"
    del proto.graph.output[1]
    design = hwflow.compile(proto)
    data = np.linspace(-2, 2, 40).reshape(10, 4)
    assert design.verify(data, cpp=False).lossless.holds  # type: ignore[union-attr]


@pytest.mark.parametrize("extra", ["port", "moved", "quantised"])
def test_each_output_has_a_layer_of_its_own(extra: str) -> None:
    design = hwflow.compile(two_outputs(extra))
    assert len({p.value for p in design.graph.outputs}) == 2
    assert not {p.value for p in design.graph.outputs} & {p.value for p in design.graph.inputs}
    data = np.linspace(-2, 2, 40).reshape(10, 4)
    assert design.verify(data, cpp=False).lossless.holds  # type: ignore[union-attr]


def summed(bits: int, tables: Tables) -> onnx.ModelProto:
    """TFLite's sum of two operands, with some tables of them."""
    b = Builder(np.random.default_rng(0))
    multiplier, shift = quantize_multiplier(2 * 0.05 / ((1 << ADD_SHIFT) * 0.07))
    operands = [b.quant(x, bits, 1.0, signed=True) for x in "ab"]
    operands += [b.constant(t, np.int64) for t in (*tables, [multiplier], [shift])]
    first = -(1 << bits - 1)
    out = b.node("Add", operands, TFLITE, first_a=first, first_b=first, zero_point=0,
                 minimum=-128, maximum=127)  # fmt: skip
    b.nodes[-1].name = "sum"
    proto = model(b, out, (1, 64), (1, 64))
    proto.graph.input[0].name = "a"
    proto.graph.input.append(helper.make_tensor_value_info("b", 1, (1, 64)))
    proto.opset_import.append(helper.make_opsetid(TFLITE, 1))
    proto.functions.extend(functions({"Add"}))
    return proto


def lines(bits: int) -> Tables:
    """The tables that TFLite makes of the scales 0.05 and 0.03."""
    whole = np.arange(-(1 << bits - 1), 1 << bits - 1) << ADD_SHIFT
    first, second = (
        multiply_twice_rounded(whole, *quantize_multiplier(s / 0.1)) for s in (0.05, 0.03)
    )
    return first, second


def bent(tables: Tables) -> Tables:
    """The first table with a dent: equal sums of two lines then have several results."""
    changed = tables[0].copy()
    changed[100] += 40 << ADD_SHIFT
    return changed, tables[1]


@pytest.mark.parametrize(
    ("bits", "tables", "says"),
    [(8, bent(lines(8)), "not lines"), (11, lines(11), "2048 and 2048 levels")],
)
def test_hw295_tables_that_are_not_tflites(bits: int, tables: Tables, says: str) -> None:
    """The help: convert again, by which the tables are those of two scales of 8 bits."""
    one = refusal(summed(bits, tables))
    assert (one.code, one.where.split(":")[0]) == ("HW295", "sum")
    assert says in one.found
    assert "8-bit" in one.supported or "convert" in one.help
    design = hwflow.compile(summed(8, lines(8)))
    rng = np.random.default_rng(0)
    data = {x: rng.integers(-128, 128, (50, 64)) for x in "ab"}
    assert design.verify(data, cpp=False).lossless.holds  # type: ignore[union-attr]
