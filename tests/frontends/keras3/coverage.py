"""Every HGQ construct that was tried, with what becomes of it; writes ``docs/hgq.md``.

Run ``python -m tests.frontends.keras3.coverage > docs/hgq.md`` after a change.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import Diagnostic
from hwflow.frontends import load
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel
from tests.frontends import construct_tables
from tests.frontends.keras3 import table
from tests.frontends.keras3.case import EXACT, Case

Floats = npt.NDArray[np.float32]

SECTIONS: dict[str, tuple[Case, ...]] = {
    "Quantisers of activations": table.QUANTIZERS,
    "Layers": table.LAYERS,
    "Recurrent layers": table.RECURRENT,
    "Graphs": table.GRAPHS,
}

CASES = tuple(case for section in SECTIONS.values() for case in section)
BUILT = tuple(c for c in CASES if not c.refused)
REFUSED = tuple(c for c in CASES if c.refused)

INTRODUCTION = """\
# HGQ2 and Keras 3

What becomes of each layer and quantiser of HGQ2 that was tried. This page is made by
`python -m tests.frontends.keras3.coverage` from the table that `tests/frontends/keras3` runs; a
test fails when it is out of date. [frontends.md](frontends.md) says how to read a model.

- **exact**: the hardware gives the numbers of `model.predict`, all of them, on random data beyond
  the range of the quantisers and on their boundaries. Every activation and every weight has random
  bits of its own, none at all among them.
- **HWnnn**: refused, with this message. [errors.md](errors.md) explains the codes.

A function between two quantisers (`QUnaryFunctionLUT`, the tables of `QSoftmax`) is the float32
numbers that Keras computes for its points, 65,536 at most. So it is in hardware, in the QONNX
model (`hwflow.fixed::Table`) and for the exact reference of `hwflow verify`. They are not the real
function: a truncated hyperbolic tangent reaches 1 where the real one does not. The float reference
has the real function.

A live model computes these numbers itself. For a `.keras` file, whose code of Keras does not run,
they are the float32 nearest to the real result; backends are a unit in the last place or more
beside it, differently. HW286 counts the numbers where that can change an entry; give the live model
then.
"""


@cache
def models() -> dict[str, Any]:
    """Return the live models of all cases, with random weights and random bits."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import hgq.layers
    import keras
    from hgq.config import QuantizerConfig, QuantizerConfigScope

    found = {}
    for case in CASES:
        with QuantizerConfigScope(place="datalane", **case.scope):
            x = keras.Input(case.shape, name="x")
            model = keras.Model(x, case.body(keras, hgq.layers, QuantizerConfig, x))
        give_weights(model, np.random.default_rng(len(case.name)), tables=case.tables)
        found[case.name] = model
    return found


def give_weights(model: Any, rng: np.random.Generator, *, tables: bool = False) -> None:
    """Give a model random weights, and each of its quantisers random bits."""
    from hgq.quantizer.internal.fixed_point_quantizer import FixedPointQuantizerBase

    for layer in model._flatten_layers():
        if isinstance(layer, FixedPointQuantizerBase):
            _give_bits(layer, rng, tables=tables)
            continue
        for variable in (*layer._trainable_variables, *layer._non_trainable_variables):
            if not variable.shape:
                continue  # counters of HGQ
            values = rng.normal(0, 1, variable.shape)
            positive = "variance" in variable.name
            variable.assign((np.abs(values) + 0.1 if positive else values).astype(np.float32))


def _give_bits(quantizer: Any, rng: np.random.Generator, *, tables: bool) -> None:
    shape = tuple(quantizer._i.shape)
    one = tables and int(np.prod(shape)) == 1
    signs = rng.random(shape) < 0.8
    whole = np.full(shape, 1.0) if one else rng.integers(-2, 4, shape)
    quantizer._k.assign((signs | one | quantizer._is_weight).astype(np.uint8))
    quantizer._i.assign(whole.astype(np.float32))
    if hasattr(quantizer, "_f"):  # trained bits are no whole numbers
        quantizer._f.assign((rng.integers(0, 5, shape) - 0.2).astype(np.float32))
    else:
        bits = np.full(shape, 7.0) if one else rng.integers(0, 6, shape)
        quantizer._b.assign((bits + 0.3).astype(np.float32))


@cache
def _read(name: str) -> QonnxModel:
    """Return a case's model as it is read; to save it takes Keras longer than all the rest."""
    return load(models()[name])


def read(case: Case) -> QonnxModel:
    """Return a case's model as a QONNX model that may be changed."""
    return clone(_read(case.name))


def prediction(case: Case, samples: int) -> Floats:
    """Return what ``predict`` gives for a case."""
    return np.asarray(models()[case.name].predict(inputs(case, samples), verbose=0))


def inputs(case: Case, samples: int) -> Floats:
    """Return multiples of 1/256 over more than the range of most formats, and many ties."""
    rng = np.random.default_rng(len(case.shape))
    x = rng.integers(-2000, 2000, (samples, *case.shape)) / 256
    third = samples // 3
    x[:third] = np.rint(x[:third] * 16) / 32
    x[0] = 0
    return x.astype(np.float32)


def refusals() -> dict[str, tuple[Diagnostic, ...]]:
    """Return what cases are refused with."""
    return {case.name: construct_tables.findings(models()[case.name]) for case in REFUSED}


def page(said: construct_tables.Refusals) -> str:
    """Return ``docs/hgq.md`` from the messages of the cases that are refused."""
    total = (
        f"{len(CASES)} constructs: {len(BUILT)} {EXACT}, {len(REFUSED)} refused, none silently "
        "different."
    )
    return construct_tables.page((INTRODUCTION, total), SECTIONS, said)


if __name__ == "__main__":
    print(page(refusals()), end="")
