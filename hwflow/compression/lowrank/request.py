"""What a factorisation is asked for; plain values, so that a run knows what it is of."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from hwflow.compression.bench import Source

Method = Literal["", "svd", "qr", "tucker2"]

ENERGY = 0.95
"""Part of the squares of singular values that is kept where nothing else is asked."""


@dataclass(frozen=True, kw_only=True)
class LowRankRequest:
    """A factorisation.

    Attributes:
        source: network, data, training, hardware.
        method: how; SVD for matrices and Tucker-2 for kernels unless given.
        layers: names of the layers to factor; all that the method suits unless given.
        rank: rank of all layers; 0 where it is chosen.
        energy: part of the squares of singular values that is kept; 0 where it is not asked.
        goal: ``lut=3000``, ``dsp=20``, ``ebops=8000``, ``fits=BOARD``; empty where none is.
    """

    source: Source
    method: Method = ""
    layers: tuple[str, ...] = ()
    rank: int = 0
    energy: float = 0.0
    goal: str = ""

    def to_json(self) -> str:
        """Return the request as text, the same for equal ones."""
        return json.dumps(asdict(self), sort_keys=True)
