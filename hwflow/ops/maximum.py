"""The greater of two activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwflow.ops.shared.extreme import _Extreme


@dataclass(frozen=True, kw_only=True, eq=False)
class Maximum(_Extreme):
    """The greater of two activations of one shape, exactly; claims ``Max`` with a constant too."""

    onnx: ClassVar[tuple[str, ...]] = ("Max",)
    infinite: ClassVar[tuple[str, ...]] = onnx
    kernel: ClassVar[str] = "maximum"
    choose: ClassVar[Any] = np.maximum
    lower_bound: ClassVar[bool] = True
