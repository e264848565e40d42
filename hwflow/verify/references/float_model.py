"""The float reference of a model: another model, that one's outputs, or the model unquantised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow import frontends
from hwflow.core.data import read_arrays
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer, printable
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.simulate.float32 import Reference
from hwflow.verify.references.unquantized import NoFloatReferenceError, remove_quantizers

Array = npt.NDArray[Any]

DATA_SUFFIXES = (".npz", ".npy")
"""Names of files that hold a float model's outputs."""


@dataclass(frozen=True, eq=False)
class FloatValues:
    """What the float reference gives.

    Attributes:
        reference: what it is.
        values: outputs, and values of quantisers that it has, by the quantised model's names.
    """

    reference: str
    values: Mapping[str, Array]


def float_values(
    given: Any, model: QonnxModel, data: Mapping[str, Array], quantized: Sequence[str]
) -> FloatValues:
    """Return the float reference's values.

    Args:
        given: what ``load`` takes, its outputs as arrays or in a data file, or None for the model
            itself without its quantisers.
        model: the quantised model, after ``clean_model``; it is not changed.
        data: for each of its inputs, batch first.
        quantized: values that quantisers give.

    Raises:
        CompileError: the float model cannot be read or run; HW407, it does not fit the model.
        NoFloatReferenceError: nothing is given and the model means nothing without quantisers.
    """
    outputs = [value.name or "" for value in model.ir.graph.outputs]
    if given is None:
        return _run_unquantized(clone(model), data, quantized)
    if isinstance(given, (np.ndarray, Mapping)) or _is_data_file(given):
        arrays, source = read_arrays(given)
        return FloatValues(f"outputs in {source}", _given_outputs(arrays, outputs, data, source))
    return _run_other(given, model, data, quantized)


def _run_unquantized(
    model: QonnxModel, data: Mapping[str, Array], quantized: Sequence[str]
) -> FloatValues:
    """Return the values of a model without its quantisers, which are taken out of it."""
    outputs = [value.name or "" for value in model.ir.graph.outputs]
    reference = remove_quantizers(model)
    try:
        values = Reference(infer_shapes(model)).run(data, quantized)
    except CompileError as error:
        raise NoFloatReferenceError(error.diagnostics[0].title) from error
    if not all(_finite(values[name]) for name in outputs):
        raise NoFloatReferenceError("without quantisers its outputs are not finite")
    return FloatValues(reference, {n: a for n, a in values.items() if _finite(a)})


def _finite(values: Array) -> bool:
    return values.dtype.kind in "iub" or bool(np.isfinite(values).all())


def _is_data_file(given: Any) -> bool:
    return isinstance(given, (str, Path)) and Path(given).suffix.lower() in DATA_SUFFIXES


def _given_outputs(
    arrays: Mapping[str, Array], outputs: Sequence[str], data: Mapping[str, Array], source: str
) -> dict[str, Array]:
    """Return outputs by name; a single one may have any name."""
    if len(outputs) == len(arrays) == 1:
        arrays = dict(zip(outputs, arrays.values(), strict=True))
    samples = len(next(iter(data.values())))
    absent = [name for name in outputs if name not in arrays]
    found = {name: arrays[name] for name in outputs if name in arrays}
    uneven = [
        n for n, a in found.items()
        if a.ndim == 0 or len(a) != samples or a.dtype.kind not in "fiub"
    ]  # fmt: skip
    if absent or uneven:
        shapes = (
            ", ".join(f"{printable(n)} {a.shape} {a.dtype}" for n, a in arrays.items()) or "nothing"
        )
        expected = ", ".join(map(printable, outputs))
        raise CompileError(
            [_misfit(source, shapes, f"{expected}: numbers, {samples} samples each")]
        )
    return found


def _run_other(
    given: Any, model: QonnxModel, data: Mapping[str, Array], quantized: Sequence[str]
) -> FloatValues:
    """Return the values of another model, matched by name, inputs and outputs else by position."""
    example = tuple(array[:1] for array in data.values())
    other = clean_model(clone(frontends.load(given, example)))
    findings = list(_unlike(other, model))
    if findings:
        raise CompileError(findings)
    inputs = _matched(other.ir.graph.inputs, model.ir.graph.inputs)
    outputs = _matched(other.ir.graph.outputs, model.ir.graph.outputs)
    values = _shared_values(infer_shapes(other), model, quantized)
    ran = Reference(other).run({o: data[m] for o, m in inputs.items()}, list(values.values()))
    found = {m: ran[o] for o, m in outputs.items()}
    return FloatValues(other.source, found | {q: ran[name] for q, name in values.items()})


def _matched(others: Sequence[ir.Value], own: Sequence[ir.Value]) -> dict[str, str]:
    """Return the model's name of each of the other's values."""
    theirs, names = ([v.name or "" for v in values] for values in (others, own))
    return dict(zip(theirs, theirs if set(theirs) == set(names) else names, strict=True))


def _unlike(other: QonnxModel, model: QonnxModel) -> Iterator[Diagnostic]:
    """Yield what keeps a model from being a float reference."""
    quantizers = sum(is_quantizer(node) or is_fixed_quant(node) for node in other.ir.graph)
    if quantizers:
        yield _misfit(other.source, f"{quantizers} quantisers", "a float model, without quantisers")
    for kind in ("inputs", "outputs"):
        theirs, own = (list(getattr(m.ir.graph, kind)) for m in (other, model))
        if len(theirs) != len(own):
            supported = f"{len(own)}, as in {model.source}"
            yield _misfit(other.source, f"{len(theirs)} {kind}", supported)


def _shared_values(
    other: QonnxModel, model: QonnxModel, quantized: Sequence[str]
) -> dict[str, str]:
    """Return the other model's value by the quantised value that it becomes.

    A value is known by the name that it has before its quantiser, or behind it. What a batch norm
    takes is left out: it may be part of the layer's weights in the quantised model.
    """
    theirs = {
        v.name: v
        for node in other.ir.graph
        for v in node.outputs
        if not any(use.node.op_type == "BatchNormalization" for use in v.uses())
    }
    found = {}
    for node in model.ir.graph:
        result, source = node.outputs[0].name, node.inputs[0] if node.inputs else None
        quantizes = is_quantizer(node) or is_fixed_quant(node)
        if quantizes and result in quantized and source is not None:
            name = next((n for n in (source.name, result) if n in theirs), None)
            if name is not None and result is not None:
                found[result] = name
    return found


def check_outputs(
    found: FloatValues, quantized: Mapping[str, Array], outputs: Sequence[str]
) -> None:
    """Make sure that the float reference's outputs are finite and as many as the model's.

    Raises:
        CompileError: HW407, they have not.
    """
    source = found.reference.removeprefix("outputs in ")
    findings = [
        _misfit(
            source,
            f"output {printable(name)!r} of shape {found.values[name].shape}",
            str(quantized[name].shape),
        )
        for name in outputs
        if found.values[name].size != quantized[name].size
    ] or [
        _misfit(source, f"output {printable(name)!r} has NaN or infinity", "numbers")
        for name in outputs
        if not _finite(found.values[name])
    ]
    if findings:
        raise CompileError(findings)


def _misfit(source: str, found: str, supported: str) -> Diagnostic:
    return Diagnostic(
        code="HW407",
        title="the float reference does not fit the model",
        where=f"in {source}",
        found=found,
        supported=supported,
        help="give the float model that was quantised, or its outputs for the same data, in .npz",
    )
