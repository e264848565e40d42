"""Every Keras construct that was tried, with what becomes of it; writes ``docs/keras.md``.

Run ``python -m tests.frontends.keras.coverage > docs/keras.md`` after a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import Diagnostic
from hwflow.frontends.keras.environment import legacy_keras, quiet
from tests.frontends import construct_tables
from tests.frontends.keras import table_decoders, table_layers, table_quantizers, table_recurrent
from tests.frontends.keras.case import APPROXIMATE, EXACT, Case

Floats = npt.NDArray[np.float32]

SECTIONS: dict[str, tuple[Case, ...]] = {
    "Quantisers and functions on activations": table_quantizers.ACTIVATIONS,
    "Quantisers of weights": table_quantizers.WEIGHTS,
    "Convolutions": table_layers.CONVOLUTIONS,
    "Decoders": table_decoders.DECODERS,
    "Products": table_decoders.PRODUCTS,
    "Normalisation": table_layers.NORMALIZATIONS,
    "Pooling": table_layers.POOLINGS,
    "Plain activations": table_layers.PLAIN,
    "Moves, and other layers": table_layers.MOVES,
    "Recurrent layers": table_recurrent.RECURRENT,
    "Graphs": table_layers.GRAPHS,
}

CASES = tuple(case for table in SECTIONS.values() for case in table)
BUILT = tuple(c for c in CASES if not c.refused)
REFUSED = tuple(c for c in CASES if c.refused)

INTRODUCTION = """\
# Keras and QKeras

What becomes of each layer and quantiser of Keras and QKeras that was tried. This page is made by
`python -m tests.frontends.keras.coverage` from the table that `tests/frontends/keras` runs; a test
fails when it is out of date. [frontends.md](frontends.md) says how to read a model.

- **exact**: the hardware gives the numbers of `model.predict`, all of them, on random data and on
  the boundaries of the quantisers. Where float32 itself rounds (scales that are not powers of two,
  batch normalisation, biases without a quantiser), a quantiser stands behind the construct, and its
  numbers are compared.
- **approximate**: a table by nature; `hwflow verify` reports how far off it is.
- **HWnnn**: refused, with this message. [errors.md](errors.md) explains the codes.
"""


@cache
def models() -> dict[str, Any]:
    """Return the live models of all cases, with weights that exercise their quantisers."""
    keras = legacy_keras()
    import qkeras

    found = {}
    with quiet(), no_autograph():
        entries = {shape: keras.layers.Input(shape, name="x") for shape in {c.shape for c in CASES}}
        for case in CASES:
            x = entries[case.shape]
            model = found[case.name] = keras.Model(x, case(keras.layers, qkeras, x))
            give_weights(model, np.random.default_rng(len(case.name)))
    return found


@contextmanager
def no_autograph() -> Iterator[None]:
    """Keep TensorFlow from rewriting the source of QKeras' layers, which needs none and is slow."""
    from tf_keras.src.engine import base_layer_utils

    kept = base_layer_utils.is_subclassed
    base_layer_utils.is_subclassed = lambda layer: False
    try:
        yield
    finally:
        base_layer_utils.is_subclassed = kept


def prediction(case: Case, samples: int, *, graph: bool = False) -> Floats:
    """Return what ``predict`` gives for a case, run operator by operator or as a graph."""
    model, x = models()[case.name], inputs(case.shape, samples)
    model.compile(run_eagerly=not graph)
    with no_autograph():
        return np.asarray(model.predict(x, verbose=0) if graph else model.predict_on_batch(x))


def give_weights(model: Any, rng: np.random.Generator) -> None:
    """Give a model random weights, some of them at ties and far out of range."""
    for variable in model.weights:
        shape = tuple(variable.shape)
        name = variable.name.rpartition("/")[2].partition(":")[0]
        if name.startswith("ema_") or not variable.dtype.is_floating:
            continue  # what training arrived at
        values = rng.normal(0, 0.5, shape)
        if "variance" in name:
            values = np.abs(values) + 0.1
        elif name == "alpha":
            values = 2.0 ** -rng.integers(0, 4, shape)
        elif values.size > 4:
            values.flat[::5] = rng.integers(-9, 10, values.flat[::5].shape) / 16
            values.flat[-1] = 2.7
        variable.assign(values.astype(np.float32))


def inputs(shape: tuple[int, ...], samples: int) -> Floats:
    """Return multiples of 1/512 over more than the range of the first quantisers, and ties."""
    rng = np.random.default_rng(len(shape))
    x = rng.integers(-17 * 512, 17 * 512, (samples, *shape)) / 512
    quarter = samples // 4
    x[:quarter] = np.rint(x[:quarter] * 4) / 8
    x[quarter : 2 * quarter] = np.rint(x[quarter : 2 * quarter] * 128) / 512
    x[0] = 0
    return x.astype(np.float32)


def refusals() -> dict[str, tuple[Diagnostic, ...]]:
    """Return what cases are refused with."""
    return {case.name: construct_tables.findings(models()[case.name]) for case in REFUSED}


def document() -> str:
    """Return ``docs/keras.md``."""
    return page(refusals())


def page(said: construct_tables.Refusals) -> str:
    """Return ``docs/keras.md`` from the messages of the cases that are refused."""
    counts = {name: sum(c.outcome == name for c in CASES) for name in (EXACT, APPROXIMATE)}
    total = (
        f"{len(CASES)} constructs: {counts[EXACT]} exact, {counts[APPROXIMATE]} approximate, "
        f"{len(REFUSED)} refused, none silently different."
    )
    return construct_tables.page((INTRODUCTION, total), SECTIONS, said)


if __name__ == "__main__":
    print(document(), end="")
