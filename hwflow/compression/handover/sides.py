"""A network before and after a compression, side by side: how good, how large, how fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hwflow.compression.judging import outputs_of_design, quality_of
from hwflow.compression.material import Material, Part, Task, samples_of
from hwflow.compression.teachers import outputs_of
from hwflow.core.board import load_board
from hwflow.core.config import Config
from hwflow.core.data import LABEL_NAMES
from hwflow.core.errors import CompileError
from hwflow.core.inference import open_session
from hwflow.exploration.reported import costs_of_report
from hwflow.frontends.quantization import quantize
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.samples import Inputs
from hwflow.frontends.quantization.trained import is_trained
from hwflow.frontends.sources import Sources
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.project.baseline.measuring import cpu_name
from hwflow.project.baseline.networks import NoInt8NetworkError, float32_network, int8_network
from hwflow.project.baseline.timing import latency
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design

BITS = "w=8,a=8"
"""Bits that a float network is quantised with after training, so that it has hardware at all."""

SECONDS = 0.1
"""How long a network is timed."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One network in the table.

    Attributes:
        name: what it is.
        quality: shares of held-out samples with their intervals, or the mean squared error.
        cost: value, low and high end of each estimated figure; empty for floating point.
        fits: whether the board holds it: ``yes``, ``borderline``, ``no``.
        cpu_us: median time of one sample in ONNX Runtime with one thread, for ``float32`` and
            ``int8``; None where it cannot be made. Empty where the network was timed beside.
        reason: why there is no hardware.
    """

    name: str
    quality: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, list[float]] = field(default_factory=dict)
    fits: str | None = None
    cpu_us: Mapping[str, float | None] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class BeforeAfter:
    """The whole table.

    Attributes:
        sides: the networks, the original first and the result last.
        board: what costs are estimated for.
        io_type: ``io_parallel`` or ``io_stream``.
        clock_period_ns: clock period.
        cpu: the processor that times were taken on. Times differ from run to run.
    """

    sides: tuple[Side, ...]
    board: str
    io_type: str
    clock_period_ns: float
    cpu: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return asdict(self)


def before_after(
    model: str, data: str, after: QonnxModel, config: Config, *,
    task: Task = "classification", bits: str = BITS,
) -> BeforeAfter:  # fmt: skip
    """Compare a compressed network with the one it was made from.

    A float network is shown twice: as it is, and quantised after training, which has hardware.
    Agreement is with the original. Settings of layers are for the result.

    Args:
        model: path of the original, or ``FILE.py:FUNCTION``.
        data: the same for its data; a fifth is held out, as for ``quantize``.
        after: the result, quantised or in floating point.
        config: what hardware is made for.
        task: what the outputs are.
        bits: bits of networks that are quantised after training.

    Raises:
        CompileError: model or data cannot be read; the result cannot be compiled.
    """
    sources = Sources(data)
    original = prepare(sources.model(model))
    samples = samples_of(original, sources, task)
    taught = outputs_of(original, samples.held_out)
    inputs = {v.name for v in original.ir.graph.inputs}
    arrays = {
        name: array for name, array in sources.arrays.items()
        if task == "classification" or name in inputs or name not in LABEL_NAMES
    }  # fmt: skip
    bench = _Bench(Part(samples.held_out, taught, samples.labels), task, arrays, bits)
    plain = Config(target=config.target)
    sides = [*bench.sides("original", original, plain), *bench.sides("result", after, config)]
    board = load_board(config.target.board)
    return BeforeAfter(
        sides=tuple(sides), board=board.name, io_type=config.target.io_type,
        clock_period_ns=config.target.clock_period_ns or board.clock_period_ns,
        cpu=f"{cpu_name()}, one thread",
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Bench:
    """What networks are judged with."""

    part: Part
    task: Task
    data: Mapping[str, Any]
    bits: str

    def sides(self, name: str, model: QonnxModel, config: Config) -> Iterator[Side]:
        """Yield a network, and where it has no hardware what is quantised of it."""
        times = _times(model, self.part.inputs)
        if is_trained(model):
            yield self._built(name, model, config, times)
            return
        found = next(iter(outputs_of(prepare(clone(model)), self.part.inputs).values()))
        yield Side(name=f"{name}, float32", quality=self._quality(found), cpu_us=times)
        try:
            yield self._built(f"{name}, {self.bits}", _quantized(model, self), config, {})
        except CompileError as error:
            yield Side(name=f"{name}, {self.bits}", reason=error.diagnostics[0].title)

    def _built(
        self, name: str, model: QonnxModel, config: Config, times: Mapping[str, float | None]
    ) -> Side:
        design: Design = compile_model(clone(model), config=config)
        report = design.estimate()
        cost = costs_of_report(report)
        quality = self._quality(outputs_of_design(design, self.part))
        return Side(name=name, quality=quality, cost=cost, fits=report.fits, cpu_us=times)

    def _quality(self, scores: Any) -> dict[str, Any]:
        return quality_of(scores, Material(self.part, self.part, self.part, self.task))


def _quantized(model: QonnxModel, bench: _Bench) -> QonnxModel:
    """Return a network that has hardware: itself, or quantised after training."""
    if is_trained(model):
        return clone(model)
    return quantize(clone(model), dict(bench.data), bench.bits).model


def _times(model: QonnxModel, inputs: Inputs) -> dict[str, float | None]:
    """Return medians in microseconds of one sample at a time, in float32 and in int8."""
    network = float32_network(clone(model))
    found: dict[str, float | None] = {"float32": _median(network.proto, inputs)}
    try:
        found["int8"] = _median(int8_network(network, inputs).proto, inputs)
    except NoInt8NetworkError:
        found["int8"] = None
    return found


def _median(proto: Any, inputs: Inputs) -> float | None:
    try:
        session = open_session(proto.SerializeToString(), threads=1)
        sample = {
            value.name: np.ascontiguousarray(
                inputs[value.name][:1], np.float32 if "float" in value.type else np.int64
            )
            for value in session.get_inputs()
        }
        return round(latency(lambda x: session.run(None, dict(x)), sample, SECONDS).median_us, 2)
    except Exception:  # ONNX Runtime's exceptions share no public base class
        return None
