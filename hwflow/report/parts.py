"""The small records that the report's data is put together from; see ``schema``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """An estimated figure.

    Attributes:
        value: best single figure.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float
    low: float
    high: float


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
        name: as printed on the board.
        part: its device.
        family: the device family.
        memory: memory beside the device.
    """

    name: str
    part: str
    family: str
    memory: str


@dataclass(frozen=True)
class EnteredData:
    """What of the data was beyond the ends of an input port.

    Attributes:
        elements: numbers that entered.
        low: of them below what the port holds.
        high: above it.
        observed: smallest and largest number that entered.
    """

    elements: int
    low: int
    high: int
    observed: Range


@dataclass(frozen=True)
class PortData:
    """A graph input or output as seen from outside.

    Attributes:
        name: name in the original model.
        layer: the layer that holds the value.
        shape: in the original order of axes, without the batch axis.
        type: fixed-point type of the port.
        scale: what a value of the port is multiplied with to get the model's number: one factor,
            one for each channel, or one for each element, channels last.
        offset: what is then added, likewise.
        quantizer: how the host quantises what enters; empty where the port rounds by its type.
        entered: what of the data was beyond its ends; None for outputs and without data.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    type: str
    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    quantizer: str = ""
    entered: EnteredData | None = None


@dataclass(frozen=True)
class ConstantData:
    """Weights, biases or other constants of a layer.

    Attributes:
        name: ``weight``, ``bias``, ...
        type: their fixed-point type.
        shape: as stored in the project.
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


@dataclass(frozen=True)
class CountersData:
    """What happened to a layer's values over the data.

    Attributes:
        elements: values that the layer gave.
        saturated: values out of range and clipped, on either side.
        saturated_low: of these below the range.
        saturated_high: above it.
        wrapped: values out of range and wrapped around.
        near_ties: values within 1/64 of a step of a rounding boundary.
        observed: smallest and largest result.
    """

    elements: int
    saturated: int
    saturated_low: int
    saturated_high: int
    wrapped: int
    near_ties: int
    observed: Range


@dataclass(frozen=True)
class ReachedData:
    """How much of one kind the data reached in a layer, or in all of them.

    Attributes:
        kind: ``range``, ``steps``, ``entries``, ``rounding``, ``low`` or ``high``.
        reached: how many goals were.
        possible: how many there are.
    """

    kind: str
    reached: int
    possible: int


@dataclass(frozen=True)
class CoverageData:
    """What the data reached of a layer, or of all of them.

    Attributes:
        share: mean of the shares of the kinds.
        text: the figures in words.
        kinds: those that have goals.
    """

    share: float
    text: str
    kinds: tuple[ReachedData, ...]


@dataclass(frozen=True)
class SaturationData:
    """The layer that clipped the largest share of its values.

    Attributes:
        layer: its name; empty where no layer clipped any.
        share: of its values.
        text: the figures in words.
    """

    layer: str
    share: float
    text: str


@dataclass(frozen=True)
class MatchData:
    """How many values of one layer agree in a comparison.

    Attributes:
        elements: values compared.
        mismatches: values that differ.
        float32_differs: values that float32 execution of the model rounds differently from exact
            arithmetic; None where that was not compared.
    """

    elements: int
    mismatches: int
    float32_differs: int | None


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Float32Data:
    """Where float32 execution of the model differs from exact arithmetic.

    Attributes:
        elements: values of quantisers compared.
        differs: those with another level.
        first: framework name of the first layer with such a value, or empty.
        unquantized: values of outputs that no quantiser gives.
        unquantized_differs: those that are not the float32 nearest to the exact result.
    """

    elements: int
    differs: int
    first: str
    unquantized: int
    unquantized_differs: int


@dataclass(frozen=True)
class ApproximationData:
    """A layer that is approximate by nature or by rounded constants.

    Attributes:
        layer: its name.
        origin: its framework name.
        why: what makes it approximate.
        differs: values that differ from the exact function of the hardware's own operands.
        largest: largest such difference, measured on the data.
        bound: proven largest difference; None where none is proven.
    """

    layer: str
    origin: str
    why: str
    differs: int
    largest: float
    bound: float | None


@dataclass(frozen=True)
class VerdictData:
    """What the hardware is to the trained model.

    Attributes:
        state: ``lossless``, ``approximate`` or ``not lossless``.
        text: the verdict in one line, worded as everywhere.
        reasons: what each approximate layer does, in words.
        because: the approximate layers, in order of computation.
        at_most: largest difference of an output from the trained model's, measured on the data.
        bound: proven largest difference of an output; None where none is proven.
        apart: whether layers behind approximate ones were judged apart from them.
    """

    state: str
    text: str
    reasons: tuple[str, ...]
    because: tuple[ApproximationData, ...]
    at_most: float
    bound: float | None
    apart: bool


@dataclass(frozen=True)
class CostData:
    """Estimated resources and timing; csynth and post-synthesis figures are never mixed.

    Attributes:
        lut_csynth_equivalent: look-up tables as C synthesis would report them.
        lut_post_synthesis_equivalent: look-up tables that logic synthesis would leave.
        ff_csynth_equivalent: flip-flops as C synthesis would report them.
        ff_post_synthesis_equivalent: flip-flops that logic synthesis would leave.
        dsp: DSP blocks.
        bram_18k: 18 kbit block RAMs.
        latency_cycles: clock cycles from first input to last output.
        ii: cycles between two inferences.
        notes: what the figures rest on.
    """

    lut_csynth_equivalent: Interval
    lut_post_synthesis_equivalent: Interval
    ff_csynth_equivalent: Interval
    ff_post_synthesis_equivalent: Interval
    dsp: Interval
    bram_18k: Interval
    latency_cycles: Interval
    ii: Interval
    notes: tuple[str, ...]
