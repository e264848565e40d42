"""The values of a Keras model in the ONNX graph, with their layout.

Keras keeps channels last, ONNX's spatial operators want them second. Each value knows its layout;
a transpose is written where the two meet. These name axes only: no hardware comes of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Tensor:
    """A value of the graph.

    Attributes:
        name: its name in the ONNX graph.
        shape: its shape in Keras, without the batch.
        channels_first: whether the ONNX value has the last axis of ``shape`` first.
    """

    name: str
    shape: tuple[int, ...]
    channels_first: bool = False

    def axis(self, axis: int) -> int:
        """Return the ONNX axis, batch counted, of a Keras axis, batch counted."""
        rank = len(self.shape) + 1
        axis %= rank
        if not self.channels_first or axis == 0:
            return axis
        return 1 if axis == rank - 1 else axis + 1

    def per_channel(self, values: npt.ArrayLike) -> FloatArray:
        """Return an array that broadcasts against Keras' last axes, laid out for this value."""
        array = np.asarray(values, np.float32)
        if not self.channels_first or array.size == 1:
            return array.reshape(()) if array.size == 1 else array
        array = array.reshape((1,) * (len(self.shape) - array.ndim) + array.shape)
        return np.moveaxis(array, -1, 0)
