"""Converts a live Keras model to a QONNX model: every call of every layer, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.keras.arguments import check_layer
from hwflow.frontends.keras.convolutions import CONVOLUTIONS
from hwflow.frontends.keras.decoders import DECODERS
from hwflow.frontends.keras.layers import LAYERS, Convert
from hwflow.frontends.keras.moves import MOVES
from hwflow.frontends.keras.normalization import NORMALIZATION
from hwflow.frontends.keras.products import PRODUCTS
from hwflow.frontends.keras.recurrent import RECURRENT
from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.tfmot import refuse_model
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.onnx.reader import read_proto
from hwflow.ir.op import RefusedError
from hwflow.ir.qonnx.model import QonnxModel, printable

CONVERTERS: dict[str, Convert] = {
    **LAYERS,
    **CONVOLUTIONS,
    **MOVES,
    **NORMALIZATION,
    **RECURRENT,
    **PRODUCTS,
    **DECODERS,
}
"""Every layer that is converted, by class name."""

INSTEAD = {
    "Lambda": "a function has no layer: write it with Keras' layers",
    "TFOpLambda": "write Add()([a, b]) instead of a + b, and layers instead of tf functions",
    "SlicingOpLambda": "use Cropping1D or Cropping2D instead of slices",
}
"""What to use instead of layers that people often meet."""

SEVERAL = (
    "Add",
    "Subtract",
    "Multiply",
    "Average",
    "AveragePow2",
    "Dot",
    "Einsum",
    "Maximum",
    "Minimum",
    "Concatenate",
)
"""Layers of several values, without the Q of quantised ones."""

_PACKAGES = ("keras.", "tf_keras.", "qkeras.", "tensorflow.python.keras.")


def convert_model(model: Any, name: str, source: str) -> QonnxModel:
    """Return a live Keras model as a QONNX model.

    Args:
        model: a built functional or sequential model; it stays as it is.
        name: name of the graph.
        source: how diagnostics call it.

    Raises:
        CompileError: HW284, the model has no graph; HW281 to HW283, all layers and quantisers
            that cannot be converted exactly.
    """
    refuse_model(model, source)
    if not getattr(model, "_nodes_by_depth", None) or not getattr(model, "outputs", None):
        raise CompileError([_no_graph(model, source)])
    walk = _Walk(Writer(source))
    names = [str(n) for n in model.input_names]
    ports = [Tensor(n, _shape(t)) for n, t in zip(names, model.inputs, strict=True)]
    open_axes = [t for t in ports if None in t.shape]
    if open_axes:
        raise CompileError([_open_axis(t, source) for t in open_axes])
    inputs = [
        walk.b.input(port.name, port.shape, _dtype(tensor))
        for port, tensor in zip(ports, model.inputs, strict=True)
    ]
    results = walk.run(model, inputs, prefix="")
    if walk.findings:
        raise CompileError(walk.findings)
    outputs = named_outputs(walk.b, [str(n) for n in model.output_names], results, inputs)
    proto = walk.b.model(name, outputs)
    return read_proto(proto, name, source)


class _Walk:
    """Visits the calls of the layers of a model and of the models in it."""

    def __init__(self, writer: Writer) -> None:
        self.b = writer
        self.findings: list[Diagnostic] = []
        self.calls: dict[str, int] = {}

    def run(self, model: Any, inputs: list[Tensor], prefix: str) -> list[Tensor]:
        """Return the results of a model for its inputs."""
        known = {id(t): v for t, v in zip(model.inputs, inputs, strict=True)}
        for node in _calls(model):
            layer = node.layer
            operands = [known[id(t)] for t in node.keras_inputs]
            results = self._call(node, layer, operands, prefix + str(layer.name))
            for tensor, result in zip(_listed(node.outputs), results, strict=True):
                known[id(tensor)] = result
        return [known[id(t)] for t in model.outputs]

    def _call(self, node: Any, layer: Any, operands: list[Tensor], path: str) -> list[Tensor]:
        """Append one call of a layer; a refused one gives values to go on with."""
        count = self.calls[path] = self.calls.get(path, 0) + 1
        path = path if count == 1 else f"{path}_{count}"
        self.b.layer, self.b.kind = path, type(layer).__name__
        try:
            _check_call(self.b, node, layer)
            if getattr(layer, "_nodes_by_depth", None) and getattr(layer, "outputs", None):
                return self.run(layer, operands, f"{path}.")
            convert = _converter(self.b, layer)
            check_operands(self.b, len(operands))
            return [convert(self.b, layer, operands)]
        except RefusedError as refusal:
            self.findings.append(refusal.diagnostic)
            return [Tensor("refused", _shape(t)) for t in _listed(node.outputs)]


def _calls(model: Any) -> Iterator[Any]:
    """Yield the nodes of a model's graph in order, inputs left out."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from (n for n in model._nodes_by_depth[depth] if not n.is_input)


def _converter(b: Writer, layer: Any) -> Convert:
    """Return how a layer is converted: by its class, or by one that it inherits ``call`` from."""
    for cls in type(layer).__mro__:
        name = cls.__name__
        if name in CONVERTERS and cls.__module__.startswith(_PACKAGES):
            if getattr(cls, "call", None) is getattr(type(layer), "call", None):
                check_layer(b, layer, name)
                return CONVERTERS[name]
            break
    kind = type(layer).__name__
    raise b.refusal(
        "layer that is not supported",
        code="HW280",
        found=f"{type(layer).__module__}.{kind}",
        supported=f"{len(CONVERTERS)} layers, listed in docs/keras.md",
        help=INSTEAD.get(kind, "replace it in the model"),
    )


def check_operands(b: Writer, count: int) -> None:
    """Refuse several operands of a layer that takes one: a mask, for one.

    Raises:
        RefusedError: HW281.
    """
    if count > 1 and b.kind.removeprefix("Q") not in SEVERAL:
        raise b.refusal(
            "call with more than one value",
            found=f"{count} values",
            supported="one",
            help="call it without a mask",
        )


def check_arguments(b: Writer, given: Mapping[str, Any]) -> None:
    """Refuse a call with arguments that say something.

    Args:
        b: for messages.
        given: arguments beside the operands, by name or position.

    Raises:
        RefusedError: HW281.
    """
    for name, value in given.items():
        if value is not None and value is not False:
            raise b.refusal(
                "call with an argument that is not known",
                found=printable(f"{name} = {value!r}"[:80]),
                help="call the layer without it",
            )


def _check_call(b: Writer, node: Any, layer: Any) -> None:
    """Refuse calls in training mode or with other arguments, and other types than float32."""
    training = (node.call_kwargs or {}).get("training")
    if isinstance(training, (bool, int)) and training:
        raise b.refusal(
            "layer called in training mode",
            found="training=True",
            supported="inference",
            help="call it without training=True",
        )
    operands = {id(t) for t in node.keras_inputs}
    positional = {f"argument {i}": v for i, v in enumerate(node.call_args or ()) if i}
    given = {**positional, **(node.call_kwargs or {})}
    check_arguments(b, {k: v for k, v in given.items() if id(v) not in operands})
    dtype = getattr(layer, "compute_dtype", None) or "float32"
    if dtype != "float32":
        raise b.refusal(
            "layer that does not compute in float32", found=str(dtype), supported="float32"
        )


def named_outputs(
    b: Writer, names: list[str], results: list[Tensor], inputs: list[Tensor]
) -> list[str]:
    """Give the results the names of the model's outputs, and Keras' order of axes."""
    found: list[str] = []
    for name, result in zip(names, results, strict=True):
        b.layer = name
        value = b.keras(result).name
        if value in found or value in {t.name for t in inputs}:
            found.append(b.node("Identity", [value]))
        else:
            found.append(b.rename(value, name))
    return found


def _listed(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.shape)[1:]


def _dtype(tensor: Any) -> str:
    """Return the element type of an input by name."""
    return str(getattr(tensor.dtype, "name", tensor.dtype))


MAKE_FUNCTIONAL = (
    "make it functional: x = keras.Input(shape), then keras.Model(x, model.call(x)), which keeps "
    "the layers and their weights; or convert it to int8 TFLite"
)
"""The way out of a model with a call method of its own."""


def _no_graph(model: Any, source: str) -> Diagnostic:
    """Return the finding about a model without a graph: of a class of its own, or not built."""
    sequential = type(model).__name__ == "Sequential"
    return Diagnostic(
        code="HW284",
        title="the Keras model has no graph of layers",
        where=f"in {source}",
        found=f"{printable(type(model).__name__)}, "
        + ("not built" if sequential else "with a call method of its own"),
        supported="functional models, and sequential ones with an Input layer",
        help="start it with Input(shape), or build it with model.build((None, ...))"
        if sequential
        else MAKE_FUNCTIONAL,
    )


def _open_axis(tensor: Tensor, source: str) -> Diagnostic:
    return Diagnostic(
        code="HW014",
        title="an axis of an input has no fixed size",
        where=f"graph input {printable(tensor.name)!r}, in {source}",
        found=f"shape {(None, *tensor.shape)}",
        supported="only the first axis, the batch, may be open",
        help="give Input a shape without None",
    )
