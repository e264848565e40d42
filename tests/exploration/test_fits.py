"""Configurations with fitted settings: the best that a fit gives, built as they were found."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.cli import main
from hwflow.core.errors import CompileError
from hwflow.core.files import write_file
from hwflow.exploration import fits
from hwflow.exploration.export import export_run
from hwflow.exploration.pick import Choice, pick
from hwflow.exploration.pictures.figures import certainty
from hwflow.exploration.request import Request
from hwflow.exploration.run import Run, explore, open_run
from hwflow.exploration.saving import FRONT
from hwflow.exploration.tree import Tree
from tests.exploration.spaces import request

LUT = 1000
RESOURCE = {name: {"strategy": "resource"} for name in ("gemm4", "gemm10", "gemm16")}


def asked(folder: Path, **changes: Any) -> Request:
    """Return a request whose configurations take more LUTs without reuse than allowed."""
    given = {
        "bits": "w=4,12 a=5", "samples": 60, "cost": ("latency_ns",), "fit": {"lut": f"{LUT}"},
        "target": {"strategy": "resource"},
    }  # fmt: skip
    return request(folder, **{**given, **changes})


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("fits")
    return explore(asked(folder), folder / "run")


def test_the_front_is_that_of_fits_of_all(found: Run) -> None:
    run_request, _ = open_run(found.folder)
    (front,) = found.result["fronts"]
    explorer = fits.Explorer.of(run_request)
    rows = []
    for number in range(explorer.space.size):
        model = hwflow.quantize(
            run_request.model, run_request.data, explorer.space.bits(number), independent=True,
        ).model  # fmt: skip
        fit = hwflow.fit(
            model, board="pynq-z2", io_type="io_parallel", budgets={"lut": LUT},
            config={"layer": RESOURCE},
        )  # fmt: skip
        right = explorer.tree(explorer.search).counts(np.array([number]))[0, 0]
        if fit.best is not None:
            rows.append((int(right), fit.best.latency_ns, number))
    assert front["fitted"]["kept"] == len(rows)
    latencies = {number: ns for _, ns, number in rows}
    best = [
        number for right, ns, number in rows
        if not any(
            r >= right and n <= ns and (r > right or n < ns or other < number)
            for r, n, other in rows if other != number
        )
    ]  # fmt: skip
    assert sorted(p["id"] for p in front["points"]) == best
    assert found.result["certified"]
    assert "each with fitted settings" in certainty(found.result)
    for point in front["points"]:
        assert point["cost"]["latency_ns"][0] == latencies[point["id"]]
        assert point["cost"]["lut_synth"][0] <= LUT


def test_what_fits_with_reuse_alone_is_on_the_front(found: Run) -> None:
    explorer = fits.Explorer.of(open_run(found.folder)[0])
    explorer.boards[0].cover(lambda done: None)
    points = {p["id"]: p["layers"] for p in found.result["fronts"][0]["points"]}
    luts = explorer.boards[0].figures(np.array([*points]))["lut_synth"]
    larger = [number for number, lut in zip(points, luts, strict=True) if lut > LUT]
    assert larger
    for number in larger:
        assert max(s.get("reuse_factor", 1) for s in points[number].values()) > 1


def test_a_picked_point_has_its_settings(found: Run, tmp_path: Path) -> None:
    best = found.result["fronts"][0]["points"][0]
    picked = pick(found.folder, tmp_path / "build", Choice(number=best["id"]), cpp=False)
    total = picked.design.estimate().total
    assert total.lut_synth.value == best["cost"]["lut_synth"][0] <= LUT
    assert picked.design.config.layers == best["settings"]["layer"]


def test_other_costs_than_stored_are_refused(found: Run, tmp_path: Path) -> None:
    kept = (found.folder / FRONT).read_bytes()
    result = json.loads(kept)
    result["fronts"][0]["points"][0]["cost"]["lut"][1] += 1
    number = result["fronts"][0]["points"][0]["id"]
    try:
        write_file(found.folder / FRONT, json.dumps(result).encode())
        with pytest.raises(CompileError, match="HW332"):
            pick(found.folder, tmp_path / "build", Choice(number=number), cpp=False)
    finally:
        write_file(found.folder / FRONT, kept)
    assert not (tmp_path / "build").exists()


def test_a_run_is_fitted_without_evaluating_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "MOST", 2)
    before = explore(asked(tmp_path, fit=None), tmp_path / "run")
    assert "fitted" not in before.result["fronts"][0]
    with monkeypatch.context() as watched:
        watched.setattr(Tree, "counts", lambda *_: pytest.fail("evaluates again"))
        lines: list[str] = []
        after = explore(asked(tmp_path, cost=("share",)), tmp_path / "run", say=lines.append)
    assert "2 of them at most on every board: the front is heuristic" in lines[0]
    (front,) = after.result["fronts"]
    assert front["fitted"]["candidates"] == 2
    assert not after.result["certified"]
    assert "settings fitted for 2 of them" in certainty(after.result)
    rows = list(csv.DictReader(io.StringIO(export_run(after.folder, None).decode())))
    layers = front["points"][0]["layers"]
    name = next(iter(layers))
    assert rows[0][f"{name}.strategy"] == layers[name]["strategy"]


def test_what_fits_nothing_is_told_and_its_help_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "MOST", 2)
    with pytest.raises(CompileError, match="HW336") as refused:
        explore(asked(tmp_path, fit={"lut": "50"}), tmp_path / "run")
    assert not (tmp_path / "run" / FRONT).exists()
    helps = refused.value.diagnostics[0].help
    budget = re.search(r"--max lut=(\S+):", helps)
    assert budget is not None, helps
    again = explore(asked(tmp_path, fit={"lut": budget[1]}), tmp_path / "run")
    assert again.result["fronts"][0]["points"]


@pytest.mark.parametrize("cost", [("lut",), ("share", "latency_ns")])
def test_a_cost_that_is_not_fitted_is_refused(cost: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="HW323") as refused:
        explore(asked(tmp_path, cost=cost), tmp_path / "run")
    assert "--cost share" in refused.value.diagnostics[0].help
    asked(tmp_path, cost=("share",)).check()


def test_limits_of_designs_without_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="HW343") as refused:
        asked(tmp_path, most=("lut=900",)).check()
    assert "in fit" in refused.value.diagnostics[0].help
    asked(tmp_path, fit={"lut": "900"}).check()


def test_candidates_are_few_and_of_every_front(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    quality = rng.integers(0, 50, 200)
    figures = {"lut": rng.random(200), "dsp": rng.random(200)}
    assert sorted(fits.candidates(quality[:20], {k: v[:20] for k, v in figures.items()},
                                  ["lut", "dsp"])) == list(range(20))  # fmt: skip
    kept = fits.candidates(quality, figures, ["lut", "dsp"])
    assert len(kept) == len(set(kept.tolist())) == fits.MOST
    assert np.all(np.diff(quality[kept]) <= 0)
    monkeypatch.setattr(fits, "MOST", 200)
    assert len(fits.candidates(quality, figures, ["lut", "dsp"])) == 200
    for values in figures.values():
        unbeaten = [
            i for i in range(200)
            if not ((quality >= quality[i]) & (values <= values[i]) & (np.arange(200) != i)).any()
        ]  # fmt: skip
        assert set(unbeaten) <= set(kept.tolist())


def ended(*words: str) -> int:
    """Return the status that a command ends with."""
    with pytest.raises(SystemExit) as found:
        main(list(words))
    return int(found.value.code or 0)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = asked(tmp_path)
    run = ["--run", str(tmp_path / "run")]
    command = ["explore", given.model, "--data", given.data, *run]
    assert ended(*command, "--fit", "--hardware-only") == 2
    assert "--fit" in capsys.readouterr().err
    bits = ["--bits", "w=4 a=5", "--samples", "60", "--fit", "--max", "lut=900", "--json"]
    assert ended(*command, *bits) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fronts"][0]["fitted"]["budgets"] == {"lut": "900"}
    assert told["fronts"][0]["cost"] == ["latency_ns"]
    assert ended("explore", "show", *run) == 0
    assert "fitted settings" in capsys.readouterr().out
    assert ended("explore", "front", *run) == 0
    assert "settings of least latency_ns within lut=900" in capsys.readouterr().out
