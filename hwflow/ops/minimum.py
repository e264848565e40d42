"""The lesser of two activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwflow.ops.shared.extreme import _Extreme


@dataclass(frozen=True, kw_only=True, eq=False)
class Minimum(_Extreme):
    """The lesser of two activations of one shape, exactly; claims ``Min`` with a constant too."""

    onnx: ClassVar[tuple[str, ...]] = ("Min",)
    infinite: ClassVar[tuple[str, ...]] = onnx
    kernel: ClassVar[str] = "minimum"
    choose: ClassVar[Any] = np.minimum
    lower_bound: ClassVar[bool] = False
