"""The small records that the report's data is put together from; see ``schema``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwflow.ir.cost import Estimate


@dataclass(frozen=True)
class Interval:
    """An estimated figure.

    Attributes:
        value: best single figure.
        low: lower end of the interval.
        high: upper end of the interval.
        basis: ``rule`` follows from the tool's documented behaviour and is exact, ``fitted`` has
            constants learned from reports, and for ``extrapolated`` nothing similar was among them.
    """

    value: float
    low: float
    high: float
    basis: Literal["rule", "fitted", "extrapolated"] = "fitted"

    @classmethod
    def of(cls, figure: Estimate) -> Interval:
        """Return an estimate, rounded to three decimals."""
        value, low, high = (round(float(e), 3) for e in (figure.value, figure.low, figure.high))
        return cls(value, low, high, figure.basis.value)


@dataclass(frozen=True)
class Range:
    """A closed range of real numbers.

    Attributes:
        low: smallest value.
        high: largest value.
    """

    low: float
    high: float


@dataclass(frozen=True)
class Digest:
    """What identifies one input or product of the compilation.

    Attributes:
        subject: what was hashed, e.g. ``model``, ``project``, ``config``.
        sha256: the digest in hexadecimal.
    """

    subject: str
    sha256: str


@dataclass(frozen=True)
class Version:
    """Version of a program or library that took part.

    Attributes:
        name: name of the package.
        version: its version, or ``"not installed"``.
    """

    name: str
    version: str


@dataclass(frozen=True)
class Stage:
    """Time that one stage took.

    Attributes:
        name: the stage.
        seconds: wall-clock time.
    """

    name: str
    seconds: float


@dataclass(frozen=True)
class TargetData:
    """What the hardware is generated for.

    Attributes:
        backend: hls4ml backend.
        io_type: ``io_parallel`` or ``io_stream``.
        part: the FPGA part.
        clock_period_ns: requested clock period.
    """

    backend: str
    io_type: str
    part: str
    clock_period_ns: float


@dataclass(frozen=True)
class BoardData:
    """The board that the design is compared with.

    Attributes:
        name: the name that is printed on the board.
        part: its device.
        family: the device family.
        memory: memory beside the device.
    """

    name: str
    part: str
    family: str
    memory: str


@dataclass(frozen=True, kw_only=True)
class ConstantData:
    """Weights, biases or other constants of a layer.

    Attributes:
        name: ``weight``, ``bias``, ...
        type: their fixed-point type.
        shape: the shape that the project stores.
        range: smallest and largest value; None where there are no values.
        zeros: how many of the values are 0.
        elements: how many there are.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    range: Range | None
    zeros: int
    elements: int


@dataclass(frozen=True, kw_only=True)
class RequantizerData:
    """How a layer computes its function from integers to integers, and why that is right.

    Attributes:
        implementation: name of the implementation, as in the settings.
        detail: its figures in words.
        multiplier_bits: width of its widest multiplier constant; 0 where it has none.
        shift: bits that are dropped at the end; None where none are.
        domain: least and greatest integer that it is proven for.
        method: which inputs were compared, and why these are enough.
        points: how many results were compared.
    """

    implementation: str
    detail: str
    multiplier_bits: int
    shift: int | None
    domain: Range
    method: str
    points: int


@dataclass(frozen=True, kw_only=True)
class PowerData:
    """Power while the design works all the time, and energy of one inference.

    Attributes:
        idle_w: what is taken anyway, in W.
        idle_of: what that is of: the board, or the device alone.
        dynamic_w: what the programmable logic adds, in W.
        total_w: both together.
        single_uj: energy of one inference alone, over its latency, in microjoules.
        stream_uj: energy of one of many inferences, started every II.
        source: where the idle term was read.
    """

    idle_w: Interval
    idle_of: str
    dynamic_w: Interval
    total_w: Interval
    single_uj: Interval
    stream_uj: Interval
    source: str


@dataclass(frozen=True, kw_only=True)
class CostData:
    """Estimated resources and timing; csynth and post-synthesis figures are never mixed.

    Attributes:
        lut_csynth_equivalent: look-up tables as C synthesis would report them.
        ff_csynth_equivalent: flip-flops as C synthesis would report them.
        dsp: DSP blocks.
        bram_18k: 18 kbit block RAMs.
        latency_cycles: clock cycles from first input to last output.
        ii: cycles between two inferences.
        lut_post_synthesis_equivalent: look-up tables that logic synthesis would leave.
        ff_post_synthesis_equivalent: flip-flops that logic synthesis would leave.
        dsp_post_synthesis_equivalent: DSP blocks that logic synthesis would report.
        bram_18k_post_synthesis_equivalent: 18 kbit block RAMs that logic synthesis would report.
        notes: what the figures rest on.
    """

    lut_csynth_equivalent: Interval
    ff_csynth_equivalent: Interval
    dsp: Interval
    bram_18k: Interval
    latency_cycles: Interval
    ii: Interval
    lut_post_synthesis_equivalent: Interval
    ff_post_synthesis_equivalent: Interval
    dsp_post_synthesis_equivalent: Interval
    bram_18k_post_synthesis_equivalent: Interval
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FifoData:
    """One FIFO.

    Attributes:
        name: name of the value, with the number of the copy where a stream is copied.
        layer: the layer whose result it carries, or whose padded input.
        source: process that writes.
        target: process that reads.
        tokens: words for one inference, which hls4ml makes it deep.
        width: bits of a word.
        depth: words that it holds.
        least: words with which the design cannot lock.
        why: what the depth rests on.
        bram_18k: estimated block RAMs.
        bram_18k_saved: block RAMs less than with all words of an inference.
        lut_saved: look-up tables less, likewise (csynth).
    """

    name: str
    layer: str
    source: str
    target: str
    tokens: int
    width: int
    depth: int
    least: int
    why: str
    bram_18k: float
    bram_18k_saved: float
    lut_saved: float


@dataclass(frozen=True, kw_only=True)
class FifosData:
    """All FIFOs of a design in io_stream.

    Attributes:
        fifos: one record for each.
        latency_cycles: cycles of one inference, in the model of the streams; None where the network
            is too large for it.
        interval_cycles: cycles from the end of one inference to that of the next; None likewise.
        bram_18k_saved: estimated block RAMs less than with all words of an inference, in all.
        lut_saved: look-up tables less, likewise (csynth).
    """

    fifos: tuple[FifoData, ...]
    latency_cycles: int | None
    interval_cycles: int | None
    bram_18k_saved: float
    lut_saved: float
