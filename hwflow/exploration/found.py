"""What a search has evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.exploration.space import Numbers

Counts = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Found:
    """Evaluated configurations.

    Attributes:
        numbers: the configurations, ascending.
        counts: right answers of each on the search samples.
        certified: all configurations of the space are among them, or all that keep to the limits.
        part: what ``cheapest.Part.plain`` says of those up to a cost; None if nothing is proven.
    """

    numbers: Numbers
    counts: Counts
    certified: bool
    part: Mapping[str, Any] | None = None
