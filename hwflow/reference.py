"""Runs a QONNX model in float32 in stock ONNX Runtime: what the hardware is compared with.

Quantisers become functions in standard operators inside the model. Graph optimisation is off, since
it reorders float arithmetic (ONNX Runtime documentation, "Graph Optimizations").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnxruntime

from hwflow.errors import CompileError, Diagnostic
from hwflow.ir.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx import QonnxModel, is_quantizer, printable
from hwflow.ir.quantizer_functions import add_quantizer_functions

Array = npt.NDArray[Any]

_POINTWISE = frozenset(
    {
        "Abs", "Add", "Cast", "Ceil", "Clip", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu",
        "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mish",
        "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign",
        "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu",
    }
)  # fmt: skip
"""Operators that act on each element, operands broadcast against each other."""

_PER_SAMPLE = frozenset(
    {
        "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool",
        "GlobalMaxPool", "InstanceNormalization", "MaxPool",
    }
)  # fmt: skip
"""Operators for which the first axis is the batch by definition."""

_ALONG_AXIS = {"ArgMax": 0, "ArgMin": 0, "LogSoftmax": -1, "Softmax": -1, "TopK": -1}
"""Operators that work along one axis, with the axis where none is given (before opset 13 that of
softmax is 1, which is not the batch either)."""

_CHUNK = 256
"""Samples in one run: bounds the memory for intermediate values."""


class Reference:
    """A QONNX model that runs in ONNX Runtime, one session per set of values asked for."""

    def __init__(self, model: QonnxModel) -> None:
        """Prepare a model.

        Args:
            model: at the QONNX level; after ``infer_shapes`` batches are run at once where that
                provably gives the same, before it one sample at a time. It is not changed.
        """
        self._source = model.source
        self._proto = ir.to_proto(model.ir)
        self._shapes = {
            value.name or "": tuple(int(d) for d in value.shape.numpy()[1:])
            for value in model.ir.graph.inputs
            if value.shape is not None
        }
        self.batched = _batches(model.ir.graph)
        add_quantizer_functions(self._proto)
        if self.batched:
            _free_batch(self._proto)
        self._sessions: dict[tuple[str, ...], onnxruntime.InferenceSession] = {}

    def run(self, data: Mapping[str, Array], values: Sequence[str] = ()) -> dict[str, Array]:
        """Return graph outputs and other values for each sample.

        Args:
            data: for each graph input, its samples, batch axis first, ONNX order of axes.
            values: names of ONNX values to return as well.

        Returns:
            float32 (or what the graph computes), batch axis first, by value name.

        Raises:
            CompileError: HW401 or HW403, the data does not fit the inputs; HW033, ONNX Runtime
                refuses the model.
            KeyError: a value that no node computes is asked for.
        """
        feeds = self._feeds(data)
        session = self._session(tuple(dict.fromkeys(values)))
        names = [output.name for output in session.get_outputs()]
        size = len(next(iter(feeds.values())))
        step = _CHUNK if self.batched else 1
        parts: list[list[Array]] = []
        for start in range(0, size, step):
            chunk = {name: array[start : start + step] for name, array in feeds.items()}
            samples = min(step, size - start)
            parts.append([_per_sample(array, samples) for array in session.run(names, chunk)])
        return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}

    def _feeds(self, data: Mapping[str, Array]) -> dict[str, Array]:
        """Return the data in the element types of the inputs, shapes checked."""
        findings = list(self._misfits(data))
        if findings:
            raise CompileError(findings)
        types = {i.name: i.type.tensor_type.elem_type for i in self._proto.graph.input}
        return {
            name: np.ascontiguousarray(
                data[name], onnx.helper.tensor_dtype_to_np_dtype(types[name])
            )
            for name in self._shapes
        }

    def _misfits(self, data: Mapping[str, Array]) -> Iterator[Diagnostic]:
        """Yield what is wrong with the data."""
        where = f"in {self._source}"
        if set(data) != set(self._shapes):
            yield Diagnostic(
                code="HW401",
                title="the data does not name the inputs of the model",
                where=where,
                found=", ".join(map(printable, sorted(data))) or "nothing",
                supported=", ".join(map(printable, self._shapes)),
            )
            return
        sizes = {len(array) if np.ndim(array) else 0 for array in data.values()}
        for name, shape in self._shapes.items():
            found = np.shape(data[name])
            if found[1:] != shape or len(sizes) != 1 or not all(sizes):
                yield Diagnostic(
                    code="HW403",
                    title="the shape of the data does not fit the model",
                    where=f"graph input {printable(name)!r}, {where}",
                    found=str(found),
                    supported=f"(samples, {', '.join(map(str, shape))}), samples >= 1",
                )

    def _session(self, values: tuple[str, ...]) -> onnxruntime.InferenceSession:
        """Return the session that gives the outputs and ``values``."""
        if values not in self._sessions:
            self._sessions[values] = _start(self._proto, values, self._source)
        return self._sessions[values]


def _per_sample(array: Array, samples: int) -> Array:
    """Return a result with its batch axis; one that depends on no input is the same for all."""
    if array.shape[:1] == (samples,):
        return array
    return np.broadcast_to(array, (samples, *array.shape))


def _start(
    proto: onnx.ModelProto, values: tuple[str, ...], source: str
) -> onnxruntime.InferenceSession:
    """Start ONNX Runtime with more outputs than the model has."""
    own = len(proto.graph.output)
    known = {output.name for output in proto.graph.output}
    computed = {name for node in proto.graph.node for name in node.output}
    for name in values:
        if name not in computed | known:
            raise KeyError(name)
        if name not in known:
            proto.graph.output.add(name=name)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        finding = Diagnostic(
            code="HW033",
            title="ONNX Runtime cannot run the model",
            where=f"in {source}",
            found=printable(str(error)),
        )
        raise CompileError([finding]) from error
    finally:
        del proto.graph.output[own:]


def _batches(graph: ir.Graph) -> bool:
    """Return whether every node that depends on an input keeps the samples of a batch apart."""
    fixed = {value.name for value in graph.initializers.values()}
    for node in graph:
        if all(v is None or v.name in fixed for v in node.inputs):
            fixed |= {v.name for v in node.outputs}
        elif not _keeps_batch(node, fixed):
            return False
    return True


def _keeps_batch(node: ir.Node, fixed: Set[str | None]) -> bool:
    """Return whether a node provably treats each sample alone when the batch grows.

    Args:
        node: at least one of its operands depends on an input of the graph.
        fixed: names of the values that do not.

    Together with the same statement about the nodes before it: the first axis of each operand that
    is not constant is the batch, and so is the first axis of the result.
    """
    operands = [v for v in node.inputs if v is not None and v.name not in fixed]
    shapes = [_dims(v) for v in (*operands, *node.outputs)]
    if not operands or any(shape is None or shape[:1] != (1,) for shape in shapes):
        return False
    rank = len(shapes[0] or ())
    if (
        is_quantizer(node)
        or is_fixed_quant(node)
        or (not node.domain and node.op_type in _POINTWISE)
    ):
        return all(len(shape or ()) == rank for shape in shapes) and _constants_spread(
            node, fixed, rank
        )
    if node.domain or len(operands) != 1 or operands[0] is not node.inputs[0]:
        return node.op_type == "Concat" and not node.domain and _axis(node, rank, 0) != 0
    match node.op_type:
        case "Gemm":
            return not ("transA" in node.attributes and node.attributes["transA"].as_int())
        case "MatMul":
            return rank == 2 or (rank > 2 and len(_dims(node.inputs[1]) or ()) == 2)
        case "Flatten":
            return _axis(node, rank, 1) == 1
        case op_type if op_type in _ALONG_AXIS:
            return _axis(node, rank, _ALONG_AXIS[op_type]) != 0
        case "Transpose":
            return "perm" in node.attributes and node.attributes["perm"].as_ints()[0] == 0
        case "Reshape":
            target = node.inputs[1]
            has_values = target is not None and target.const_value is not None
            return has_values and 0 not in (_dims(node.outputs[0]) or ())
    return node.op_type in _PER_SAMPLE


def _dims(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return the static shape of a value, or None."""
    if value is None or value.shape is None or not all(isinstance(d, int) for d in value.shape):
        return None
    return tuple(int(d) for d in value.shape.numpy())


def _axis(node: ir.Node, rank: int, default: int) -> int:
    """Return the attribute ``axis``, counted from the front."""
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else default
    return axis % rank


def _constants_spread(node: ir.Node, fixed: Set[str | None], rank: int) -> bool:
    """Return whether no constant operand has an extent along the batch axis."""
    shapes = [_dims(v) for v in node.inputs if v is not None and v.name in fixed]
    return all(s is not None and (len(s) < rank or s[0] == 1) for s in shapes)


def _free_batch(proto: onnx.ModelProto) -> None:
    """Open the batch axis of a model whose nodes all keep the batch apart."""
    graph = proto.graph
    for value in graph.input:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]
    for output in graph.output:
        output.ClearField("type")
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Reshape" or node.domain:
            continue
        target = onnx.numpy_helper.to_array(constants[node.input[1]]).copy()
        target[0] = 0  # ONNX: take over this extent from the operand
        name = f"{node.input[1]}__batch_of_{node.output[0]}"
        graph.initializer.append(onnx.numpy_helper.from_array(target, name))
        node.input[1] = name
        del node.attribute[:]  # allowzero, which would give 0 its other meaning
