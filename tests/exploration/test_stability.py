"""Fronts under the errors that estimates may have."""

from pathlib import Path

import numpy as np
import pytest

from hwflow.estimate.graph import node_cost
from hwflow.exploration.costs import SUMS
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.front import costs_of, pareto
from hwflow.exploration.stability import QUANTILE, RIVALS, rivals, stability
from hwflow.ir.cost import Estimate
from tests.exploration.spaces import request

SEED, DRAWS = 7, 40


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Explorer:
    asked = request(tmp_path_factory.mktemp("stability"), bits="w=2,3,4 a=4", samples=60)
    return Explorer.of(asked)


def drawn(figure: Estimate, error: float) -> float:
    """Return a figure whose logarithm is normal on either side of the best value."""
    end = figure.low if error < 0 else figure.high
    if figure.value > 0 and end > 0:
        return float(np.exp(np.log(figure.value) + abs(error) * np.log(end / figure.value)))
    return max(0.0, figure.value + abs(error) * (end - figure.value))


@pytest.mark.parametrize("name", ["share", "lut_synth"])
def test_shares_are_those_of_designs_drawn_one_by_one(
    name: str, explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{stability.__module__}.DRAWS", DRAWS)
    (priced,) = explorer.boards
    numbers = np.arange(explorer.space.size)
    quality = np.random.default_rng(1).integers(0, 40, len(numbers))
    order = rivals(quality, costs_of(priced.figures(numbers), [name]))
    assert sorted(order.tolist()) == numbers.tolist()
    found = stability(priced, numbers[order], quality[order], (name,), SEED)
    assert found is not None
    rng, stays = np.random.default_rng(SEED), np.zeros(len(numbers))
    paths = [priced.table.path(int(n)) for n in numbers]
    for _ in range(DRAWS):
        errors = rng.standard_normal((len(paths[0]), len(SUMS))) / QUANTILE
        costs = []
        for path in paths:
            graph, total = priced.table.composed(path), dict.fromkeys(SUMS, 0.0)
            for stage, instance in enumerate(path):
                nodes = [node_cost(graph, n, priced.target) for n in instance.piece.nodes]
                for i, figure in enumerate(SUMS):
                    whole = sum((getattr(n, figure) for n in nodes), Estimate.exact(0))
                    total[figure] += drawn(whole, errors[stage, i])
            has = priced.board.resources
            shares = [
                total[f] / has.count(r)
                for r, f in (("lut", "lut_synth"), ("ff", "ff_synth"), ("dsp", "dsp"),
                             ("bram_18k", "bram_18k_synth"))
            ]  # fmt: skip
            costs.append(max(shares) if name == "share" else total[name])
        for a in range(len(numbers)):
            stays[a] += not any(
                (quality[b] >= quality[a] and costs[b] <= costs[a] * (1 - 1e-8))
                or (quality[b] > quality[a] and costs[b] <= costs[a])
                for b in range(len(numbers))
            )  # fmt: skip
    assert found[0] == pytest.approx((stays[order] / DRAWS).tolist(), abs=1.5 / DRAWS)
    assert found[1]["draws"] == DRAWS
    assert min(found[0][: len(pareto(quality, costs_of(priced.figures(numbers), [name])))]) > 0
    assert len(set(found[0])) > 2


def test_sure_estimates_give_sure_fronts(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{stability.__module__}._ends", lambda kind: (kind.sums,) * 3)
    (priced,) = explorer.boards
    numbers = np.arange(explorer.space.size)
    quality = np.arange(len(numbers))[::-1].copy()
    for names in (("share",), ("lut", "ff")):
        costs = costs_of(priced.figures(numbers), names)
        rows, front = rivals(quality, costs), pareto(quality, costs)
        found = stability(priced, numbers[rows], quality[rows], names, 0)
        assert found is not None
        assert found[0] == [1.0] * len(front) + [0.0] * (len(rows) - len(front))


def test_what_is_not_drawn_has_no_share(explorer: Explorer) -> None:
    numbers = np.arange(2)
    assert stability(explorer.boards[0], numbers, numbers, ("latency_ns", "ii"), 0) is None


def test_rivals_are_the_front_and_what_comes_next(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    quality, costs = rng.integers(0, 500, 5000), rng.random((5000, 1))
    rows = rivals(quality, costs)
    assert len(rows) == len(set(rows.tolist())) == RIVALS
    front = pareto(quality, costs)
    assert rows[: len(front)].tolist() == front.tolist()
