"""The networks that the benchmarks measure, and data for them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from tests.fixtures import model
from tests.networks import Builder

ROOT = Path(__file__).parents[2]

CHUNK = 2**21
"""Values that are written to a file at once."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Network:
    """A network and how much of it is measured.

    Attributes:
        name: in the table.
        make: returns the QONNX model.
        draw: returns samples of it, float32, batch first.
        io_type: of the generated hardware.
        layers: whose C++ is compiled.
        batches: sizes in which the golden model and the float network are run.
        streamed: samples in the file that is streamed.
        simulated: samples for numpy.
        csim: samples for the C++ simulations, and for the verification of a build.
        rounds: of those measurements in which hls4ml or numpy take part.
        faster: ratio to the rate of hls4ml's C++ simulation that is aimed at.
    """

    name: str
    make: Callable[[], onnx.ModelProto] = field(repr=False)
    draw: Callable[[int], Array] = field(repr=False)
    io_type: str
    layers: int
    batches: tuple[int, ...]
    streamed: int
    simulated: int
    csim: int
    rounds: int
    faster: float

    @cached_property
    def proto(self) -> onnx.ModelProto:
        """The QONNX model, made once."""
        return self.make()

    def write_data(self, path: Path, samples: int) -> None:
        """Write samples to an ``.npy`` file, chunk by chunk."""
        chunk = self.draw(max(1, CHUNK // self.draw(1).size))
        with path.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (samples, *chunk.shape[1:])}
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, samples, len(chunk)):
                file.write(chunk[: samples - start].tobytes())


def networks(jets: Path | None = None) -> dict[str, Network]:
    """Return what is measured, by the name that the command line takes.

    Args:
        jets: ``.npz`` file with real jets in ``x``; random ones without it.
    """
    return {
        "jets": Network(
            "jets MLP", jets_mlp, real(jets, "x") if jets else random_levels((16,), 1 / 16),
            "io_parallel", 4, (1000, 10_000), 10_000_000, 20_000, 10_000, 3, 600,
        ),
        "digits": Network(
            "digits CNN", digits_cnn, real(ROOT / "examples" / "digits.npz", "x"),
            "io_parallel", 5, (100, 1000), 500_000, 4000, 1000, 3, 300,
        ),
        "large": Network(
            "1 M CNN", large_cnn, random_levels((3, 32, 32), 1 / 128),
            "io_stream", 11, (8, 64), 4000, 32, 4, 2, 300,
        ),
    }  # fmt: skip


def random_levels(shape: tuple[int, ...], step: float) -> Callable[[int], Array]:
    """Return a source of random samples with 8 bits and a sign, in steps of ``step``."""

    def draw(samples: int) -> Array:
        levels = np.random.default_rng(0).integers(-128, 128, (samples, *shape), dtype=np.int8)
        return levels.astype(np.float32) * np.float32(step)

    return draw


def real(path: Path, name: str) -> Callable[[int], Array]:
    """Return a source of the samples in a file, from the first again after the last."""

    def draw(samples: int) -> Array:
        with np.load(path) as data:
            x = data[name].astype(np.float32)
        return np.ascontiguousarray(x[np.arange(samples) % len(x)])

    return draw


def jets_mlp() -> onnx.ModelProto:
    """Return a network of the shape that is used for tagging jets, 16-64-32-32-5, of 6 bits."""
    b = Builder(np.random.default_rng(0))
    x, last = b.quant("x", 8, 1 / 16, signed=True), 16
    for size in (64, 32, 32):
        x = b.node("Gemm", [x, b.weight((last, size), 6, 1 / 32), b.bias(size)])
        x, last = b.quant(b.node("Relu", [x]), 6, 1 / 8, signed=False), size
    return model(b, b.node("Gemm", [x, b.weight((last, 5), 6, 1 / 32), b.bias(5)]), (1, 16), (1, 5))


def digits_cnn() -> onnx.ModelProto:
    """Return the trained CNN of the examples."""
    return onnx.load(ROOT / "examples" / "digits_cnn.onnx")


def large_cnn(channels: tuple[int, ...] = (32, 64, 128), hidden: int = 352) -> onnx.ModelProto:
    """Return a CNN of 8 bits for images of 32 x 32 x 3, with a million parameters.

    Args:
        channels: of the pairs of 3 x 3 convolutions, a max pool behind each pair.
        hidden: neurons of the dense layer before the last.
    """
    b = Builder(np.random.default_rng(1))
    x, last, size = b.quant("x", 8, 1 / 128, signed=True), 3, 32
    for count in channels:
        for _ in range(2):
            x = b.node(
                "Conv",
                [x, trained_weight(b, (count, last, 3, 3), last * 9), b.bias(count)],
                kernel_shape=(3, 3),
                strides=(1, 1),
                dilations=(1, 1),
                group=1,
                pads=(1, 1, 1, 1),
            )
            x, last = activated(b, x), count
        x = b.node("MaxPool", [x], kernel_shape=(2, 2), strides=(2, 2), pads=(0,) * 4, ceil_mode=0)
        size //= 2
    x, inputs = b.node("Flatten", [x], axis=1), last * size * size
    x = b.node("Gemm", [x, trained_weight(b, (inputs, hidden), inputs), b.bias(hidden)])
    x = activated(b, x)
    x = b.node("Gemm", [x, trained_weight(b, (hidden, 10), hidden), b.bias(10)])
    return model(b, x, (1, 3, 32, 32), (1, 10))


def trained_weight(b: Builder, shape: tuple[int, ...], fan_in: int) -> str:
    """Return 8-bit weights as training leaves them: normal, the variance 2 / ``fan_in``.

    That variance keeps the spread of values from layer to layer behind a relu (He et al.,
    arXiv:1502.01852). The scale is the power of two under which four deviations fit.
    """
    deviation = float(np.sqrt(2 / fan_in))
    scale = 2.0 ** np.ceil(np.log2(4 * deviation / 128))
    values = b.rng.normal(0, deviation, shape)
    return b.quant(b.constant(values), 8, np.float32(scale), signed=True)


def activated(b: Builder, x: str) -> str:
    """Append a relu and a quantiser of 8 bits."""
    return b.quant(b.node("Relu", [x]), 8, 1 / 64, signed=False)
