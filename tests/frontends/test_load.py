"""Dialects of QONNX are brought to one form, and what was given stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper
from tiny_models import QONNX, constant, model, node, quant

from hwflow.frontends import load
from hwflow.ir.qonnx.model import QonnxModel, constants, origin
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import fold_constants
from hwflow.passes.model.infer_shapes import infer_shapes

MODELS = Path(__file__).parents[1] / "models"


def passed(source: object) -> QonnxModel:
    return fold_constants(infer_shapes(clean_model(load(source))))


@pytest.mark.parametrize("op_type", ["Quant", "IntQuant"])
@pytest.mark.parametrize("domain", [QONNX, "finn.custom_op.general", "onnx.brevitas", "qonnx", ""])
def test_every_dialect_becomes_one(domain: str, op_type: str) -> None:
    (found,) = load(quant(domain=domain, op_type=op_type)).ir.graph
    assert (found.domain, found.op_type) == (QONNX, "Quant")


@pytest.mark.parametrize("batch", ["N", 0, 1, None])
def test_an_open_batch_becomes_one(batch: object) -> None:
    found = passed(quant(shape=(batch, 4)))
    shapes = [v.shape for v in (*found.ir.graph.inputs, *found.ir.graph.outputs)]
    assert shapes == [ir.Shape([1, 4]), ir.Shape([1, 4])]


def test_initializers_among_the_inputs_are_constants() -> None:
    proto = quant()
    for tensor in proto.graph.initializer:
        proto.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    assert [v.name for v in load(proto).ir.graph.inputs] == ["x"]


def test_nodes_are_sorted() -> None:
    proto = model([node("Relu", ["a"], "y"), node("Abs", ["x"], "a")])
    assert [n.op_type for n in load(proto).ir.graph] == ["Abs", "Relu"]


def test_functions_are_expanded_but_not_those_of_quantisers() -> None:
    proto = quant()
    body = [helper.make_node("Identity", ["a"], ["o"])]
    versions = [helper.make_opsetid("", 13)]
    proto.functions.append(
        helper.make_function(QONNX, "Quant", ["a", "s", "z", "b"], ["o"], body, versions)
    )
    proto.functions.append(
        helper.make_function(
            "mine", "Twice", ["a"], ["o"], [helper.make_node("Add", ["a", "a"], ["o"])], versions
        )
    )
    proto.opset_import.add(domain="mine", version=1)
    proto.graph.node.append(helper.make_node("Twice", ["y"], ["z2"], domain="mine"))
    proto.graph.output[0].name = "z2"
    assert [n.op_type for n in load(proto).ir.graph] == ["Quant", "Add"]


def test_sources_are_not_changed(tmp_path: Path) -> None:
    proto = quant(domain="onnx.brevitas", shape=("N", 4))
    before = proto.SerializeToString()
    passed(proto)
    assert proto.SerializeToString() == before
    own = ir.from_proto(proto)
    passed(own)
    assert [n.domain for n in own.graph] == ["onnx.brevitas"]
    path = tmp_path / "m.onnx"
    path.write_bytes(before)
    found = passed(path)
    assert (found.name, found.source) == ("m", "m.onnx")
    assert path.read_bytes() == before


def test_infinite_limits_of_clip_are_allowed() -> None:
    proto = model(
        [node("Clip", ["x", "lo", "hi"], "y")], [constant("lo", 0.0), constant("hi", np.inf)]
    )
    assert [n.op_type for n in passed(proto).ir.graph] == ["Clip"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dynamo_no_bias", ["quant_in", "fc1", "act", "act", "fc2"]),
        ("no_bias", ["quant_in", "fc1", "act", "act", "fc2"]),
        (
            "residual",
            ["quant_in", "stem", "relu", "relu", "left", "left_quant", "right", "right_quant",
             "Add", "out_quant", "flatten", "fc"],
        ),
        (
            "dynamo_conv",
            ["quant_in", "stem", "stem_relu", "stem_relu", "layer0", "layer1", "layer1", "layer2",
             "flatten", "fc"],
        ),
    ],
)  # fmt: skip
def test_layer_names_of_both_exporters(name: str, expected: list[str]) -> None:
    assert [origin(n) for n in passed(MODELS / f"{name}.onnx").ir.graph] == expected


@pytest.mark.parametrize(
    ("node_name", "parameter", "expected"),
    [
        ("/features/features.0/Conv", "w", "features.0"),
        ("/a/b/weight_quant/export_handler/Quant", "w", "a.b"),
        ("/Add_1", "w", "Add_1"),
        ("MatMul_3", "fc1.weight", "fc1"),
        ("MatMul_3", "w", "MatMul_3"),
        ("", "w", "MatMul_y"),
        ("/a\n; rm -rf/MatMul", "w", "a?; rm -rf"),
    ],
)
def test_origin(node_name: str, parameter: str, expected: str) -> None:
    proto = model([node("MatMul", ["x", parameter], "y")], [constant(parameter, np.ones((4, 2)))])
    proto.graph.node[0].name = node_name
    (found,) = load(proto).ir.graph
    assert origin(found) == expected


def test_hostile_scopes_are_ignored() -> None:
    proto = model([node("Relu", ["x"], "y")])
    proto.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes", value="[" * 10_000)
    (found,) = load(proto).ir.graph
    assert origin(found) == "n_y"


@pytest.mark.parametrize("name", sorted(p.stem for p in MODELS.glob("*.onnx")))
def test_stored_models_load_with_quantised_weights(name: str) -> None:
    found = passed(MODELS / f"{name}.onnx")
    assert not {n.op_type for n in found.ir.graph} & {"Constant", "Identity", "Transpose", "Shape"}
    weights = [c for c in constants(found).values() if c.values.ndim > 1 and c.values.size > 4]
    assert weights
    assert all(c.quantized for c in weights)


def test_element_types_that_are_not_read_are_refused() -> None:
    weights = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=[4], raw_data=bytes(8))
    proto = model([node("Add", ["x", "w"], "y")], [weights])
    assert isinstance(proto, onnx.ModelProto)
    with pytest.raises(Exception, match="HW015"):
        load(proto)
