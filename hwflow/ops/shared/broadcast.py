"""ONNX broadcasting, seen from the hardware's order of axes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwflow.ir.op import OnnxNode
from hwflow.ir.tensor import TensorType

F64 = npt.NDArray[np.float64]


def to_hardware(node: OnnxNode, x: TensorType, values: F64) -> F64:
    """Return a constant that ONNX broadcasts against ``x``, in the hardware's order of axes.

    ONNX aligns shapes at their last axes (https://onnx.ai/onnx/repo-docs/Broadcasting.html).

    Args:
        node: gives the order of axes.
        x: the activation.
        values: the constant, in ONNX order.

    Returns:
        Shape ``()`` where one value serves all elements, ``(channels,)`` where it depends on the
        last axis only, else ``x.shape``.

    Raises:
        RefusedError: the constant has another size than the activation along some axis.
    """
    rank = len(node.axes) + 1
    if rank == 1:  # ``x`` has the batch axis only, and one element
        if values.size != 1 or values.ndim > 1:
            raise _mismatch(node, x, values)
        return values.reshape(())
    padded = values.reshape((1,) * (rank - values.ndim) + values.shape)
    if padded.ndim != rank or padded.shape[0] != 1:
        raise _mismatch(node, x, values)
    ordered = padded.transpose(0, *node.axes)[0]
    if any(have not in (1, want) for have, want in zip(ordered.shape, x.shape, strict=True)):
        raise _mismatch(node, x, values)
    return narrowest(np.broadcast_to(ordered, x.shape))


def narrowest(full: F64) -> F64:
    """Return one value if all are equal, one per channel if channels are, else all of them."""
    flat = full.reshape(-1, full.shape[-1])
    if np.all(flat == flat[0, 0]):
        return np.asarray(flat[0, 0])
    return flat[0] if np.all(flat == flat[0]) else full


def along_channel(node: OnnxNode, values: F64) -> F64:
    """Return constants that belong to ONNX axis 1, shaped so that broadcasting puts them there."""
    rank = len(node.axes) + 1
    return values.reshape((1, -1) + (1,) * (rank - 2))


def _mismatch(node: OnnxNode, x: TensorType, values: F64) -> Exception:
    activation = (
        f"an activation of {len(x.shape)} axes beside the batch, {x.shape} in the hardware's order"
        if node.axes
        else "an activation without axes beside the batch"
    )
    return node.refuse(
        "constant does not broadcast to the activation",
        code="HW223",
        found=f"a constant of shape {values.shape} with {activation}",
        supported="sizes of 1 or of the activation along each axis, and 1 along the batch",
    )
