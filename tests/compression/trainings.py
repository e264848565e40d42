"""Small networks in training, and what is known of them without torch."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hwflow import frontends
from hwflow.compression.exporting import Learned
from hwflow.compression.granularity import Granularity
from hwflow.compression.material import material_of
from hwflow.compression.qat import Trained, train, training_of
from hwflow.compression.request import Request
from hwflow.compression.skeleton import Skeleton, skeleton_of
from hwflow.compression.teachers import Teachers
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.samples import Samples, split
from tests.exploration.spaces import saved

SHORT: dict[str, Any] = {"epochs": 6, "batch": 16, "goal": "ebops=400", "io_type": "io_stream"}
"""A training of a second."""


def request(folder: Path, name: str = "mlp", **changes: Any) -> Request:
    """Return a request for a small network that is written to a folder."""
    model, data = saved(folder, name)
    return Request(**{"model": str(model), "data": str(data), **SHORT, **changes})


def skeleton(asked: Request) -> tuple[Skeleton, Samples]:
    """Return the skeleton of a request's network, and its data."""
    model = frontends.load(asked.model)
    samples = split(prepare(model), asked.data)
    return skeleton_of(model, samples.calibration), samples


def network(asked: Request, **granularity: Any) -> tuple[Any, Samples]:
    """Return a network with random bits, in training, and its data."""
    import torch

    from hwflow.compression.training.network import Network

    found, samples = skeleton(asked)
    made = Network(found, Granularity(**granularity))
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for bits in made.parameters_named("fraction"):
            least = -2 if bits.numel() > 8 else 1  # what few share must leave something
            bits.copy_(torch.randint(least, 5, bits.shape, generator=drawn).float())
    return made.eval(), samples


def trained(folder: Path, name: str = "mlp", **changes: Any) -> Trained:
    """Return a finished training."""
    return train(request(folder, name, **changes), folder / "run")


def begun(asked: Request) -> Any:
    """Return a training before its first epoch."""
    found, samples = skeleton(asked)
    material = material_of(
        Teachers(found.before, (found.before,)), samples, task="classification", drawn=0, seed=0
    )
    return training_of(found, material, asked)


def square(asked: Request) -> None:
    """Give a request's MLP as many outputs as inputs: all but its last layer."""
    proto = onnx.load(asked.model)
    last = proto.graph.node.pop()
    proto.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(last.input[0], 1, [1, 6]))
    onnx.save(proto, asked.model)


def bits_of(numbers: np.ndarray[Any, Any], fraction: int) -> int:
    """Return the bits of a number without its sign, by its digits."""
    whole = abs(round(float(numbers) * 2.0 ** int(fraction)))
    return whole.bit_length()


def same(a: Learned, b: Learned) -> bool:
    """Return whether two states are the same numbers."""
    left, right = a.arrays(), b.arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)
