"""What becomes of a trained network in hwflow and in hls4ml's own conversion of the same file.

Run ``make bench-conversion``. The networks are those of ``examples``, on scikit-learn's digits,
with scales that are powers of two, and with float scales. The judge is the model as ONNX Runtime
runs it. Both sides are compiled C++. hls4ml is used as its documentation on QONNX says; what it
infers no type for gets its documentation's ``fixed<16,6>``, or twice as many bits. A failing
conversion is a result.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from rich.console import Console
from rich.table import Table

import hwflow
from hwflow.simulate.float32 import Reference
from tests.benchmarks.hls4ml_model import Hls4mlModel

EXAMPLES = Path(__file__).parents[2] / "examples"
NETWORKS = {
    "MLP, 4 bits": "digits_mlp",
    "CNN, 4 bits": "digits_cnn",
    "residual CNN, float scales": "digits_residual",
}
QUANTIZED = "float CNN, `hwflow quantize`, 8 bits"
TEST_SAMPLES = 360
"""Digits that the examples' training holds out; see ``examples/digits.py``."""
PRECISIONS = ("fixed<16,6>", "fixed<32,16>")

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Digits:
    """The data of all networks.

    Attributes:
        x: images, (1797, 1, 8, 8).
        labels: their classes.
        held_out: indices of those that no network was trained on.
    """

    x: Array
    labels: Array
    held_out: Array

    def cells(self, classes: Array, trained: Array) -> tuple[str, str]:
        """Return accuracy on held-out digits, and how many of all have another class."""
        right = (classes[self.held_out] == self.labels[self.held_out]).mean()
        return f"{right:.2%}", f"{(classes != trained).sum():,}"


def main() -> None:
    """Print the table."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hls4ml imports tensorflow
    data = digits()
    table = Table(
        "network", "computed by", f"accuracy, {len(data.held_out)} held-out digits",
        f"other class than trained, of {len(data.x):,}",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        for network, path in networks(data, Path(name)):
            for side, *cells in sides(path, data):
                table.add_row(network, side, *cells)
                network = ""
            table.add_section()
    Console(width=140).print(table)


def digits() -> Digits:
    """Return the digits of the examples."""
    with np.load(EXAMPLES / "digits.npz") as data:
        x, labels = data["x"], data["y"]
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0)).numpy()
    return Digits(x, labels, order[:TEST_SAMPLES])


def networks(data: Digits, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield what networks are called and their QONNX files; one is made here."""
    for network, file in NETWORKS.items():
        yield network, EXAMPLES / f"{file}.onnx"
    calibration = np.delete(data.x, data.held_out, axis=0)
    made = hwflow.quantize(EXAMPLES / "digits_float.onnx", calibration, "w=8,a=8")
    hwflow.convert(made.model, folder / "quantized.onnx")
    yield QUANTIZED, folder / "quantized.onnx"


def sides(path: Path, data: Digits) -> Iterator[tuple[str, ...]]:
    """Yield who computes a network, its accuracy, and how many classes are others than trained."""
    trained = run_trained(path, data.x)
    yield "the model itself", *data.cells(trained, trained)
    yield "hwflow, C++", *data.cells(run_hwflow(path, data.x), trained)
    for precision in PRECISIONS:
        side = f"hls4ml alone, {precision}, C++"
        try:
            yield side, *data.cells(run_hls4ml(path, data.x, precision), trained)
        except Exception as error:
            yield side, f"{type(error).__name__}: {error}", ""


def run_trained(path: Path, x: Array) -> Array:
    """Return the classes of the model, executed in float32 by ONNX Runtime."""
    model = hwflow.load(path)
    (port,) = model.ir.graph.inputs
    assert port.shape is not None
    flat = x if len(port.shape) == x.ndim else x.reshape(len(x), -1)
    (output,) = Reference(model).run({port.name or "": flat}).values()
    return output.reshape(len(x), -1).argmax(1)


def run_hwflow(path: Path, x: Array) -> Array:
    """Return the classes of hwflow's hardware, by its compiled C++."""
    found = hwflow.compile(path, board="zcu104").verify(x)
    assert found.faithful is not None
    assert found.faithful.holds  # the simulation's outputs are the C++'s, bit for bit
    (output,) = found.simulation.outputs.values()
    return output.reshape(len(x), -1).argmax(1)


def run_hls4ml(path: Path, x: Array, precision: str) -> Array:
    """Return the classes of what hls4ml makes of the file, by its compiled C++."""
    with tempfile.TemporaryDirectory() as folder:
        theirs = Hls4mlModel(onnx.load(path), Path(folder), "io_parallel", precision)
        theirs.write()
        theirs.compile()
        return theirs.predict(x.transpose(0, 2, 3, 1)).argmax(1)


if __name__ == "__main__":
    main()
