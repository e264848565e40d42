"""Quantisation without training, as ``hwflow quantize``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwflow.compression.auto.bench import Bench
from hwflow.compression.auto.methods import Candidate, Params, Say
from hwflow.compression.handover.lineage import lineage_for
from hwflow.core.digests import file_digest
from hwflow.frontends.quantization import quantize
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel

if TYPE_CHECKING:
    import optuna


class Untrained:
    """Fewer bits for all weights and all activations."""

    name = "ptq"

    def first(self, bench: Bench) -> Sequence[Params]:
        """Return what is safe, and what is small."""
        return [{"ptq.w": 8, "ptq.a": 8}, {"ptq.w": 4, "ptq.a": 5}]

    def draw(self, trial: optuna.Trial, bench: Bench) -> Params:
        """Return bits."""
        return {key: trial.suggest_int(key, 2, 8) for key in ("ptq.w", "ptq.a")}

    def work(self, params: Params, bench: Bench) -> float:
        """Return 0: nothing is trained."""
        return 0.0

    def sketch(self, params: Params, bench: Bench) -> QonnxModel | None:
        """Return None: the network itself is made quickly."""
        return None

    def make(self, params: Params, bench: Bench, folder: Path, say: Say) -> Iterator[Candidate]:
        """Yield the quantised network.

        Raises:
            CompileError: the bits are too few for some layer.
        """
        bits = f"w={params['ptq.w']},a={params['ptq.a']}"
        files = {"model": str(bench.wanted.model), "data": str(bench.wanted.data)}
        digests = {name: file_digest(name) for name in files.values()}
        lineage = lineage_for("ptq", files, params, digests)
        yield Candidate(name=bits, model=quantized(bench.loaded, bench, bits), lineage=lineage)


def quantized(model: QonnxModel, bench: Bench, bits: str) -> QonnxModel:
    """Return a float network quantised with powers of two as scales, weights by channel."""
    return quantize(
        clone(model), str(bench.wanted.data), bits, scale="pow2", per_channel=True
    ).model
