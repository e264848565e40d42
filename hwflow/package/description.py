"""The content of ``ip.json``: all that a driver, a core file or a page about a block needs.

``schema.json`` beside this file is the same for other programs, ``docs/package.md`` for people.
Frames, lanes and words are explained there: a frame is one sample, in the bytes of its elements.
"""

from __future__ import annotations

from typing import Final, Literal

from hwflow.package.reload.form import Reload
from hwflow.report.manifest.fields import Count, FilePath, Line, Sha256, Strict

SCHEMA: Final = "hwflow-ip/1"
"""Name and version of the form; the version grows when a field changes its meaning or goes."""

DESCRIPTION_FILE: Final = "ip.json"

MAGIC: Final = 0x48574950
"""What the register ``magic`` holds: the letters ``HWIP``."""

Interface = Literal["axis", "axi-lite", "memory"]
Edge = Literal["raw", "float32"]


class Element(Strict):
    """One element of a frame.

    Attributes:
        type: fixed-point type of the network's port.
        width: bits of it.
        signed: whether it has a sign.
        fractional_bits: bits behind the binary point; negative where the step is above 1.
        lane_bits: bits that it takes on the bus, whole bytes.
        numpy: NumPy's name of what lies in a lane, little endian.
    """

    type: Line
    width: Count
    signed: bool
    fractional_bits: int
    lane_bits: Literal[8, 16, 32, 64]
    numpy: Literal[
        "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32"
    ]


class Packing(Strict):
    """How a frame lies on the bus and in memory.

    Attributes:
        data_width: bits of a word.
        lanes: elements of a word.
        words: words of a frame.
        frame_bytes: bytes that hold elements.
        stride_bytes: bytes from one frame to the next; those behind the elements are zero.
    """

    data_width: Count
    lanes: Count
    words: Count
    frame_bytes: Count
    stride_bytes: Count


class Quantize(Strict):
    """How real numbers become the mantissas of an input, where its type does not say it.

    ``mantissa = round(clamp(x / scale + zero_point, minimum, maximum)) - zero_point``, in exact
    arithmetic. Lists have one entry, one for each channel, or one for each element of a frame.

    Attributes:
        rounding: QONNX's name, or ``SIGN``: +1 where ``x + zero_point * scale >= 0``, else -1.
        minimum: least level.
        maximum: greatest level.
        scale: above 0.
        zero_point: whole numbers.
    """

    rounding: Line
    minimum: int
    maximum: int
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]


class Port(Strict):
    """An input or output.

    Attributes:
        name: name of the port of the block.
        model_name: name in the trained model.
        layer: the layer of the network that holds the value.
        argument: name of the port of the network's own top function.
        direction: ``input`` or ``output``.
        shape: shape of a frame, channels last; its last axis runs fastest.
        model_shape: shape in the model, without the batch axis.
        axes: for each axis of ``shape``, the axis of the model's tensor, counted with the batch.
        elements: elements of a frame.
        element: how one is held.
        packing: how a frame is laid out.
        scale: ``real number = scale * mantissa + offset``, nearest float64; one entry, one for each
            channel, or one for each element of a frame.
        offset: in the same form.
        exact_scale: the same as fractions, in text.
        exact_offset: in the same form.
        quantize: inputs: how the host quantises; None where a real number is assigned to the type.
        rounding: with which a real number is assigned to the type of an input.
        overflow: the same.
        address: first word of the frame in the control window, for ``axi-lite``; else None.
        classes: outputs that give the number of the first greatest score: how many scores there
            are; None for all other ports.
    """

    name: Line
    model_name: Line
    layer: Line
    argument: Line
    direction: Literal["input", "output"]
    shape: tuple[Count, ...]
    model_shape: tuple[Count, ...]
    axes: tuple[Count, ...]
    elements: Count
    element: Element
    packing: Packing
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    exact_scale: tuple[Line, ...]
    exact_offset: tuple[Line, ...]
    quantize: Quantize | None
    rounding: Line
    overflow: Line
    address: Count | None = None
    classes: Count | None = None


class Register(Strict):
    """A register of the control window, or an argument of a Vitis kernel.

    Attributes:
        name: name of the register and of the argument in C++.
        address: byte address.
        bits: 32, or 64 for a pointer, whose upper half is the next word.
        access: ``rw``, or ``r``.
        value: what it always holds; None for others.
        port: the port that it is about, or empty.
        meaning: what it is, for people.
    """

    name: Line
    address: Count
    bits: Literal[32, 64]
    access: Literal["r", "rw"]
    value: Count | None
    port: Line
    meaning: Line


class Figure(Strict):
    """An estimate with its interval."""

    value: float
    low: float
    high: float


class Figures(Strict):
    """What the network takes; the wrapper around it is not in these figures.

    Attributes:
        basis: where they come from.
        latency_cycles: cycles from a frame's first element to its last result.
        ii_cycles: cycles between two frames.
        bus_cycles: words of the longest frame of a port, which is the least II of the bus.
        lut: post-synthesis-equivalent look-up tables.
        ff: post-synthesis-equivalent flip-flops.
        dsp: multiplier blocks.
        bram_18k: 18 kbit block RAMs.
    """

    basis: Literal["estimated"]
    latency_cycles: Figure
    ii_cycles: Figure
    bus_cycles: Count
    lut: Figure
    ff: Figure
    dsp: Figure
    bram_18k: Figure


class Vectors(Strict):
    """Test vectors of a port: frames as a DMA carries them, one after another.

    Attributes:
        port: name of the port.
        path: in the block's folder.
        frames: how many.
    """

    port: Line
    path: FilePath
    frames: Count


class Target(Strict):
    """What the block is made for.

    Attributes:
        board: name of the board profile.
        part: the FPGA part.
        family: device family.
        backend: HLS tool.
        io_type: ``io_parallel`` or ``io_stream`` inside of the block.
        clock_period_ns: requested clock period.
        kind: ``ip`` for Vivado's catalogue, or ``vitis-kernel``.
    """

    board: Line
    part: Line
    family: Line
    backend: Line
    io_type: Line
    clock_period_ns: float
    kind: Literal["ip", "vitis-kernel"]


class Description(Strict):
    """A packaged block.

    Attributes:
        form: name and version of this form.
        name: name of the network's top function.
        top: name of the block's top function, and of its IP.
        vlnv: vendor, library, name and version of the IP.
        hwflow: version of hwflow that wrote it.
        interface: how frames come and go.
        edge: what the lanes hold: the network's integers, or real numbers.
        target: what it is made for.
        ports: inputs, then outputs.
        registers: the control window, by address; those of HLS at 0x00 to 0x0c are not listed.
        figures: estimated time and resources.
        vectors: test vectors.
        project_sha256: digest of the network's HLS project.
        design_id: what the register ``design`` holds: the first 32 bits of a digest over project,
            ports and interface.
        files: SHA-256 of the files that are compiled or compared, by path.
        reload: weights that are written while the block runs; None where all are constants.
    """

    form: Literal["hwflow-ip/1"]
    name: Line
    top: Line
    vlnv: Line
    hwflow: Line
    interface: Interface
    edge: Edge
    target: Target
    ports: tuple[Port, ...]
    registers: tuple[Register, ...]
    figures: Figures
    vectors: tuple[Vectors, ...]
    project_sha256: Sha256
    design_id: Count
    files: dict[FilePath, Sha256]
    reload: Reload | None = None

    def to_json(self) -> str:
        """Return the content of ``ip.json``."""
        return self.model_dump_json(indent=2) + "\n"

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The ports that frames come in by."""
        return tuple(p for p in self.ports if p.direction == "input")

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The ports that results leave by."""
        return tuple(p for p in self.ports if p.direction == "output")
