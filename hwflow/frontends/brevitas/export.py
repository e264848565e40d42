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

import onnx

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.machine import install_command
from hwflow.frontends.brevitas.checks import (
    ambiguous_biases,
    input_scales,
    take_weights,
    unwritable,
)
from hwflow.frontends.onnx.reader import read_proto
from hwflow.ir.qonnx import fixed_quant, lookup_dense
from hwflow.ir.qonnx.model import QonnxModel, printable
from hwflow.passes.model.clean_model import clean_model

_NEEDED = ("brevitas", "onnxoptimizer", "onnxscript")


def read_module(module: Any, example: Any) -> QonnxModel:
    """Export a torch module and make sure that the file computes what the module does.

    Args:
        module: a ``torch.nn.Module``; it is copied, and neither its mode nor its state changes.
        example: an input, or a tuple of inputs: tensors or arrays, batch axis first.

    Raises:
        CompileError: HW028, no example; HW035, a package is missing; HW027, the export fails;
            HW026, a layer cannot be written to QONNX exactly; and all that ``read_proto`` finds.
    """
    name = type(module).__name__
    missing = [package for package in _NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise _error(
            "HW035",
            "packages that the export of a torch module needs are missing",
            name,
            found=", ".join(missing),
            help=install_command("torch"),
        )
    if example is None:
        raise _error(
            "HW028",
            "an example input is needed to export a torch module",
            name,
            help="hwflow.load(module, example), with an example input of any batch",
        )
    own = copy.deepcopy(module).eval()
    own.register_forward_hook(lambda _module, _inputs, result: _plain(result))
    findings = list(unwritable(own, name))
    if findings:
        raise CompileError(findings)
    with _quiet():
        arguments = _arguments(own, example)
        proto = _export(own, arguments, name)
        scales = input_scales(own, arguments)
    model = clean_model(read_proto(proto, name))
    findings = [*take_weights(own, model), *ambiguous_biases(own, scales, model)]
    if findings:
        raise CompileError(findings)
    return model


def _error(code: str, title: str, where: str, found: str = "", help: str = "") -> CompileError:  # noqa: A002
    finding = Diagnostic(code=code, title=title, where=f"in {where}", found=found, help=help)
    return CompileError([finding])


def _arguments(module: Any, example: Any) -> tuple[Any, ...]:
    """Return the example as a tuple of tensors with a batch of one.

    Integers of 8 and 16 bits stay integers where the module takes them, since they say which
    numbers can occur; all else becomes float32.
    """
    import torch

    inputs = example if isinstance(example, tuple) else (example,)
    tensors = [torch.as_tensor(x)[:1].detach() for x in inputs]
    small = (torch.uint8, torch.int8, torch.uint16, torch.int16)
    own = tuple(x if x.dtype in small else x.float() for x in tensors)
    try:
        with torch.no_grad():
            copy.deepcopy(module)(*own)
    except (RuntimeError, TypeError, NotImplementedError):
        return tuple(x.float() for x in tensors)
    return own


def _plain(result: Any) -> Any:
    """Return what a module returns as tensors; a Brevitas ``QuantTensor`` also holds its scale."""
    from brevitas.quant_tensor import QuantTensor

    if isinstance(result, QuantTensor):
        return result.value
    if isinstance(result, (tuple, list)):
        return tuple(_plain(part) for part in result)
    return result


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
                return _defined(onnx.load(path))
            except CompileError:  # a layer of hwflow's own says what is wrong
                raise
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}".splitlines()[0])
    raise _error(
        "HW027",
        "the module cannot be exported to QONNX",
        name,
        found=printable(failures[0]),
        help="see whether module(example) runs, and whether brevitas.export.export_qonnx does",
    )


def _defined(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with the definitions of hwflow's own operators that it uses."""
    used = {node.op_type for node in proto.graph.node if node.domain == fixed_quant.DOMAIN}
    for operator in (fixed_quant, lookup_dense):
        if operator.OP in used:
            proto.functions.append(operator.function())
    return proto


def _input_names(module: Any, count: int) -> list[str]:
    """Return the names of the arguments of ``forward``, by which users know the inputs."""
    names = list(inspect.signature(module.forward).parameters)[:count]
    return names if len(names) == count else [f"input_{i}" for i in range(count)]


def _output_names(module: Any, inputs: tuple[Any, ...]) -> list[str]:
    """Return ``output``, or numbered names where the module returns several."""
    result = copy.deepcopy(module)(*inputs)
    if isinstance(result, tuple):
        return [f"output_{i}" for i in range(len(result))]
    return ["output"]


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
