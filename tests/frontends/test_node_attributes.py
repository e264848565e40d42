"""Attributes of ONNX nodes: all that ONNX defines are accounted for; unknown ones are refused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends.onnx.checks import OLDEST_OPSET
from hwflow.frontends.onnx.node_attributes import known_attributes
from hwflow.ir.op import Op
from hwflow.ops import by_onnx
from hwflow.passes.model.rewrites import REWRITINGS

STANDARD = sorted(
    {name for name in by_onnx() if "::" not in name and onnx.defs.has(name)} | REWRITINGS.keys()
)


def model(node: onnx.NodeProto, opset: int = 18) -> onnx.ModelProto:
    """Return a model of a node between two quantisers of 8 bits."""
    qonnx = "qonnx.custom_op.general"
    operands = ["s", "z", "b"]
    first = helper.make_node("Quant", ["x", *operands], ["a"], domain=qonnx)
    last = helper.make_node("Quant", ["c", *operands], ["y"], domain=qonnx)
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2, 4, 4]) for n in "xy"]
    constants = [
        numpy_helper.from_array(np.asarray(value, np.float32), name)
        for name, value in zip(operands, (0.125, 0, 8), strict=True)
    ]
    graph = helper.make_graph([first, node, last], "g", ports[:1], ports[1:], constants)
    versions = [helper.make_opsetid("", opset), helper.make_opsetid(qonnx, 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=8)


def oldest(name: str) -> object:
    """Return the definition of an operator in the oldest set that is read."""
    try:
        return onnx.defs.get_schema(name, OLDEST_OPSET)
    except onnx.defs.SchemaError:
        return None


@pytest.mark.parametrize("name", STANDARD)
def test_every_attribute_that_onnx_defines_is_accounted_for(name: str) -> None:
    defined = {
        attribute
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.name == name and schema.domain == ""
        for attribute in schema.attributes
        if schema.since_version >= OLDEST_OPSET
        or schema == onnx.defs.get_schema(name, OLDEST_OPSET)
    }
    assert defined <= (known_attributes(name) or frozenset())


def test_operators_know_attributes_of_nodes_that_they_claim() -> None:
    for cls in Op.registry.values():
        assert cls.attributes.keys() <= set(cls.onnx)
        assert all(cls.attributes.values())


def test_an_attribute_of_a_newer_operator_is_refused_by_name() -> None:
    node = helper.make_node("Relu", ["a"], ["c"], name="act", threshold=0.5)
    with pytest.raises(CompileError) as caught:
        hwflow.load(model(node))
    (found,) = caught.value.diagnostics
    assert (found.code, found.found) == ("HW034", "threshold = 0.5")
    assert found.where.startswith("act: Relu")
    del node.attribute[:]  # the help: export without it
    assert hwflow.compile(model(node)).graph.nodes


def test_a_default_that_is_written_out_is_none_to_refuse() -> None:
    node = helper.make_node(
        "BatchNormalization", ["a", "g", "o", "o", "g"], ["c"], momentum=0.5, spatial=1
    )
    proto = model(node, opset=8)
    assert not list(_unknown(proto, 8))
    assert list(_unknown(proto, 18))  # ONNX has no such attribute there any more


def _unknown(proto: onnx.ModelProto, opset: int) -> list[str]:
    from hwflow.frontends.onnx.node_attributes import check_known

    return [f.found for n in proto.graph.node for f in check_known(n, opset, "here")]


def test_a_quantiser_with_an_attribute_of_another_tool_is_refused() -> None:
    proto = model(helper.make_node("Relu", ["a"], ["c"]))
    proto.graph.node[0].attribute.append(helper.make_attribute("stochastic", 1))
    with pytest.raises(CompileError, match="stochastic = 1"):
        hwflow.load(proto)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_the_order_of_space_to_depth_is_read(mode: str) -> None:
    """Operator set 28 gave SpaceToDepth a mode; ONNX Runtime has no such set yet, so by hand."""
    node = helper.make_node("SpaceToDepth", ["a"], ["c"], blocksize=2, mode=mode)
    proto = model(node)
    proto.graph.output[0].type.tensor_type.shape.CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 2, 2]).type.tensor_type.shape
    )
    next(o for o in proto.opset_import if not o.domain).version = 28
    x = (np.arange(32).reshape(1, 2, 4, 4) / 8).astype(np.float32)
    (found,) = hwflow.compile(proto).simulate(x).outputs.values()
    blocks = x.reshape(2, 2, 2, 2, 2)  # channel, row, row in block, column, column in block
    order = (2, 4, 0, 1, 3) if mode == "DCR" else (0, 2, 4, 1, 3)
    assert np.array_equal(found[0], blocks.transpose(order).reshape(8, 2, 2))


def test_an_attribute_of_another_type_is_refused() -> None:
    node = helper.make_node("LeakyRelu", ["a"], ["c"], name="act", alpha=[0.5, 0.25])
    with pytest.raises(CompileError) as caught:
        hwflow.load(model(node))
    (found,) = caught.value.diagnostics
    assert (found.code, found.found, found.supported) == ("HW034", "alpha: FLOATS", "FLOAT")
