"""Converts the configuration of a Keras 3 model to a QONNX model: every call of every layer.

Nothing of Keras runs: a layer is known by its class name and where the class is from, or it is
refused. What else a configuration says (modules to import, functions, custom objects) is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.keras.arguments import check_settings
from hwflow.frontends.keras.convolutions import CONVOLUTIONS
from hwflow.frontends.keras.decoders import DECODERS
from hwflow.frontends.keras.layers import LAYERS, Convert
from hwflow.frontends.keras.model import (
    INSTEAD,
    MAKE_FUNCTIONAL,
    check_arguments,
    check_operands,
    named_outputs,
)
from hwflow.frontends.keras.moves import MOVES
from hwflow.frontends.keras.normalization import NORMALIZATION, rms_norm
from hwflow.frontends.keras.products import PRODUCTS
from hwflow.frontends.keras.recurrent import CELLS
from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.keras3.archive import DamagedError, Group, damaged
from hwflow.frontends.keras3.attention import ATTENTION, in_order
from hwflow.frontends.keras3.hgq import HGQ
from hwflow.frontends.keras3.layer import FileLayer
from hwflow.frontends.keras3.network import Call, Network, read_network
from hwflow.frontends.keras3.recurrent import HGQ_RECURRENT, bidirectional
from hwflow.frontends.onnx.reader import read_proto
from hwflow.ir.op import RefusedError
from hwflow.ir.qonnx.model import QonnxModel, printable

KERAS: dict[str, Convert] = {
    name: convert
    for name, convert in {
        **LAYERS,
        **CONVOLUTIONS,
        **MOVES,
        **NORMALIZATION,
        **CELLS,
        **PRODUCTS,
        **DECODERS,
    }.items()
    if not (name.startswith("Q") and name[1:2].isupper())
} | {"Bidirectional": bidirectional, "RMSNormalization": rms_norm}
"""Layers of Keras, by class name."""


def _difference(b: Writer, x: Tensor, number: float, first: bool) -> Tensor:
    return b.unary("Add", b.unary("Neg", x), number) if first else b.unary("Sub", x, number)


def _quotient(b: Writer, x: Tensor, number: float, first: bool) -> Tensor:
    if first or number == 0:
        raise b.refusal(
            "division by a value" if first else "division by zero",
            found=f"{number:g} / x" if first else "x / 0",
            supported="x / number, of a number that is not 0",
        )
    return b.unary("Div", x, number)


OPERATIONS: dict[str, Callable[[Writer, Tensor, float, bool], Tensor]] = {
    "Add": lambda b, x, number, first: b.unary("Add", x, number),
    "Subtract": _difference,
    "Multiply": lambda b, x, number, first: b.unary("Mul", x, number),
    "Divide": _quotient,
    "TrueDivide": _quotient,
    "Maximum": lambda b, x, number, first: b.clip(x, number, None),
    "Minimum": lambda b, x, number, first: b.clip(x, None, number),
}
"""Functions of ``keras.ops`` on two values, which ``a + b`` is, too: what they are of a value and
a number, and whether the number stands first."""

CAST = "Cast"
"""Function of ``keras.ops`` on one value; to float32, as every layer is that computes."""

MODELS = ("Functional", "Sequential")

HGQ_INSTEAD = {
    "QConv3D": "use QConv2D",
}  # fmt: skip
"""What to use instead of layers of HGQ that are not converted."""

Arrays = Mapping[str, Mapping[str, Any]]


def convert_config(
    config: dict[str, Any], group: Group, name: str, source: str, evaluated: Arrays
) -> QonnxModel:
    """Return a Keras 3 model as a QONNX model.

    Args:
        config: configuration of the model.
        group: its arrays.
        name: name of the graph.
        source: how diagnostics call it.
        evaluated: arrays by name, and functions that give the numbers of tables, by the layer that
            a live model has evaluated them for.

    Raises:
        CompileError: HW038, the file is damaged; HW284, the model has no graph of layers; HW280 to
            HW285, all layers and quantisers that cannot be converted exactly.
    """
    if config.get("class_name") not in MODELS:
        raise CompileError([_no_graph(config, source)])
    walk = _Walk(Writer(source), evaluated)
    try:
        network = read_network(config)
        inputs = [_input(walk.b, network.layers[k[0]], source) for k in network.inputs]
        results = walk.run(network, inputs, group, "")
    except DamagedError as error:
        raise damaged(source, str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise damaged(source, f"its configuration: {error!r}") from error
    if walk.findings:
        raise CompileError(walk.findings)
    names = [k[0] for k in network.outputs]
    outputs = named_outputs(walk.b, names, results, inputs)
    model = read_proto(walk.b.model(name, outputs), name, source)
    return replace(model, warnings=(*model.warnings, *walk.b.warnings))


class _Walk:
    """Visits the calls of the layers of a model and of the models in it."""

    def __init__(self, writer: Writer, evaluated: Arrays) -> None:
        self.b = writer
        self.evaluated = evaluated
        self.findings: list[Diagnostic] = []
        self.calls: dict[str, int] = {}

    def run(
        self, network: Network, inputs: list[Tensor], group: Group, prefix: str
    ) -> list[Tensor]:
        """Return the results of a model for its inputs."""
        kinds = [str(layer["class_name"]) for layer in network.layers.values()]
        groups = group.layers(kinds, list(network.layers))
        known = dict(zip(network.inputs, inputs, strict=True))
        for call in network.calls:
            layer = network.layers[call.layer]
            operands = [known[key] for key in call.inputs]
            results = self._call(call, layer, operands, groups[call.layer], prefix)
            known |= {(call.layer, call.number, n): t for n, t in enumerate(results)}
        return [known[key] for key in network.outputs]

    def _call(
        self, call: Call, config: dict[str, Any], x: list[Tensor], group: Group, prefix: str
    ) -> list[Tensor]:
        """Append one call of a layer; the walk ends after a refused one, once all are looked at."""
        path = prefix + call.layer
        count = self.calls[path] = self.calls.get(path, 0) + 1
        path = path if count == 1 else f"{path}_{count}"
        self.b.layer, self.b.kind = path, printable(str(config["class_name"]))
        refused = any(t.name == REFUSED for t in x)
        try:
            if config["class_name"] in MODELS:
                return self.run(read_network(config), x, group, f"{path}.")
            convert = None if is_operation(config) else converter(self.b, config)
            _check_call(self.b, call, config["config"])
            if refused:
                return [x[0]]
            if convert is None:
                return [_operation(self.b, call, x)]
            if config["class_name"] in ATTENTION:
                x = in_order(self.b, call.roles, x)
            else:
                check_operands(self.b, len(x))
            check_arguments(self.b, {str(k): v for k, v in call.others.items()})
            layer = FileLayer.of(str(config["class_name"]), config["config"], group)
            layer = layer.but(**self.evaluated.get(prefix + call.layer, {}))
            return [convert(self.b, layer, x)]
        except RefusedError as refusal:
            self.findings.append(refusal.diagnostic)
            return [Tensor(REFUSED, x[0].shape if x else ())]


REFUSED = "?"
"""Placeholder for the results of a layer that was refused; no value has this name."""


def converter(b: Writer, config: dict[str, Any]) -> Convert:
    """Return how a layer is converted.

    Raises:
        RefusedError: HW280, it is not known.
    """
    kind, module = str(config["class_name"]), str(config.get("module"))
    registered = config.get("registered_name")
    of_hgq = HGQ | ATTENTION | HGQ_RECURRENT
    if registered in (f"hgq>{kind}", f"hgq2>{kind}") and kind in of_hgq:
        check_settings(b, kind, config["config"])
        return of_hgq[kind]
    known = module in ("keras.layers", "keras.src.layers") and registered in (None, kind)
    if known and kind in KERAS:
        check_settings(b, kind, config["config"])
        return KERAS[kind]
    raise b.refusal(
        "layer that is not supported",
        code="HW280",
        found=f"{module}.{kind}",
        supported=f"{len(KERAS)} layers of Keras and {len(of_hgq)} of HGQ, see docs/hgq.md",
        help=HGQ_INSTEAD.get(kind) or INSTEAD.get(kind, "replace it in the model"),
    )


def is_operation(config: Mapping[str, Any]) -> bool:
    """Return whether a layer is a function of ``keras.ops``."""
    module, kind = str(config.get("module")), str(config["class_name"])
    return module.startswith("keras.src.ops.") and kind in (CAST, *OPERATIONS)


def _operation(b: Writer, call: Call, x: list[Tensor]) -> Tensor:
    """Append a function of ``keras.ops``: of two values, or of a value and a number."""
    if b.kind == CAST and len(x) == 1 and not call.others:
        return x[0]
    if len(x) == 2 and not call.others and b.kind in LAYERS:
        return LAYERS[b.kind](b, None, x)
    numbers = {"x1": 0, "x2": 1}
    given = {numbers.get(str(k), k): v for k, v in call.others.items()}
    if len(x) != 1 or len(given) != 1 or not _is_number(next(iter(given.values()))):
        raise b.refusal(
            "operation on other things than two values, or a value and a number",
            found=printable(str(list(call.others.values()))[:80]),
            supported="values of layers, and numbers",
        )
    ((place, number),) = given.items()
    return OPERATIONS[b.kind](b, x[0], float(number), place == 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_call(b: Writer, call: Call, settings: dict[str, Any]) -> None:
    """Refuse calls in training mode, and layers of other types than float32."""
    if call.training:
        raise b.refusal(
            "layer called in training mode",
            found="training=True",
            supported="inference",
            help="call it without training=True",
        )
    dtype = settings.get("dtype") or "float32"
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name", "float32")
    if dtype != "float32":
        raise b.refusal(
            "layer that does not compute in float32", found=str(dtype), supported="float32"
        )


def _input(b: Writer, layer: dict[str, Any], source: str) -> Tensor:
    """Return an input of the model.

    Raises:
        CompileError: HW014, an axis other than the batch is open.
    """
    settings = layer["config"]
    shape = tuple(settings.get("batch_shape") or settings.get("batch_input_shape"))[1:]
    name = str(settings["name"])
    if None in shape:
        finding = Diagnostic(
            code="HW014",
            title="an axis of an input has no fixed size",
            where=f"graph input {printable(name)!r}, in {source}",
            found=f"shape {(None, *shape)}",
            supported="only the first axis, the batch, may be open",
            help="give Input a shape without None",
        )
        raise CompileError([finding])
    if not all(isinstance(s, int) and 0 < s < 2**24 for s in shape):
        raise DamagedError(f"an input of shape {shape}")
    return b.input(name, shape, str(settings.get("dtype")))


def _no_graph(config: Mapping[str, Any], source: str) -> Diagnostic:
    return Diagnostic(
        code="HW284",
        title="the Keras model has no graph of layers",
        where=f"in {source}",
        found=printable(str(config.get("class_name"))),
        supported="functional models, and sequential ones with an Input layer",
        help="start it with Input(shape), or build it with model.build((None, ...))"
        if config.get("class_name") == "Sequential"
        else MAKE_FUNCTIONAL,
    )
