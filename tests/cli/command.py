"""The command line as the tests call it: in this process, with its status and what it printed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from hwflow.cli import BUG, main
from tests.fixtures import model
from tests.networks import Builder


@dataclass(frozen=True)
class Ran:
    """A finished command.

    Attributes:
        status: exit status.
        out: standard output.
        err: standard error.
        new: files that were not there before, relative to the current folder.
    """

    status: int
    out: str
    err: str
    new: tuple[str, ...]

    @property
    def said(self) -> str:
        """Standard error without the lines of progress."""
        lines = self.err.splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("hwflow: "))


def files() -> set[str]:
    """Return all files and folders below the current one."""
    return {str(p) for p in Path().rglob("*")}


def hwflow(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ran:
    """Run a command in the current folder; a bug of hwflow fails with its traceback."""
    before = files()
    capsys.readouterr()
    status = 0
    try:
        main([str(a) for a in arguments])
    except SystemExit as end:
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    assert status != BUG, err
    return Ran(status, out, err, tuple(sorted(files() - before)))


def dense() -> onnx.ModelProto:
    """Return a small dense layer: 4 inputs, 3 outputs, relu and quantiser behind."""
    b = Builder(np.random.default_rng(1))
    x = b.quant("x", 5, 1 / 4, signed=True)
    x = b.node("Gemm", [x, b.weight((4, 3), 4, 1 / 4), b.bias(3)])
    x = b.quant(b.node("Relu", [x]), 4, 1 / 4, signed=False)
    return model(b, x, (1, 4), (1, 3))


def float_dense() -> onnx.ModelProto:
    """Return a small dense layer in floating point: 4 inputs, 3 outputs."""
    b = Builder(np.random.default_rng(1))
    weights = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)
    b.tensors.append(onnx.numpy_helper.from_array(weights, "weights"))
    return model(b, b.node("MatMul", ["x", "weights"]), (1, 4), (1, 3))


def save(proto: onnx.ModelProto, name: str = "model.onnx") -> str:
    """Write a model to the current folder and return its name."""
    Path(name).write_bytes(proto.SerializeToString())
    return name
