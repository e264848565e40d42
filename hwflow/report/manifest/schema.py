"""The content of ``manifest.json``: what goes into a build and what comes out, no times, no paths.

The same models check what is read, since a manifest may come from anybody. ``schema.json`` beside
this file is the same for other programs, ``docs/reproducible.md`` for people.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from hwflow.report.manifest.fields import Count, FilePath, Line, Scalar, Sha256, Strict
from hwflow.report.manifest.fifo import Fifo
from hwflow.report.manifest.hls4ml import Hls4ml
from hwflow.report.manifest.made import Made

SCHEMA: Final = "hwflow-manifest/1"
"""Name and version of the form; the version grows when a field changes its meaning or goes."""


class Model(Strict):
    """The model that was built.

    Attributes:
        source: name of its file, or of the object.
        file_sha256: digest of the file, or of all files of a folder; None for a model in memory.
        sha256: digest of what it computes with and of its names, as read: the same for a file and
            for the same model in memory.
    """

    source: Line
    file_sha256: Sha256 | None
    sha256: Sha256


class Target(Strict):
    """What the hardware is generated for, and the defaults of layers, resolved.

    Attributes:
        board: name of the board profile.
        board_sha256: digest of what the profile says.
        part: the FPGA part.
        backend: hls4ml backend.
        io_type: ``io_parallel`` or ``io_stream``.
        clock_period_ns: requested clock period.
        tool: HLS tool and version that figures are estimated for; None for the newest.
        strategy: strategy of layers that do not say otherwise.
        reuse_factor: reuse factor of such layers; a text where it is a bound.
    """

    board: Line
    board_sha256: Sha256
    part: Line
    backend: Line
    io_type: Line
    clock_period_ns: float
    tool: Line | None = None
    calibration: Line | None = None
    strategy: Line
    reuse_factor: int | Line


class Settings(Strict):
    """Settings beside those of the target.

    Attributes:
        input: type of an input port by its name in the model.
        layer: what was set by layer name; what became of it is in ``layers``.
        verify: limits of ``hwflow verify``.
    """

    input: dict[Line, Line]
    layer: dict[Line, dict[Line, Scalar]]
    verify: dict[Line, Scalar]


class Plugin(Strict):
    """An operator beside hwflow's own.

    Attributes:
        operator: name of its class.
        file: name of the file that defines it, without folders.
        sha256: digest of that file, or of all Python files of its package; None where it has none.
    """

    operator: Line
    file: Line
    sha256: Sha256 | None


class Data(Strict):
    """What the build was tried on.

    Attributes:
        source: file name, or how it was made up.
        samples: how many.
        sha256: digest of inputs and labels, whatever the file they came in.
        seed: seed of made-up data; None where the data was given.
    """

    source: Line
    samples: Count
    sha256: Sha256
    seed: int | None


class Port(Strict):
    """A graph input or output.

    Attributes:
        name: name in the original model.
        layer: the layer that holds the value.
        shape: shape in the original order of axes, without the batch axis.
        quantizer: what the host applies to what enters, as a formula; empty where nothing.
        sha256: digest of scale and offset, of which there can be many, and of the quantiser.
    """

    name: Line
    layer: Line
    shape: tuple[Count, ...]
    quantizer: Line
    sha256: Sha256


class Cost(Strict):
    """Estimated figures; areas add up over layers. ``docs/report.md`` says what each stands for."""

    lut: float
    ff: float
    dsp: float
    bram_18k: float
    latency_cycles: float
    ii: float
    lut_synth: float
    ff_synth: float


class Observed(Strict):
    """What the data did to a layer.

    Attributes:
        elements: values that the layer gave.
        saturated: how many of them were out of range and clipped.
        wrapped: how many of them were out of range and wrapped around.
        low: smallest value.
        high: largest value.
        sha256: digest of the mantissas of all values, in order.
    """

    elements: Count
    saturated: Count
    wrapped: Count
    low: float
    high: float
    sha256: Sha256


class Layer(Strict):
    """One layer of the hardware graph.

    Attributes:
        name: name in the generated C++.
        origin: name in the framework.
        tensor: the tensor of the model that its value equals; empty where there is none.
        operator: what it computes.
        inputs: the layers whose results it takes.
        shape: shape of the result, without the batch axis, channels last.
        result_t: type of the result.
        accum_t: type of the accumulator; None where there is none.
        settings: the settings in effect, by name.
        parameters: everything else that the operator is made of: constants as shape, type and
            digest, numbers as they are.
        sha256: digest of operator, parameters, settings, type and proven range.
        implementation: how it requantises; None where it does not.
        cost: estimated.
        observed: what the data did to it; None without data.
        faithful_mismatches: values in which C++ and simulation differ; None where not compared.
        lossless_mismatches: values in which hardware and model differ; None where not
            compared.
    """

    name: Line
    origin: Line
    tensor: Line
    operator: Line
    inputs: tuple[Line, ...]
    shape: tuple[Count, ...]
    result_t: Line
    accum_t: Line | None
    settings: dict[Line, Scalar]
    parameters: dict[Line, Line]
    sha256: Sha256
    implementation: Line | None
    cost: Cost
    observed: Observed | None
    faithful_mismatches: Count | None
    lossless_mismatches: Count | None


class Statement(Strict):
    """One of the two statements: whether it holds, and how many values of how many differ.

    ``verdict`` is what the hardware is to the model; empty where no model is compared.
    """

    holds: bool
    elements: Count
    mismatches: Count
    verdict: Line = ""


class Output(Strict):
    """An output of the hardware against the quantised model; None where there is no such figure."""

    name: Line
    accuracy: float | None
    reference_accuracy: float | None
    argmax_agreement: float | None
    max_abs: float
    mean_abs: float
    sqnr_db: float | None


class Results(Strict):
    """What was found out with data.

    Attributes:
        faithful: simulation against C++; None where not compared.
        lossless: hardware against trained model; None where not compared.
        outputs: one entry per output; empty where there is no model to compare with.
    """

    faithful: Statement | None
    lossless: Statement | None
    outputs: tuple[Output, ...]


def _unique(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    if len({layer.name for layer in layers}) < len(layers):
        raise ValueError("two layers have one name")
    return layers


class Manifest(Strict):
    """Everything that identifies a build.

    Attributes:
        form: name and version of the form.
        name: name of the design, that of the generated top function.
        model: what was built.
        target: what for.
        settings: the settings that it was made with.
        plugins: operators beside hwflow's own that were loaded.
        templates: digests of the templates of hwflow's and plugins' kernels, by file name.
        versions: versions of hwflow, libraries, Python and the compiler, by name.
        data: what it was tried on; None without data.
        ports: inputs, then outputs.
        graph_sha256: digest of the hardware graph.
        layers: the layers in order of computation.
        fifos: the FIFOs; empty in io_parallel.
        total: estimated cost of the whole.
        fits: ``yes``, ``borderline`` or ``no``.
        results: what was found out with data; None without data.
        hls4ml: settings of target and layers as hls4ml spells them, which follow from the others;
            None in manifests that were written before it was added.
        made: where the model comes from, as it says itself; None where it says nothing.
        files: digests by path of all files of the build but this one; None for those that hold
            measured times.
    """

    form: Literal["hwflow-manifest/1"] = Field(alias="schema")
    name: Line
    model: Model
    target: Target
    settings: Settings
    plugins: tuple[Plugin, ...]
    templates: dict[Line, Sha256]
    versions: dict[Line, Line]
    data: Data | None
    ports: tuple[Port, ...]
    graph_sha256: Sha256
    layers: Annotated[tuple[Layer, ...], AfterValidator(_unique)]
    fifos: tuple[Fifo, ...] = ()
    total: Cost
    fits: Line | None
    results: Results | None
    hls4ml: Hls4ml | None = None
    made: Made | None = None
    files: dict[FilePath, Sha256 | None]

    def to_json(self) -> str:
        """Return the content of ``manifest.json``, its fields in the order of this class."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"
