"""Layers of tables: what is trained, what is written, and what hardware computes are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.compression.exporting import Learned, exported
from hwflow.compression.folder import MODEL, RESULT
from hwflow.compression.granularity import Granularity
from hwflow.compression.qat import train
from hwflow.compression.tables import tabled
from hwflow.core.errors import CompileError
from hwflow.frontends.ensemble import save_model
from tests.compression.trainings import request, same, skeleton, trained

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def tables(folder: Path, name: str, layers: tuple[str, ...] = ()) -> tuple[Any, Any]:
    """Return a network of tables with random bits and curves, and samples."""
    from hwflow.compression.training.network import Network

    found, samples = skeleton(request(folder, name))
    made = Network(found, Granularity(), tabled(found.model, layers))
    drawn = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for table in made.tables.values():
            module = table.module
            module.curve.value.add_(torch.randn(module.curve.value.shape, generator=drawn))
            for bits, low, high in ((module.reading, -1, 5), (module.entry, -2, 5)):
                shape = bits.fraction.shape
                bits.fraction.copy_(torch.randint(low, high, shape, generator=drawn).float())
    return made.eval(), samples


@pytest.mark.parametrize("name", ["mlp", "residual", "branches"])
def test_design_computes_what_was_trained(name: str, tmp_path: Path) -> None:
    made, samples = tables(tmp_path, name)
    x = samples.held_out["x"]
    ours = made({"x": torch.from_numpy(x)})
    path = save_model(exported(made.skeleton, made.learned()), tmp_path / "tables.onnx")
    design = hwflow.compile(path, io_type="io_stream")
    kinds = [n.op.kind for n in design.graph.nodes]
    assert kinds.count("LookupDense") == len(made.tables) > 0
    assert "Dense" not in kinds
    for output, wanted in ours.items():
        found = design.simulate({"x": x}).outputs[output]
        assert np.array_equal(found, wanted.detach().numpy().reshape(found.shape))
        assert len(np.unique(found)) > 10
    verified = design.verify({"x": x}, cpp=False)
    assert verified.lossless is not None
    assert verified.lossless.mismatches == 0


def test_some_layers_stay_products(tmp_path: Path) -> None:
    names = tuple(skeleton(request(tmp_path))[0].layers.values())
    made, samples = tables(tmp_path, "mlp", names[:1])
    x = samples.held_out["x"]
    (ours,) = made({"x": torch.from_numpy(x)}).values()
    design = hwflow.compile(exported(made.skeleton, made.learned()))
    kinds = [n.op.kind for n in design.graph.nodes]
    assert kinds.count("LookupDense") == 1
    assert kinds.count("Dense") == len(names) - 1
    (found,) = design.simulate({"x": x}).outputs.values()
    assert np.array_equal(found, ours.detach().numpy())


def test_a_layer_begins_as_the_dense_layer(tmp_path: Path) -> None:
    from hwflow.compression.training.network import Network

    found, samples = skeleton(request(tmp_path))
    table, dense = (
        Network(found, Granularity(), tabled(found.model, t)).eval() for t in ((), None)
    )
    assert not dense.tables
    with torch.no_grad():
        for ours, theirs in zip(table.activations, dense.activations, strict=True):
            theirs.fraction.copy_(ours.fraction)
        for made in (table, dense):
            for bits in made.parameters_named("fraction"):
                if bits.dim() == 2 and bits.shape[0] > 1:
                    bits.fill_(12.0)  # weights and entries lose next to nothing
        x = {"x": torch.from_numpy(samples.held_out["x"])}
        pairs = zip(table(x).values(), dense(x).values(), strict=True)
        assert max(float((a - b).abs().max()) for a, b in pairs) < 0.2


def test_state_is_restored_and_kept_as_arrays(tmp_path: Path) -> None:
    made, samples = tables(tmp_path, "mlp")
    kept = made.learned()
    again = Learned.of_arrays(kept.arrays())
    assert same(kept, again)
    x = {"x": torch.from_numpy(samples.held_out["x"])}
    (before,) = made(x).values()
    with torch.no_grad():
        for value in made.parameters():
            value.add_(1)
    assert not same(made.learned(), kept)
    made.restore(again)
    (after,) = made(x).values()
    assert torch.equal(before, after)


def layer(bits: int = 4) -> tuple[Any, Any]:
    """Return a layer of 3 inputs of ``bits`` bits in -1 to 1, and 2 outputs, with its grid."""
    from hwflow.compression.training.tables import Grid, TableSums

    drawn = torch.Generator().manual_seed(0)
    ends = torch.ones(3)
    fraction = torch.full((3,), float(bits - 1))
    made = TableSums(torch.randn(3, 2, generator=drawn), -ends, ends, fraction)
    with torch.no_grad():
        made.curve.value.copy_(torch.randn(made.curve.value.shape, generator=drawn) / 4)
        made.entry.fraction.fill_(12.0)
    return made, Grid.of(torch.zeros(3), fraction, torch.ones(3))


def test_gradients_of_curves_are_those_of_the_sums() -> None:
    made, grid = layer()
    x = torch.tensor([[0.5, -1.0, 0.125], [0.5, 0.875, 0.0]])
    weight = torch.tensor([[1.0, 2.0], [-1.0, 0.5]])

    def value() -> Any:
        made.refresh(grid)
        return (made(x) * weight).sum()

    value().backward()
    found = made.curve.value.grad.clone()
    step, places = 0.25, [(0, 6, 0), (1, 0, 1), (2, 4, 1), (0, 1, 0)]
    for place in places:
        ends = []
        for side in (1, -1):
            with torch.no_grad():
                made.curve.value[place] += side * step
                ends.append(float(value()))
                made.curve.value[place] -= side * step
        measured = (ends[0] - ends[1]) / (2 * step)
        assert measured == pytest.approx(float(found[place]), abs=2e-3)
    assert float(found[0, 1, 0]) == 0, "no sample is near that knot"


def test_gradients_of_inputs_are_slopes_of_the_tables() -> None:
    made, grid = layer(bits=6)
    made.refresh(grid)
    x = torch.tensor([[0.5, -0.25, 0.125]], requires_grad=True)
    made(x)[0, 1].backward()
    for i in range(3):
        place = round((float(x[0, i].detach()) + 1) * 32)
        sides = made.table[i, [place - 1, place + 1], 1]
        assert float(x.grad[0, i]) == pytest.approx(float(sides[1] - sides[0]) * 16, rel=1e-5)


def test_bits_cost_what_is_counted_by_hand() -> None:
    made, grid = layer(bits=6)
    with torch.no_grad():
        made.reading.fraction.fill_(2.0)  # 3 bits with the sign: 0.3 LUT for each bit
        made.entry.fraction.fill_(1.0)
        made.reading.fraction[0] = 5.0  # all 6 bits: 1 LUT for each bit
    made.refresh(grid)
    most = made.table.abs().amax(dim=1)
    bits = torch.ceil(torch.log2(2 * most + 1)) + 1  # of -most to most, in halves
    bits = bits * (made.table != made.table[:, :1]).any(dim=1)
    share = torch.tensor([[2.0], [1.3], [1.3]])
    assert float(made.cost()) == pytest.approx(float((bits * share).sum()), rel=1e-6)
    made.cost().backward()
    assert (made.entry.fraction.grad >= 0).all()
    assert float(made.reading.fraction.grad.sum()) > 0


def test_coarser_tables_read_no_more_than_their_bits() -> None:
    made, grid = layer(bits=5)
    with torch.no_grad():
        made.reading.fraction.fill_(1.0)  # of 4: cells of 8 numbers
    made.refresh(grid)
    cells = made.table.reshape(3, 4, 8, 2)
    assert (cells == cells[:, :, :1]).all()
    assert (cells[:, 0] != cells[:, 1]).any()


@pytest.mark.slow
def test_training_meets_a_goal_and_every_sample_agrees(tmp_path: Path) -> None:
    found = trained(tmp_path, tables=(), goal="lut=1600", epochs=60, io_type="io_parallel")
    chosen = found.result["chosen"]
    assert found.reached
    assert chosen["lut_synth"] <= 1600
    assert found.result["compared"] == chosen["samples"]
    design = hwflow.compile(tmp_path / "run" / MODEL)
    assert design.estimate().total.lut_synth.value == chosen["lut_synth"]


def test_training_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    from hwflow.compression.training.checkpoint import load, save
    from tests.compression.trainings import begun

    asked = request(tmp_path, tables=(), epochs=3)
    whole = train(asked, tmp_path / "whole")
    half = begun(asked)
    steps = half.run()
    next(steps)
    save(half, tmp_path / "half.pt")
    other = begun(asked)
    load(other, tmp_path / "half.pt")
    rest = list(other.run())
    assert [e.number for e in rest] == [1, 2]
    points = {p["epoch"]: p for p in whole.result["points"]}
    for epoch in rest:
        if epoch.number in points:
            assert points[epoch.number]["loss"] == epoch.loss
    assert (whole.folder / RESULT).is_file()


def test_unknown_layers_are_refused_and_the_help_works(tmp_path: Path) -> None:
    asked = request(tmp_path, tables=("fc9",), epochs=1)
    with pytest.raises(CompileError) as refused:
        train(asked, tmp_path / "run")
    (finding,) = refused.value.diagnostics
    assert finding.code == "HW373"
    name = finding.supported.split(", ")[0]
    assert train(replace(asked, tables=(name,)), tmp_path / "named").result["compared"] > 0
    assert train(replace(asked, tables=()), tmp_path / "all").result["compared"] > 0
