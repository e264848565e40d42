"""What a search has evaluated."""

from __future__ import annotations

from dataclasses import dataclass

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
        certified: all configurations of the space are among them.
    """

    numbers: Numbers
    counts: Counts
    certified: bool
