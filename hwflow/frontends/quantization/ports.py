"""A quantiser at every input that needs one: on the grid of the data, or of 16 bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.frontends.quantization.insertion import insert_quantizer
from hwflow.frontends.quantization.ranges import Format
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer
from hwflow.ops import facts_of
from hwflow.passes.model.tails import REAL_TYPES
from hwflow.simulate.ports.proposal import propose

Array = npt.NDArray[Any]


def quantize_inputs(model: QonnxModel, parts: Sequence[Mapping[str, Array]]) -> None:
    """Change a model in place: inputs that functions read before a quantiser get one of their own.

    Integers and short binary fractions are kept as they are. Real numbers get 16 bits over the
    range of the data, which is finer than what any quantiser behind them keeps.

    Args:
        model: a model with its other quantisers.
        parts: data by input, all that is known of it.
    """
    for value in list(model.ir.graph.inputs):
        if value.const_value is not None or value.dtype not in REAL_TYPES or _closed(value):
            continue
        found = propose(part[value.name or ""] for part in parts)
        if found is None:
            continue  # beyond all fixed point: the build says so
        dtype = found.dtype
        form = Format(dtype.width, dtype.signed)
        uses = [(use.node, use.idx) for use in value.uses()]
        insert_quantizer(model, value, uses, form, np.float32(dtype.step))


def _closed(value: ir.Value) -> bool:
    """Return whether one quantiser alone reads a value, or the same value moved."""
    uses = list(value.uses())
    if not uses or value.is_graph_output():
        return not uses
    nodes = [use.node for use in uses]
    if len(nodes) == 1 and facts_of(nodes[0]).reorders:
        return _closed(nodes[0].outputs[0])
    return len(nodes) == 1 and is_quantizer(nodes[0])
