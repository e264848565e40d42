"""Live torch modules with Brevitas layers: exported to QONNX, then held against the module itself.

The exporter (Brevitas 0.13) writes raw weights and always ``rounding_mode="ROUND"``, which is wrong
without a word for every weight quantiser that rounds in another way. So the values of all weights
are taken from the module.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import inspect
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from hwflow.errors import CompileError, Diagnostic
from hwflow.frontends.qonnx import read_proto
from hwflow.ir.qonnx import QonnxModel, is_quantizer, origin, printable
from hwflow.ir.quantizer import InvalidQuantizerError, read_quantizer
from hwflow.passes.clean_model import clean_model

_NEEDED = ("brevitas", "onnxoptimizer", "onnxscript")


def read_module(module: Any, example: Any) -> QonnxModel:
    """Export a torch module and make sure that the file computes what the module does.

    Args:
        module: a ``torch.nn.Module``; it is copied, and neither its mode nor its state changes.
        example: an input, or a tuple of inputs: tensors or arrays, batch axis first.

    Raises:
        CompileError: HW028, no example, or a package is missing; HW027, the export fails; HW026,
            a layer cannot be written to QONNX exactly; and all that ``read_proto`` finds.
    """
    name = type(module).__name__
    missing = [package for package in _NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise _error(
            "HW028",
            "packages that the export of a torch module needs are missing",
            name,
            found=", ".join(missing),
            help="pip install 'hwflow[torch]'",
        )
    if example is None:
        raise _error(
            "HW028",
            "an example input is needed to export a torch module",
            name,
            help="hwflow.load(module, example), with an example input of any batch",
        )
    own = copy.deepcopy(module).eval()
    findings = list(_unwritable(own, name))
    if findings:
        raise CompileError(findings)
    with _quiet():
        proto = _export(own, _arguments(example), name)
        _remember_inputs(own, _arguments(example))
    model = clean_model(read_proto(proto, name))
    findings = list(_take_weights(own, model))
    if findings:
        raise CompileError(findings)
    return model


def _error(code: str, title: str, where: str, found: str = "", help: str = "") -> CompileError:  # noqa: A002
    finding = Diagnostic(code=code, title=title, where=f"in {where}", found=found, help=help)
    return CompileError([finding])


def _arguments(example: Any) -> tuple[Any, ...]:
    """Return the example as a tuple of float tensors with a batch of one."""
    import torch

    inputs = example if isinstance(example, tuple) else (example,)
    return tuple(torch.as_tensor(x)[:1].detach().float() for x in inputs)


def _export(module: Any, inputs: tuple[Any, ...], name: str) -> onnx.ModelProto:
    """Return the exported model; torch's older exporter keeps the names of layers, so it is first.

    Raises:
        CompileError: HW027, neither exporter succeeds.
    """
    import torch
    from brevitas.export import export_qonnx

    failures = []
    for dynamo in (False, True):
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            path = Path(folder) / "model.onnx"
            try:
                export_qonnx(
                    copy.deepcopy(module),
                    args=inputs,
                    export_path=str(path),
                    dynamo=dynamo,
                    input_names=_input_names(module, len(inputs)),
                    output_names=_output_names(module, inputs),
                )
                return onnx.load(path)
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}".splitlines()[0])
    raise _error(
        "HW027",
        "the module cannot be exported to QONNX",
        name,
        found=printable(failures[0]),
        help="see whether module(example) runs, and whether brevitas.export.export_qonnx does",
    )


def _input_names(module: Any, count: int) -> list[str]:
    """Return the names of the arguments of ``forward``, by which users know the inputs."""
    names = list(inspect.signature(module.forward).parameters)[:count]
    return names if len(names) == count else [f"input_{i}" for i in range(count)]


def _output_names(module: Any, inputs: tuple[Any, ...]) -> list[str]:
    """Return ``output``, or numbered names where the module returns several."""
    from torch import Tensor

    result = copy.deepcopy(module)(*inputs)
    if isinstance(result, Tensor) or not isinstance(result, (tuple, list)):
        return ["output"]
    if hasattr(result, "quant_type") or hasattr(result, "value"):  # Brevitas' QuantTensor
        return ["output"]
    return [f"output_{i}" for i in range(len(result))]


def _remember_inputs(module: Any, inputs: tuple[Any, ...]) -> None:
    """Run once so that weight quantisers that depend on their layer's input know its type."""
    import torch

    for part in module.modules():
        if hasattr(part, "cache_inference_quant_act"):
            part.cache_inference_quant_act = True
    with torch.no_grad():
        module(*inputs)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' progress reports and deprecation warnings from the user's screen."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def _unwritable(module: Any, name: str) -> Iterator[Diagnostic]:
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


def _take_weights(module: Any, model: QonnxModel) -> Iterator[Diagnostic]:
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
            again = read_quantizer(node, model.where(node))(values.astype(np.float64))
            again = again.astype(np.float32)
        except InvalidQuantizerError as error:
            return error.diagnostics[0].title
        if not np.array_equal(again, values):
            count = int((again != values).sum())
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
