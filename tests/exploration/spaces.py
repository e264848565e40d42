"""Small networks with data, to be explored, and the slow way of evaluating a configuration."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx

import hwflow
from hwflow.exploration.checks import priced_total
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.request import Request
from hwflow.exploration.tree import Samples
from hwflow.simulate.float32 import Reference
from tests.fixtures import model
from tests.frontends.quantization.networks import NETWORKS, weights
from tests.networks import Builder

SHAPES = {"mlp": (6,), "residual": (2, 6, 6), "branches": (2, 6, 6)}


def mlp() -> onnx.ModelProto:
    """Three dense layers."""
    b = Builder(np.random.default_rng(3))
    x = "x"
    for ins, outs in ((6, 8), (8, 6)):
        x = b.node(
            "Relu",
            [b.node("Gemm", [x, weights(b, ins, outs), b.constant(b.rng.normal(size=outs) / 4)])],
        )
    x = b.node("Gemm", [x, weights(b, 6, 3), b.constant(b.rng.normal(size=3) / 4)])
    return model(b, x, (1, 6), (1, 3))


def saved(folder: Path, name: str, samples: int = 120) -> tuple[Path, Path]:
    """Write a network and data for it, whose labels are the network's classes, a tenth wrong."""
    proto = mlp() if name == "mlp" else NETWORKS[name]()
    path, data = folder / f"{name}.onnx", folder / f"{name}.npz"
    onnx.save(proto, path)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(samples, *SHAPES[name])).astype(np.float32)
    outputs = next(iter(Reference(hwflow.load(path)).run({"x": x}).values()))
    labels = outputs.argmax(1)
    wrong = rng.random(samples) < 0.1
    np.savez(data, x=x, y=np.where(wrong, rng.integers(0, 3, samples), labels))
    return path, data


def request(folder: Path, name: str = "mlp", **changes: Any) -> Request:
    """Return a request for a network that is written to a folder."""
    path, data = saved(folder, name)
    given: dict[str, Any] = {"boards": ("pynq-z2",), "bits": "w=2,4 a=3,5", **changes}
    return Request(model=str(path), data=str(data), **given)


def naive(explorer: Explorer, number: int, samples: Samples) -> tuple[int, int, Any]:
    """Return right answers and cost of a configuration, by quantising, compiling, simulating it."""
    settings = explorer.request.method
    found = hwflow.quantize(
        explorer.request.model, explorer.request.data, explorer.space.bits(number),
        independent=True, **settings,
    )  # fmt: skip
    design = hwflow.compile(found.model, config=explorer.request.config("pynq-z2"))
    (outputs,) = design.simulate(dict(samples.inputs)).outputs.values()
    classes = outputs.reshape(len(outputs), -1).argmax(1)
    labels = samples.labels
    right = -1 if labels is None else int((classes == labels).sum())
    return right, int((classes == samples.wanted).sum()), priced_total(design)
