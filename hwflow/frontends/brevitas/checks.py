"""Holds an exported model against the Brevitas module that it came from.

What is known to go wrong in the exporter (Brevitas 0.13): weights that do not round to nearest,
activations of one bit, biases of a layer that is used on inputs of several scales.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer, origin, printable
from hwflow.ir.qonnx.nodes import InvalidQuantizerError, read_quantizer


def input_scales(module: Any, inputs: tuple[Any, ...]) -> dict[str, set[float]]:
    """Run the module once; return the scales that each layer's quantised input had.

    Weight quantisers that depend on their layer's input (A2Q) know its type after this run.
    """
    import torch

    scales: dict[str, set[float]] = {}

    def note(path: str, arguments: tuple[Any, ...]) -> None:
        scale = getattr(arguments[0], "scale", None) if arguments else None
        if scale is not None:
            scales.setdefault(path, set()).update(scale.flatten().tolist())

    hooks = []
    for path, part in module.named_modules():
        if hasattr(part, "cache_inference_quant_act"):
            part.cache_inference_quant_act = True
        hook = functools.partial(lambda name, _part, arguments: note(name, arguments), path)
        hooks.append(part.register_forward_pre_hook(hook))
    with torch.no_grad():
        module(*inputs)
    for hook in hooks:
        hook.remove()
    return scales


def ambiguous_biases(
    module: Any, scales: dict[str, set[float]], model: QonnxModel
) -> Iterator[Diagnostic]:
    """Yield layers called with inputs of several scales: the file has one bias scale for all."""
    for path, part in module.named_modules():
        needs_scale = getattr(getattr(part, "bias_quant", None), "requires_input_scale", False)
        if (
            needs_scale
            and getattr(part, "bias", None) is not None
            and len(scales.get(path, ())) > 1
        ):
            yield Diagnostic(
                code="HW026",
                title="a layer is used on inputs of different scales",
                where=f"{printable(path)}: {type(part).__name__}, in {model.source}",
                found="input scales " + ", ".join(f"{s:g}" for s in sorted(scales[path])),
                supported="one input scale for a layer whose bias is quantised by it",
                help="quantise its inputs by one shared quantiser, or use two layers",
            )


def unwritable(module: Any, name: str) -> Iterator[Diagnostic]:
    """Yield activations of one bit that the exporter writes as -1/+1 although they are not."""
    from brevitas.inject.enum import QuantType
    from brevitas.proxy import ActQuantProxyFromInjector

    for path, proxy in module.named_modules():
        if not isinstance(proxy, ActQuantProxyFromInjector) or not proxy.is_quant_enabled:
            continue
        width = proxy.bit_width()
        binary = getattr(proxy.quant_injector, "quant_type", None) == QuantType.BINARY
        if width is not None and float(width) == 1 and not binary:
            layer = path.rpartition(".")[0] or path
            yield Diagnostic(
                code="HW026",
                title="the exporter writes this activation of 1 bit as -1/+1",
                where=f"{layer}: {type(module.get_submodule(layer)).__name__}, in {name}",
                supported="activations of 2 bits or more, or binary (-1/+1) quantisers",
                help="train with bit_width=2, or with a binary activation quantiser",
            )


def take_weights(module: Any, model: QonnxModel) -> Iterator[Diagnostic]:
    """Write the module's own quantised weights into the model; yield those that do not fit."""
    layers = dict(module.named_modules())
    written = set()
    for node in model.ir.graph:
        if not is_quantizer(node) or "weight_quant" not in _scopes(node):
            continue
        name = origin(node)
        layer = layers.get(name)
        if layer is None or not hasattr(layer, "quant_weight") or node.inputs[0] is None:
            yield _mismatch(name, model, "no layer of this name has quantised weights")
            continue
        written.add(name)
        problem = _write(model, node, layer)
        if problem:
            yield _mismatch(name, model, problem)
    for name, layer in layers.items():
        enabled = getattr(getattr(layer, "weight_quant", None), "is_quant_enabled", False)
        if enabled and hasattr(layer, "quant_weight") and name not in written:
            yield _mismatch(name, model, "its weight quantiser is not in the exported file")


def _scopes(node: ir.Node) -> str:
    """Return the recorded scopes of a node of either exporter."""
    return (node.name or "") + node.metadata_props.get("pkg.torch.onnx.name_scopes", "")


def _write(model: QonnxModel, node: ir.Node, layer: Any) -> str:
    """Put a layer's quantised weights before its quantiser; return what does not fit, or nothing.

    A quantiser gives back values that are already on its grid, so the model then computes what the
    module does, whatever way the module's own quantiser rounds.
    """
    values = layer.quant_weight().value.detach().cpu().numpy().astype(np.float32)
    old = node.inputs[0]
    if old is None or old.const_value is None or tuple(old.const_value.shape) != values.shape:
        return f"the file has no weights of shape {values.shape}"
    if node.op_type != "FloatQuant":  # which the lowering refuses by its own message
        try:
            quantized = read_quantizer(node, model.where(node))(values.astype(np.float64))
            quantized = quantized.astype(np.float32)
        except InvalidQuantizerError as error:
            return error.diagnostics[0].title
        if not np.array_equal(quantized, values):
            count = int((quantized != values).sum())
            return f"{count} of {values.size} weights are not on the grid of the exported quantiser"
    if np.array_equal(old.const_value.numpy(), values):
        return ""
    name = f"{origin(node)}.weight" if len(old.uses()) == 1 else f"{node.outputs[0].name}_weight"
    tensor = ir.tensor(values, name=name)
    new = ir.Value(
        name=name,
        shape=ir.Shape(values.shape),
        type=ir.TensorType(tensor.dtype),
        const_value=tensor,
    )
    node.replace_input_with(0, new)
    if not old.uses():
        del model.ir.graph.initializers[old.name or ""]
    model.ir.graph.register_initializer(new)
    return ""


def _mismatch(name: str, model: QonnxModel, found: str) -> Diagnostic:
    return Diagnostic(
        code="HW026",
        title="the exported weights are not those of the module",
        where=f"{printable(name)}, in {model.source}",
        found=found,
        help="export the model to a file by hand and compare it with the module",
    )
