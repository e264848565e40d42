"""Sessions of ONNX Runtime: what an optimisation may fuse is computed as written where asked."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwflow.core.inference import open_session


def chain() -> bytes:
    """Return a model whose two steps ONNX Runtime's optimisations make one."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["y"]),
    ]
    weight = onnx.numpy_helper.from_array(np.eye(2, dtype=np.float32), "w")
    bias = onnx.numpy_helper.from_array(np.ones(2, np.float32), "b")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in "xy")
    graph = helper.make_graph(nodes, "chain", [x], [y], [weight, bias])
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


@pytest.mark.parametrize("optimised", [True, False])
def test_a_session_runs_on_the_cpu_and_takes_the_options(optimised: bool) -> None:
    session = open_session(chain(), optimised=optimised, threads=1)
    (y,) = session.run(["y"], {"x": np.array([[1, 2]], np.float32)})
    assert y.tolist() == [[2, 3]]
    assert session.get_providers() == ["CPUExecutionProvider"]
    options = session.get_session_options()
    level = options.graph_optimization_level.name
    assert level == ("ORT_ENABLE_ALL" if optimised else "ORT_DISABLE_ALL")
    assert options.intra_op_num_threads == 1


def test_what_is_refused_is_an_exception_and_no_line_of_a_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Exception, match=r"(?i)protobuf"):
        open_session(b"no model")
    assert capfd.readouterr().err == ""
