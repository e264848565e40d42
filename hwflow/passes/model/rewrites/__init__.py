"""Model pass: nodes that are several operators in one are written as those, exactly.

Each module of this package is one rewriting. It runs once shapes and constants are known, keeps the
names of all results, and gives the same numbers for every input, in real arithmetic. References
judge the model as it was read, so a rewriting that were wrong would be found by ``verify``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.passes.model.rewrites.batched_matrix import to_matrices
from hwflow.passes.model.rewrites.bounds import to_clip, to_pairs
from hwflow.passes.model.rewrites.concat import constants_to_pads
from hwflow.passes.model.rewrites.conv_transpose import to_conv
from hwflow.passes.model.rewrites.depth import to_moves
from hwflow.passes.model.rewrites.einsum import to_matrix_product
from hwflow.passes.model.rewrites.gather import to_one_axis
from hwflow.passes.model.rewrites.gather_nd import to_gather
from hwflow.passes.model.rewrites.gemm import to_product_and_sum
from hwflow.passes.model.rewrites.interpolation import to_interpolation
from hwflow.passes.model.rewrites.left_product import to_right
from hwflow.passes.model.rewrites.normalization import by_channels, from_quotient, to_last_axis
from hwflow.passes.model.rewrites.products import to_products
from hwflow.passes.model.rewrites.recurrent import to_steps
from hwflow.passes.model.rewrites.softsign import to_softsign
from hwflow.passes.model.rewrites.split import to_slices
from hwflow.passes.model.rewrites.sums import to_choice, to_one_shape, to_sum
from hwflow.passes.model.rewrites.window_sum import to_window_sum

Rewriting = Callable[[QonnxModel, ir.Node], bool]
"""Writes other nodes in the place of one and returns True, or leaves it alone."""

REWRITINGS: dict[str, Sequence[Rewriting]] = {
    "Concat": (constants_to_pads,),
    "ConvTranspose": (to_conv,),
    "DepthToSpace": (to_moves,),
    "Div": (from_quotient, to_softsign),
    "Einsum": (to_matrix_product,),
    "GRU": (to_steps,),
    "Gather": (to_one_axis,),
    "GatherND": (to_gather,),
    "Gemm": (to_product_and_sum,),
    "GroupNormalization": (by_channels,),
    "InstanceNormalization": (by_channels,),
    "LSTM": (to_steps,),
    "LayerNormalization": (to_last_axis,),
    "Max": (to_clip, to_pairs),
    "MatMul": (to_right, to_matrices, to_products),
    "Mean": (to_one_shape,),
    "Min": (to_clip, to_pairs),
    "Mul": (from_quotient, to_window_sum),
    "RMSNormalization": (to_last_axis,),
    "ReduceL1": (to_sum,),
    "ReduceL2": (to_sum,),
    "ReduceSumSquare": (to_sum,),
    "Resize": (to_interpolation,),
    "RNN": (to_steps,),
    "SpaceToDepth": (to_moves,),
    "Split": (to_slices,),
    "Sum": (to_one_shape,),
    "Where": (to_choice,),
}
"""Rewritings of nodes, by the nodes' standard operator."""

OF_FLOATS: dict[str, Sequence[Rewriting]] = {
    "ConvTranspose": (to_conv,),
    "Einsum": (to_matrix_product,),
    "MatMul": (to_right, to_matrices),
}
"""Rewritings that bring weights to where ``quantize`` looks for them, in ONNX's own operators."""


def rewrite(
    model: QonnxModel, rewritings: Mapping[str, Sequence[Rewriting]] = REWRITINGS
) -> QonnxModel:
    """Write nodes as other ones that passes and operators know.

    Args:
        model: with known shapes and folded constants.
        rewritings: what may be written as other nodes.

    Returns:
        The same model, changed in place, with the shapes of all values.
    """
    while _rewritten(model, rewritings):
        common.IdentityEliminationPass()(model.ir)
        common.RemoveUnusedNodesPass()(model.ir)
        infer_shapes(model)
    return model


def _rewritten(model: QonnxModel, rewritings: Mapping[str, Sequence[Rewriting]]) -> bool:
    """Go through all nodes once; return whether one was written as others."""
    changed = False
    for node in list(model.ir.graph):
        known = rewritings.get(node.op_type, ()) if not node.domain else ()
        changed |= any(rewriting(model, node) for rewriting in known)
    return changed
