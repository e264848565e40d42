"""Holds the hardware of a QKeras classifier against Keras' own ``predict``, before its softmax.

Run ``python tests/benchmarks/bench_keras.py MODEL --data X.npz [--weights W.h5]``, with a ``.h5``
or a ``.json`` and its weights, that ends in a softmax; ``X.npz`` holds the inputs as ``x``. Keras
is given the inputs as the port of the hardware rounds them, and as they are.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

import hwflow
from hwflow.frontends.keras.environment import legacy_keras


def keras_model(path: Path, weights: Path | None) -> Any:
    """Return the model as QKeras itself loads it."""
    legacy_keras()
    from qkeras import utils

    if path.suffix != ".json":
        return utils.load_qmodel(str(path), compile=False)
    model = utils.quantized_model_from_json(path.read_text())
    model.load_weights(str(weights or path.with_name(f"{path.stem}_weights.h5")))
    return model


def main() -> int:
    """Print the comparison; return 1 where a value differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    design = hwflow.compile(given.model, weights=given.weights)
    data = np.load(given.data)
    (port,) = design.graph.inputs
    softmax = design.graph.by_name[design.graph.outputs[0].value]
    found = design.simulate(data["x"], keep_layers=True)
    rounded = found.layers[port.value].values.astype(np.float32)
    ours = found.layers[softmax.inputs[0]].values

    model = keras_model(given.model, given.weights)
    logits = type(model)(model.layers[:-1]) if type(model).__name__ == "Sequential" else None
    logits = logits or model.__class__(model.inputs, model.layers[-2].output)
    theirs = logits.predict(rounded, verbose=0)
    wrong = int((ours != theirs).sum())
    print(f"{given.model.name}: {wrong} of {ours.size} values before the softmax differ")
    after = found.outputs[design.graph.outputs[0].name].argmax(1)
    for name, x in (("rounded", rounded), ("given", data["x"])):
        same = float((model.predict(x, verbose=0).argmax(1) == after).mean())
        print(f"  class after the softmax, inputs as {name}: {same:.2%} agree with predict")
    checked = design.verify(given.data)
    before = [m for m in checked.lossless.layers if m.name != softmax.name]
    differ = sum(m.mismatches for m in before)
    print(f"  faithful {checked.faithful.holds}, {differ} mismatches in {len(before)} layers")
    if checked.errors[0].accuracy is not None:
        print(f"  accuracy {checked.errors[0].accuracy:.2%}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
