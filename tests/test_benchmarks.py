"""What ``make bench`` is made of, on the smallest network and without C++."""

import json
from math import exp
from pathlib import Path

import numpy as np
import pytest

from hwflow.codegen.golden.model import golden_model
from hwflow.estimate import estimate
from hwflow.fixed import FixedType
from hwflow.ir.cost import Basis, Estimate
from hwflow.ir.op import Target
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.relu import Relu
from hwflow.ops.reshape import Reshape
from tests.benchmarks.bench_build import stages_text
from tests.benchmarks.bench_csim import with_one_layer_changed
from tests.benchmarks.bench_narrow import FIGURES, saving
from tests.benchmarks.bench_simulate import (
    against_float,
    design_of,
    given,
    kernels,
    runner,
    session,
    streamed,
)
from tests.benchmarks.calibration_points import Figure, figures_of, target_of
from tests.benchmarks.learned_intervals import Rule, fitted, learned
from tests.benchmarks.networks import networks
from tests.benchmarks.refitted import left_out_errors
from tests.benchmarks.report_graphs import GraphOfCalls, UnusableError
from tests.benchmarks.table import Row, as_json, text
from tests.benchmarks.timing import peak_megabytes, shortest
from tests.passes.graphs import dense, graph, source


def test_golden_model_and_float_network_are_timed_in_turn() -> None:
    network = networks()["jets"]
    design = design_of(network)
    x = network.draw(50)
    (expected,) = design.simulate(given(design, x)).outputs.values()
    golden = runner(session(golden_model(design.graph)), x)()
    np.testing.assert_array_equal(golden, expected)
    rows = list(against_float(network, design, sizes=(1, 10), rounds=1))
    ends = ["batches of 1", "batches of 10", "batches of 1, 1 thread", "batches of 10, 1 thread"]
    for row, end in zip(rows, ends, strict=True):
        assert row.measured.endswith(end)
        assert min(row.value, row.base) > 0
        assert row.target
    assert {"Gemm", "FusedGemm", "QGemm"} & kernels(golden_model(design.graph))


def test_a_file_of_samples_is_what_was_drawn(tmp_path: Path) -> None:
    network = networks()["jets"]
    network.write_data(tmp_path / "x.npy", 300_000)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert (x.shape, x.dtype) == ((300_000, 16), np.float32)
    np.testing.assert_array_equal(x[:1000], network.draw(1000))
    network.write_data(tmp_path / "few.npy", 7)
    assert streamed(design_of(network), tmp_path / "few.npy") == 7


def test_one_accumulator_differs_in_a_changed_project() -> None:
    project = design_of(networks()["jets"]).project
    changed = with_one_layer_changed(project)
    differing = [p for p in project.files if project.files[p] != changed.files[p]]
    assert differing == ["firmware/defines.h"]
    lines = [p.text("firmware/defines.h").splitlines() for p in (project, changed)]
    assert sum(a != b for a, b in zip(*lines, strict=True)) == 1


@pytest.mark.parametrize(
    ("row", "target", "met"),
    [
        (Row("n", "m", 6000, "samples/s", "csim", 10, least=600), ">= 600", True),
        (Row("n", "m", 5999, "samples/s", "csim", 10, least=600), ">= 600", False),
        (Row("n", "m", 1.0, "s", "float", 1.0, below=1.0), "< 1", False),
        (Row("n", "m", 1.2, "s", "float", 1.0, most=1.2), "<= 1.2", True),
        (Row("n", "m", 1, "values", most=0), "<= 0", False),
        (Row("n", "m", 1, "s", "again", 2), "", None),
    ],
)
def test_targets(row: Row, target: str, met: bool | None) -> None:
    assert (row.target, row.met) == (target, met)


def test_table() -> None:
    rows = [
        Row("net", "golden", 5999.0, "samples/s", "csim", 10.0, least=600),
        Row("net", "differing", 0, "values", most=0),
    ]
    first, _, one, two = text(rows).splitlines()
    assert first.split() == ["network", "measured", "against", "ratio", "target", "met"]
    assert " ".join(one.split()) == "net golden 5,999 samples/s csim 10 samples/s 600 >= 600 NO"
    assert " ".join(two.split()) == "differing 0 values <= 0 yes"
    found = json.loads(as_json(rows, {"net": {"total [s]": 1.5}}))
    assert [row["met"] for row in found["rows"]] == [False, True]
    assert found["machine"]["cores"] > 0
    assert found["builds"]["net"]["total [s]"] == 1.5
    lines = stages_text({"a": {"x [s]": 1.0}, "b": {}}).splitlines()
    assert lines[1].split() == ["x", "[s]", "1.00"]


def test_the_shortest_of_alternating_calls() -> None:
    calls: list[str] = []
    runs = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    assert set(shortest(runs, 2)) == {"a", "b"}
    assert calls == ["a", "b", "a", "b"]
    assert peak_megabytes() > 1


TYPE = {"w": 16, "i": 6, "signed": 1, "q": ""}
POINT = {
    "id": "a/b:0", "repo": "a/b", "tool": "2019.2", "part": "xcu250-figd2104-2L-e", "clk_ns": 5,
    "hls": {"dsp": 12, "ii_max": 1, "lat_max": 2, "bram18": 0, "lut": 500, "ff": 90},
    "layers": {
        "config2": {"n_in": 4, "n_out": 3, "strategy": "latency", "reuse_factor": 1, "acc": TYPE},
        "relu_config3": {"n_in": 3},
    },
    "calls": [
        {"fn": "dense", "cfg": "config2", "args": ["x", "y", "w2", "b2"], "types": [TYPE, TYPE]},
        {"fn": "relu", "cfg": "relu_config3", "args": ["y", "z"], "types": [TYPE, TYPE]},
    ],
    "weights": {"w2": {"npz": "w", "type": TYPE}},
}  # fmt: skip


def test_a_public_design_becomes_the_graph_of_its_calls() -> None:
    weight = np.array([43, 45, 51, 53, 75, 77, 83, 85, 89, 91, 93, 101])
    calls = GraphOfCalls(POINT, {"w": weight})
    graph = calls.build()
    assert [node.op.kind for node in graph.nodes] == ["Input", "Dense", "Relu"]
    dense = next(node.op for node in graph.nodes if node.op.kind == "Dense")
    np.testing.assert_array_equal(dense.weight.raw, weight.reshape(4, 3))  # type: ignore[attr-defined]
    target = target_of(POINT, calls.streams)
    assert (target.backend, target.io_type, target.tool) == (
        "Vivado",
        "io_parallel",
        "vivado 2019.2",
    )
    figures = {f.figure: f for f in figures_of(POINT, estimate(graph, target).total)}
    assert figures["dsp"].smape == 0
    assert figures["dsp"].inside
    assert "lut_synth" not in figures  # there is no report of logic synthesis
    with pytest.raises(UnusableError, match="not in the repository"):
        GraphOfCalls(POINT, {}).build()


def test_intervals_are_those_of_the_other_repositories() -> None:
    def figure(repo: str, real: float) -> Figure:
        return Figure("dsp", repo, repo, real, Estimate(99, 0, 0))

    alike = [figure(repo, real) for repo in "abc" for real in (49, 99, 199)]
    low, high = Rule(0.04, 1.0).ends(alike)
    assert 0.5 <= exp(low) < 0.6
    assert 1.7 < exp(high) <= 2.0
    assert Rule(0.04, 1.0).held_out(alike) == pytest.approx((100, 100))
    apart = [*alike, *(figure("d", 999) for _ in range(3))]
    assert Rule(0.04, 1.0).held_out(apart) == pytest.approx((75, 75))
    assert Rule(0.0, 6.0).held_out(apart) == pytest.approx((100, 100))


def test_intervals_hold_as_many_designs_of_other_repositories_as_they_say() -> None:
    rng = np.random.default_rng(1)

    def drawn(count: int) -> list[Figure]:
        shifts = rng.normal(0, 0.2, count)  # what a repository's designs have in common
        return [
            Figure("lut", f"r{k}", "", float(np.exp(rng.normal(m, 0.1)) * 1e6), Estimate(1e6))
            for k, m in enumerate(shifts)
            for _ in range(rng.integers(1, 6))
        ]

    known = drawn(20)
    low, high = learned(known).ends(known)
    unseen = [np.log(f.real / 1e6) for f in drawn(400)]
    assert 0.8 < np.mean([low <= r <= high for r in unseen]) < 0.98


def test_scales_are_fitted_without_the_repository_that_they_are_tried_on() -> None:
    def figure(k: int, factor: float, parts: tuple[float, float]) -> Figure:
        real = factor * (1.5 * parts[0] + 0.75 * parts[1])
        named = (("a", parts[0]), ("b", parts[1]))
        return Figure("lut", f"r{k}", "", real, Estimate(sum(parts)), named)

    rng = np.random.default_rng(2)
    parts = [(float(a), float(b)) for a, b in rng.uniform(1e4, 1e6, (12, 2))]
    alike = [figure(k, 1.0, two) for k, two in enumerate(parts)]
    assert max(left_out_errors(alike)) < 6  # two factors, tried in steps of 5 %
    assert np.mean([f.smape for f in alike]) > 10
    odd = [*alike[:-1], figure(11, 3.0, parts[11])]
    assert left_out_errors(odd)[-1] == pytest.approx(100, abs=4)  # 200 (3 - 1) / (3 + 1)


def test_intervals_are_learned_on_what_is_fitted() -> None:
    known = Estimate(1, 1, 2)
    estimates = (Estimate.exact(1), known, known.on(Basis.EXTRAPOLATED))
    figures = [Figure("ii", "a", "", 1, estimate) for estimate in estimates]
    assert fitted(figures) == figures[1:2]


def test_narrow_types_save_and_change_no_result() -> None:
    """A relu of 16 bits gives 15 without a sign, of which the pool and its FIFOs have 15, too."""
    wide = FixedType(16, 6)
    pool = MaxPool(kernel=(2,), strides=(2,), pads=((0, 0),))
    layers = (
        source((4, 8), wide), ("r", Relu(result_t=wide), ["x"]), ("p", pool, ["r"]),
        ("f", Reshape(shape=(16,)), ["p"]), ("fc", dense(16), ["f"]),
    )  # fmt: skip
    found = saving(graph(*layers), Target(io_type="io_stream"))
    assert (found.types, found.wrong) == (1, 0)
    less = dict(zip(FIGURES, zip(found.after, found.before, strict=True), strict=True))
    assert less["lut"][0] < less["lut"][1]
    assert less["ff"][0] < less["ff"][1]
