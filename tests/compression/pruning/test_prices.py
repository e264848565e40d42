"""Prices and groups: shares of the estimate, and what a multiplier serves."""

from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.compression.pruning.choice import choose
from hwflow.compression.pruning.groups import groups_of
from hwflow.compression.pruning.prices import prices_of
from hwflow.compression.pruning.saliency import magnitudes
from hwflow.compression.rough import Hardware, Rough, integers_of
from hwflow.compression.target import DSP, EBOPS, LUT, WEIGHTS, read_limits
from hwflow.core.errors import CompileError
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.samples import split
from hwflow.ir.qonnx.model import QonnxModel
from tests.exploration.spaces import saved


def opened(folder: Path, name: str = "mlp", **hardware: object) -> tuple[QonnxModel, Rough]:
    path, data = saved(folder, name)
    model = prepare(hwflow.load(path))
    given = Hardware(**hardware)  # type: ignore[arg-type]
    return model, Rough(given, split(model, data), model)


@pytest.mark.parametrize(
    ("name", "hardware"),
    [
        ("mlp", {}), ("residual", {"io_type": "io_stream"}),
        pytest.param("mlp", {"bits": "w=14,a=14"}, marks=pytest.mark.slow),
        ("mlp", {"bits": "w=14,a=14", "reuse_factor": 2}),
    ],
)  # fmt: skip
def test_prices_add_up_to_the_estimate(
    name: str, hardware: dict[str, object], tmp_path: Path
) -> None:
    model, rough = opened(tmp_path, name, **hardware)
    design = rough.hardware.compiled(rough.quantized(model))
    total = design.estimate().total
    for measure, price in prices_of(model, rough, (LUT, DSP)).items():
        added = sum(float(p.sum()) for p in price.weights.values()) + price.fixed
        assert added == pytest.approx(getattr(total, measure).value)
        assert all((p >= 0).all() for p in price.weights.values())


def test_a_lost_weight_saves_about_its_price(tmp_path: Path) -> None:
    model, rough = opened(tmp_path)
    price, luts = prices_of(model, rough, (LUT,))[LUT], rough.figures(model, (LUT,))[LUT]
    layer = list(layers_of(model))[1]
    matrix, kept = layer.matrix(), layer.matrix().copy()
    own = price.weights[layer.node.name or ""]
    saved_luts, prices = [], []
    for place in np.ndindex(*matrix.shape):
        matrix[place] = 0.0
        layer.set_matrix(matrix)
        saved_luts.append(luts - rough.figures(model, (LUT,))[LUT])
        prices.append(own[place])
        matrix[place] = kept[place]
        if len(prices) == 12:
            break
    assert np.corrcoef(saved_luts, prices)[0, 1] > 0.7
    assert 0.4 < sum(saved_luts) / sum(prices) < 2.0


def test_operations_are_bits_times_bits(tmp_path: Path) -> None:
    model, rough = opened(tmp_path)
    made = rough.quantized(model)
    counted = 0
    for layer in layers_of(made):  # weights and inputs of a dense layer, one product each
        for number in integers_of(layer).ravel():
            counted += abs(int(number)).bit_length() * 8
    assert prices_of(model, rough, (EBOPS,))[EBOPS].total == counted
    assert rough.figures(model, (EBOPS,))[EBOPS] == counted


def test_equal_constants_on_an_input_are_one_group(tmp_path: Path) -> None:
    model, rough = opened(tmp_path)
    made, values = rough.quantized(model), magnitudes(model)
    groups = groups_of(model, "dsp", made=made, hardware=rough.hardware, values=values)
    pairs = set()
    for layer in layers_of(made):
        whole, live = integers_of(layer)[0], magnitudes(model)[layer.node.name or ""][0] > 0
        for (row, column), number in np.ndenumerate(whole):
            if live[row, column]:
                pairs.add((layer.node.name, column, int(number)))
    assert groups.count == len(pairs)


@pytest.mark.parametrize("pattern", ["dsp", "adder"])
def test_groups_are_as_large_as_what_takes_turns(pattern: str, tmp_path: Path) -> None:
    model, rough = opened(tmp_path, reuse_factor=2)
    made, values = rough.quantized(model), magnitudes(model)
    groups = groups_of(
        model, pattern, made=made, hardware=rough.hardware, values=values  # type: ignore[arg-type]
    )  # fmt: skip
    for layer in layers_of(model):
        own = groups.owners[0][layer.node.name or ""]
        _, counts = np.unique(own, return_counts=True)
        assert counts.max() == 2
        if pattern == "adder":  # neighbours of one output
            for row in own[0]:
                assert np.array_equal(row[::2], row[1::2])


@pytest.mark.slow
def test_dsp_blocks_leave_with_their_groups(tmp_path: Path) -> None:
    model, rough = opened(tmp_path, bits="w=14,a=14", reuse_factor=2)
    before = rough.figures(model, (DSP,))[DSP]
    limit = {DSP: before // 2}
    found = choose(model, rough, limit, pattern="dsp", values=magnitudes(model))
    assert found.met
    design = rough.hardware.compiled(rough.quantized(found.model))
    assert design.estimate().total.dsp.value == found.figures[DSP] <= before // 2


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("lut=3000", {LUT: 3000.0}), ("dsp=4", {DSP: 4.0}), ("ebops=10", {EBOPS: 10.0}),
        ("sparsity=0.75", {WEIGHTS: 25.0}), ("fits=pynq-z2", {LUT: 0.7 * 53200, DSP: 0.8 * 220}),
    ],
)  # fmt: skip
def test_goals_are_limits(text: str, limits: dict[str, float]) -> None:
    assert read_limits(text, 100) == pytest.approx(limits)


@pytest.mark.parametrize("text", ["sparsity=1", "sparsity=0", "lut=", "fits=", "bits=4", "dsp=-1"])
def test_other_goals_are_refused(text: str) -> None:
    with pytest.raises(CompileError) as refused:
        read_limits(text, 100)
    assert [d.code for d in refused.value.diagnostics] == ["HW351"]
