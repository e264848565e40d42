"""What lowering refuses, said so that the user can act: nodes, and outputs of the model."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.qonnx.model import printable
from hwflow.ops import by_onnx
from hwflow.passes.lowering.walk import Walk

WRITTEN = (
    "write the quantiser as QuantizeLinear and DequantizeLinear, as Quant (Brevitas), or as "
    "x / s, Round, Clip to whole bounds, times the same constant s"
)
"""What to use instead of a rounding that is written as an operator of its own."""

_NORMALISED = "retrain with LayerNorm or RMSNorm, or with BatchNorm, whose statistics are constants"

ALTERNATIVES = {
    "Gelu": "retrain with Relu, or with Sigmoid or Tanh (tables)",
    "Erf": "retrain with Relu instead of Gelu",
    "HardSwish": "retrain with Relu or HardSigmoid",
    "Elu": "retrain with Relu or LeakyRelu",
    "MeanVarianceNormalization": _NORMALISED,
    "LpNormalization": _NORMALISED,
    "FloatQuant": "retrain with an integer quantiser (Brevitas: Int8ActPerTensorFixedPoint)",
    "Round": WRITTEN,
    "Floor": WRITTEN,
    "Ceil": WRITTEN,
    "Dropout": "export the model in evaluation mode (model.eval())",
}
"""What to use instead of operators that people often meet."""


def no_name(walk: Walk, value: onnx_ir.Value) -> Diagnostic:
    """Return the finding about an output with the name of an input, or of another output."""
    return Diagnostic(
        code="HW219",
        title="output without a name of its own",
        where=f"output {printable(value.name or '')!r}, in {walk.model.source}",
        found="an input" if value.is_graph_input() else "the value of another output",
        help="remove this output from the model",
    )


def constant_outputs(walk: Walk, values: Sequence[onnx_ir.Value]) -> Diagnostic:
    """Return the finding about outputs that are constants, as those of a QuantTensor are."""
    names = ", ".join(repr(printable(v.name or "")) for v in values)
    one = len(values) == 1
    return Diagnostic(
        code="HW219",
        title="output that no operator computes" if one else "outputs that no operator computes",
        where=f"output{'' if one else 's'} {names}, in {walk.model.source}",
        found="a constant" if one else f"{len(values)} constants",
        help=f"remove {'this output' if one else 'these outputs'} from the model; of a "
        "QuantTensor (Brevitas), give the value alone: return_quant_tensor=False",
    )


def not_quantized(walk: Walk, value: onnx_ir.Value) -> Diagnostic:
    """Return the finding about an output whose scale is no power of two and that no grid has."""
    return Diagnostic(
        code="HW213",
        title="output of values with scales that are not powers of two needs a quantiser",
        where=f"output {value.name!r}, in {walk.model.source}",
        found="a sum of values with different scales, or a function of them",
        supported="outputs that are integers times a scale, plus an offset",
        help="put a quantiser at this output",
    )


def unsupported(node: onnx_ir.Node) -> Diagnostic:
    """Return the finding about a node that no operator claims."""
    known = sorted(by_onnx())
    domain = f", domain {node.domain!r}" if node.domain not in ("", "ai.onnx") else ""
    return Diagnostic(
        code="HW201",
        title="operator not supported",
        found=f"ONNX operator {node.op_type}{domain}",
        supported=f"{len(known)} operators, listed by `hwflow ops`",
        help=ALTERNATIVES.get(node.op_type)
        or "replace it in the model, or give an operator that claims it, with --plugin "
        "(docs/custom-layers.md)",
    )


def too_wide(problem: OverflowError) -> Diagnostic:
    """Return the finding about a node whose result could pass 62 bits."""
    return Diagnostic(
        code="HW301",
        title="result too wide to be computed exactly",
        found=str(problem),
        supported="sums and products of at most 62 bits",
        help="quantise the activation before this layer, its weights or its bias",
    )
