"""Limits: read, kept to, and explained where nothing keeps to them; time; choices within limits."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.core.errors import CompileError
from hwflow.exploration import run
from hwflow.exploration.budgets import (
    MOST,
    Limit,
    after_those_within,
    read_limits,
    read_seconds,
    reason,
)
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.front import costs_of, pareto
from hwflow.exploration.pick import choice_of, chosen
from hwflow.exploration.run import Run, explore
from hwflow.exploration.searching import Evolution
from tests.exploration.spaces import request, saved

BITS = "w=2,4 a=3,4"


@pytest.mark.parametrize(
    ("text", "figure", "number", "of_board"),
    [
        ("lut=70%", "lut_synth", 0.7, True),
        ("lut=9000", "lut_synth", 9000, False),
        ("bram=5", "bram_18k_synth", 5, False),
        ("dsp=12.5%", "dsp", 0.125, True),
        ("latency=1us", "latency_ns", 1000, False),
        ("latency=.5ms", "latency_ns", 5e5, False),
        ("latency=680ns", "latency_ns", 680, False),
        ("latency_ns=680", "latency_ns", 680, False),
        ("energy=2.5mJ", "energy_uj", 2500, False),
        ("ii=4", "ii", 4, False),
        ("share=30%", "share", 0.3, False),
        ("share=0.3", "share", 0.3, False),
        ("lut_synth=50%", "lut_synth", 0.5, True),
    ],
)
def test_upper_limits(text: str, figure: str, number: float, of_board: bool) -> None:
    (limit,) = read_limits([text])
    assert limit == Limit(text.partition("=")[0], figure, pytest.approx(number), of_board)


def test_several_limits() -> None:
    found = read_limits(["lut=70% dsp=3", "ii=4,share=1"], ["acc=95% agree=0.98"])
    assert [n.name for n in found] == ["lut", "dsp", "ii", "share", "acc", "agree"]
    assert [(n.figure, n.number) for n in found[4:]] == [("accuracy", 0.95), ("agreement", 0.98)]
    assert all(n.least for n in found[4:])


@pytest.mark.parametrize(
    ("most", "least", "helped"),
    [
        ("luts=70%", "", "did you mean 'lut'?"),
        ("latency=1", "", "latency=1.5us"),
        ("latency=1US", "", "latency=1.5us"),
        ("latency=50%", "", "latency=500ns"),
        ("energy=3", "", "energy=20uJ"),
        ("ii=50%", "", "ii=100"),
        ("lut=-1", "", "lut=100%"),
        ("lut", "", "lut=100%"),
        ("lut=1e4", "", "lut=100%"),
        ("acc=95%", "", ""),
        ("", "acc=95", "acc=95%"),
        ("", "acc=101%", "acc=0.95"),
        ("", "lut=3", ""),
    ],
)
def test_limits_that_cannot_be_read(most: str, least: str, helped: str) -> None:
    with pytest.raises(CompileError, match="HW343") as refused:
        read_limits([most], [least])
    (finding,) = refused.value.diagnostics
    assert helped in finding.help
    assert finding.supported == (", ".join(MOST) if most else "acc, agree")
    for way in re.findall(r"\w+=[\w.%]+", finding.help):
        assert read_limits([way] if most else [], [way] if least else [])


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("90", 90), ("1.5min", 90), ("1h", 3600)]
)
def test_times(text: str, seconds: float) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-1s", "1d", "soon", "1 s 2"])
def test_times_that_cannot_be_read(text: str) -> None:
    with pytest.raises(CompileError, match="HW343"):
        read_seconds(text)


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Explorer:
    return Explorer.of(request(tmp_path_factory.mktemp("budgets"), bits=BITS, samples=60))


@pytest.fixture(scope="module")
def table(explorer: Explorer) -> dict[str, Any]:
    numbers = np.arange(explorer.space.size)
    counts = explorer.tree(explorer.search).counts(numbers)
    return {**explorer.boards[0].figures(numbers), "right": counts[:, 0], "agree": counts[:, 1]}


def test_the_front_keeps_to_limits(
    explorer: Explorer, table: dict[str, Any], tmp_path: Path
) -> None:
    lut, ns = np.percentile(table["lut_synth"], 60), 135.0
    least = np.sort(table["right"])[len(table["right"]) // 4] / 60
    asked = request(
        tmp_path, bits=BITS, samples=60, most=(f"lut={lut:.6f}", f"latency={ns:.6f}ns"),
        least=(f"acc={100 * least - 1e-7:.9f}%",),
    )  # fmt: skip
    found = explore(asked, tmp_path / "run")
    (front,) = found.result["fronts"]
    inside = (table["lut_synth"] <= lut + 1e-5) & (table["latency_ns"] <= ns + 1e-5)
    inside &= table["right"] >= least * 60 - 1e-6
    assert 0 < inside.sum() < len(inside)
    rows = np.flatnonzero(inside)
    costs = costs_of(table, ["share"])
    best = rows[pareto(table["right"][rows].astype(np.int64), costs[rows])]
    assert [p["id"] for p in front["points"]] == best.tolist()
    whole = pareto(table["right"].astype(np.int64), costs)
    assert [p["id"] for p in front["left_out"]] == [n for n in whole.tolist() if not inside[n]]
    assert front["left_out"]
    for point in front["left_out"]:
        n = point["id"]
        said = {name.split()[0] for name in point["reasons"]}
        beyond = {"lut": table["lut_synth"][n] > lut + 1e-5,
                  "latency": table["latency_ns"][n] > ns + 1e-5,
                  "acc": table["right"][n] < least * 60 - 1e-6}  # fmt: skip
        assert said == {name for name, is_beyond in beyond.items() if is_beyond}


def test_a_reason_has_both_figures() -> None:
    assert reason(Limit("dsp", "dsp", 220), 3214.0, {}) == "dsp 3,214 > 220"
    share = Limit("lut", "lut_synth", 0.5, of_board=True)
    assert reason(share, 30000.0, {"lut_synth": 53200.0}) == "lut 30,000 > 26,600 (50 %)"
    assert reason(Limit("acc", "accuracy", 0.95, least=True), 0.9, {}) == "acc 90.0 % < 95.0 %"
    assert reason(Limit("latency", "latency_ns", 500), 685.0, {}) == "latency 685 ns > 500 ns"


@pytest.mark.parametrize(
    ("most", "least"),
    [
        (("lut=0.1%",), ("acc=80%",)), (("lut=30", "latency=1ms"), ()),
        (("latency=3ns", "dsp=80%"), ()), (("share=0.01%",), ()), (("energy=0.001uJ",), ()),
        (("ii=0.5",), ()), ((), ("acc=100%", "agree=10%")),
    ],
)  # fmt: skip
def test_the_help_lets_something_in(
    most: tuple[str, ...], least: tuple[str, ...], tmp_path: Path
) -> None:
    asked = {"bits": "w=2,4 a=4", "samples": 60}
    with pytest.raises(CompileError, match="HW344") as refused:
        explore(request(tmp_path, **asked, most=most, least=least), tmp_path / "run")
    (finding,) = refused.value.diagnostics
    assert "the nearest of 8 is point" in finding.found
    ways = re.findall(r"--(max|min) (\w+)=(\S+)", finding.help)
    assert ways
    for kind, name, value in ways:
        texts = {"max": list(most), "min": list(least)}
        texts[kind] = [t for t in texts[kind] if not t.startswith(f"{name}=")]
        texts[kind].append(f"{name}={value}")
        eased = request(tmp_path, **asked, most=tuple(texts["max"]), least=tuple(texts["min"]))
        assert explore(eased, tmp_path / "run").result["fronts"][0]["points"]


def test_one_board_of_two_may_hold_nothing(tmp_path: Path) -> None:
    asked = {"bits": "w=2,4 a=4", "samples": 60, "boards": ("pynq-z2", "zcu104")}
    found = explore(request(tmp_path, **asked, most=("latency=70ns",)), tmp_path / "run")
    assert [f["board"] for f in found.result["fronts"]] == ["zcu104"]
    (none,) = found.result["nothing_fits"]
    assert none["board"] == "pynq-z2"
    assert "latency" in none["nearest"]


def test_accuracy_needs_labels(tmp_path: Path) -> None:
    _, data = saved(tmp_path, "mlp")
    asked = request(tmp_path, bits="w=2,4 a=4", samples=60, least=("acc=50%",))
    with np.load(data) as whole:
        x = whole["x"]
    np.savez(data, x=x)
    with pytest.raises(CompileError, match="HW343") as refused:
        explore(asked, tmp_path / "run")
    assert "--min agree=50%" in refused.value.diagnostics[0].help


def test_what_is_beyond_comes_after_all_else() -> None:
    rng = np.random.default_rng(0)
    quality, costs = rng.integers(0, 50, 200), rng.random((200, 2))
    excess = np.maximum(rng.normal(size=(2, 200)), 0.0)
    inside = excess.sum(axis=0) == 0
    new_quality, new_costs = after_those_within(excess, quality, costs, (50, np.ones(2)))
    assert np.array_equal(new_quality[inside], quality[inside])
    assert np.array_equal(new_costs[inside], costs[inside])
    best = pareto(new_quality, new_costs)
    rows = np.flatnonzero(inside)
    assert sorted(best.tolist()) == sorted(rows[pareto(quality[rows], costs[rows])].tolist())
    beyond = np.flatnonzero(~inside)
    order = beyond[np.argsort(excess.sum(axis=0)[beyond], kind="stable")]
    assert (np.diff(new_quality[order]) <= 0).all()
    assert (np.diff(new_costs[order], axis=0) >= 0).all()
    assert new_quality[order[0]] > new_quality[order[-1]] >= -51


def test_a_search_goes_where_the_limits_are(
    explorer: Explorer, table: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SECONDS", 0.0)
    told: list[tuple[Any, Any]] = []

    tell = Evolution.tell

    def watched(self: Evolution, numbers: Any, quality: Any, costs: Any) -> None:
        told.append((numbers, quality))
        tell(self, numbers, quality, costs)

    monkeypatch.setattr(Evolution, "tell", watched)
    asked = request(tmp_path, bits=BITS, samples=60, most=("lut=100",))
    explore(asked, tmp_path / "run", evaluations=20)
    assert 0 < sum((table["lut_synth"][numbers] <= 100).sum() for numbers, _ in told) < 20
    for numbers, quality in told:
        inside = table["lut_synth"][numbers] <= 100
        assert np.array_equal(quality[inside], table["right"][numbers[inside]])
        assert (quality[~inside] < 0).all()


def test_time_ends_a_search_and_more_time_goes_on(tmp_path: Path) -> None:
    asked = request(tmp_path, bits=BITS, samples=60)
    said: list[str] = []
    found = explore(asked, tmp_path / "run", time_s=1e-3, say=said.append)
    assert "heuristic" in said[0]
    assert not found.result["certified"]
    assert 0 < found.result["evaluated"] < found.result["configurations"]
    more = explore(asked, tmp_path / "run", time_s=1e-3, evaluations=10**6)
    assert more.result["evaluated"] == found.result["evaluated"]  # the same generation, kept
    whole = explore(asked, tmp_path / "run", time_s=600.0)
    assert whole.result["certified"]


@pytest.fixture(scope="module")
def picked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("picked")
    return explore(request(folder, bits=BITS, samples=60), folder / "run")


def test_choices(picked: Run) -> None:
    front = picked.result["fronts"][0]
    points = front["points"]

    def number(most: str = "", least: str = "", **how: Any) -> int:
        return int(chosen(picked, choice_of(None, None, [most], [least], **how))[1]["id"])

    assert number() == number(knee=True) == front["knee"]
    assert number(best="acc") == points[0]["id"]
    assert number(best="share") == points[-1]["id"]
    within = f"share={100 * points[1]['share'] * 1.0001:.7f}%"
    assert number(within) == number(within, best="acc") == points[1]["id"]
    assert number(within, knee=True) in [p["id"] for p in points[1:]]
    enough = f"acc={100 * points[2]['search']['accuracy'] - 1e-6:.7f}%"
    assert number(least=enough, best="share") == points[2]["id"]
    for name in ("cats", "latency"):
        with pytest.raises(CompileError, match="HW343"):
            number(best=name)
    with pytest.raises(CompileError, match="HW331") as refused:
        number("lut=1")
    assert "> 1" in refused.value.diagnostics[0].found
