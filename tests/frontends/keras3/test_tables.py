"""Tables of HGQ hold the numbers of the model itself: every entry of every table is compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import hwflow
from hwflow.project.design import Design

pytest.importorskip("hgq")

pytestmark = pytest.mark.keras

CHANNELS = 2

FUNCTIONS = (
    "tanh", "sigmoid", "exponential", "softplus", "softsign", "elu", "selu", "gelu", "mish",
)  # fmt: skip


def every_entry() -> npt.NDArray[np.float32]:
    """Return all operands of 13 bits from -16 to 16, in every channel."""
    return np.repeat((np.arange(-(2**12), 2**12) / 2**8)[:, None], CHANNELS, 1).astype(np.float32)


def luts(
    functions: Sequence[str], rounding: str, *, affine: bool = False, few: bool = False
) -> Any:
    """Return a model of a table for each function, their results beside each other.

    Args:
        functions: their names.
        rounding: of the quantisers behind them.
        affine: a line goes before each function.
        few: a channel with 8 bits before the function and one with none, instead of 13.
    """
    import hgq.layers
    import keras
    from hgq.config import QuantizerConfig

    before = QuantizerConfig("kif", "datalane", round_mode="RND", overflow_mode="SAT")
    after = QuantizerConfig(
        "kif", "table", round_mode=rounding, overflow_mode="SAT",
        heterogeneous_axis=None, homogeneous_axis=(0,),
    )  # fmt: skip
    kind = hgq.layers.QAffinedUnaryFunctionLUT if affine else hgq.layers.QUnaryFunctionLUT
    x = keras.Input((CHANNELS,), name="x")
    layers = [kind(function, iq_conf=before, oq_conf=after) for function in functions]
    results = [layer(x) for layer in layers]
    for layer in layers:
        set_bits(layer.iq, 4, [3, -5] if few else 8)
        set_bits(layer.oq, 1, [7, 5] if few else 12)
        if affine:
            layer.scale.assign(np.array([0.731], np.float32))
            layer.bias.assign(np.array([0.113], np.float32))
    return keras.Model(x, results if len(results) == 1 else keras.layers.Concatenate()(results))


def set_bits(quantizer: Any, whole: int, fractional: Any) -> None:
    internal = quantizer.quantizer
    shape = tuple(internal._i.shape)
    internal._k.assign(np.ones(shape, np.uint8))
    internal._i.assign(np.full(shape, whole, np.float32))
    internal._f.assign(np.broadcast_to(np.asarray(fractional, np.float32), shape))


def differing(model: Any, source: Any, x: npt.NDArray[np.float32]) -> int:
    design = hwflow.compile(source)
    (ours,) = design.simulate(x).outputs.values()
    return int((ours != np.asarray(model.predict(x, verbose=0))).sum())


@pytest.mark.parametrize(
    ("rounding", "functions"),
    [("TRN", FUNCTIONS), ("RND", FUNCTIONS[:2]), ("RND_CONV", FUNCTIONS[:2])],
)
def test_every_entry_is_the_live_models(rounding: str, functions: Sequence[str]) -> None:
    model = luts(functions, rounding)
    assert differing(model, model, every_entry()) == 0


@pytest.mark.parametrize("affine", [False, True])
def test_channels_without_bits_and_lines_before_the_function(affine: bool) -> None:
    model = luts(FUNCTIONS[:4], "TRN", affine=affine, few=True)
    assert differing(model, model, every_entry()) == 0


def test_a_truncating_tanh_reaches_1_where_the_real_one_does_not() -> None:
    """The difference is the point: the real function, truncated, gives other numbers."""
    model, x = luts(("tanh",), "TRN"), every_entry()
    found = np.asarray(model.predict(x, verbose=0))
    real = np.floor(np.tanh(x.astype(np.float64)) * 2**12) / 2**12
    real[x > 9] = 1 - 2.0**-12  # which float64 rounds to 1 from 19 on
    assert (found != real).sum() > 0
    verified = hwflow.compile(model).verify(x, cpp=False)
    assert verified.lossless is not None
    assert str(verified.lossless.verdict) == "lossless"
    assert verified.budget is not None, "the float reference has the real function"
    assert verified.budget.outputs[0].error.max_abs < 2.0**-11


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model = luts(("tanh",), "TRN")
    path = tmp_path_factory.mktemp("tables") / "tanh.keras"
    model.save(path)
    return model, path


def warned(design: Design) -> list[str]:
    return [w.found for w in design.warnings if w.code == "HW286"]


def test_a_file_has_the_nearest_float32_and_says_what_depends_on_the_backend(
    saved: tuple[Any, Path],
) -> None:
    model, path = saved
    design = hwflow.compile(path)
    (found,) = warned(design)
    x = every_entry()[:, :1]
    nearest = np.tanh(x.astype(np.float64)).astype(np.float32)
    close = (x > 7.9) & (nearest < 1)  # TensorFlow's is 1 there already
    assert int(found.split()[0]) >= int(close.sum()) > 0
    (ours,) = design.simulate(every_entry()).outputs.values()
    assert np.array_equal(ours[:, :1], np.floor(nearest * 2.0**12) / 2.0**12)
    assert warned(hwflow.compile(model)) == [], "the help of the warning"


def test_no_warning_where_every_backend_agrees(tmp_path: Path) -> None:
    luts(("tanh",), "RND_CONV", few=True).save(tmp_path / "tanh.keras")
    assert warned(hwflow.compile(tmp_path / "tanh.keras")) == []


@pytest.mark.parametrize("stable", [True, False])
def test_every_entry_of_the_tables_of_a_softmax(stable: bool) -> None:
    """With two channels, one of them the largest, all differences and many sums occur."""
    import hgq.layers
    import keras
    from hgq.config import QuantizerConfig

    before = QuantizerConfig("kif", "datalane", round_mode="RND", overflow_mode="SAT")
    x = keras.Input((2,), name="x")
    layer = hgq.layers.QSoftmax(stable=stable, iq_conf=before, enable_iq=True)
    model = keras.Model(x, layer(x))
    set_bits(layer.iq, 3, 5)
    if stable:
        set_bits(layer.exp_table.iq, 4, 6)
    for table in (layer.exp_table, layer.inv_table):
        internal = table.oq.quantizer
        internal._i.assign(np.full(tuple(internal._i.shape), 2, np.float32))
        bits = internal._f if hasattr(internal, "_f") else internal._b
        bits.assign(np.full(tuple(bits.shape), 10, np.float32))
    set_bits(layer.inv_table.iq, 4, 8)
    grid = np.arange(-(2**8), 2**8) / 2**5
    samples = np.stack([np.full(grid.shape, grid.max()), grid], 1).astype(np.float32)
    samples = np.concatenate([samples, samples[:, ::-1], samples - 7])
    assert differing(model, model, samples) == 0
