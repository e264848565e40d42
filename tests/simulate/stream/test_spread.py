"""Processes and clusters give what one process gives: bytes of results, counts, findings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.core.errors import CompileError
from hwflow.project.simulation import SimulatedDesign, simulate_path
from hwflow.simulate.stream import spread
from tests.cli.command import dense, hwflow, save
from tests.clusters import kill

SAMPLES = 1000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(dense())
    rng = np.random.default_rng(0)
    x = rng.uniform(-9, 9, (SAMPLES, 4)).astype(np.float32)
    np.savez("data.npz", x=x, y=rng.integers(0, 3, SAMPLES))
    np.save("data.npy", x)


def simulated(name: str, **options: Any) -> SimulatedDesign:
    return simulate_path(Path("model.onnx"), out=Path(name), batch=7, **options)


def same(one: SimulatedDesign, many: SimulatedDesign) -> None:
    """Compare everything that a simulation says."""
    assert (one.summary, one.ports, dict(one.counters)) == (
        many.summary, many.ports, dict(many.counters)
    )  # fmt: skip
    assert one.coverage == many.coverage
    assert [str(f) for f in one.findings] == [str(f) for f in many.findings]
    assert (one.engine, one.batch, one.data) == (many.engine, many.batch, many.data)


@pytest.mark.parametrize("engine", ["golden", "numpy"])
@pytest.mark.parametrize("data", ["data.npz", "data.npy"])
def test_processes_give_what_one_gives(engine: str, data: str) -> None:
    options = {"data": data, "engine": engine, "layers": True}
    one, many = simulated("one.npz", **options), simulated("many.npz", workers=2, **options)
    same(one, many)
    assert Path("one.npz").read_bytes() == Path("many.npz").read_bytes()
    assert (many.workers, many.place) == (2, "processes")
    with np.load("many.npz") as found:
        assert all(len(found[name]) == SAMPLES for name in found.files)


@pytest.mark.parametrize("engine", [pytest.param("golden", marks=pytest.mark.slow), "numpy"])
def test_a_cluster_gives_what_one_process_gives(local: Any, engine: str) -> None:
    options = {"data": "data.npz", "engine": engine}
    one = simulated("one.npy", **options)
    many = simulated("many.npy", scheduler=local.scheduler_address, **options)
    same(one, many)
    again = simulated("again.npy", scheduler=local.scheduler_address, **options)
    same(one, again)  # workers remember nothing of other data
    contents = {name: Path(name).read_bytes() for name in ("one.npy", "many.npy", "again.npy")}
    assert len(set(contents.values())) == 1


def test_a_cluster_that_loses_a_worker(local: Any) -> None:
    killed: list[int] = []

    def progress(done: int, total: int | None) -> None:
        if not killed:
            killed.append(kill(local))

    one = simulated("one.npy", data="data.npy", engine="numpy")
    many = simulated(
        "many.npy", data="data.npy", engine="numpy", scheduler=local.scheduler_address,
        progress=progress,
    )  # fmt: skip
    assert killed
    same(one, many)
    assert Path("one.npy").read_bytes() == Path("many.npy").read_bytes()


def test_findings_name_the_first_sample() -> None:
    x = np.load("data.npy")
    x[[400, 700], 1] = np.nan
    np.save("odd.npy", x)
    told = []
    for workers in (1, 2):
        with pytest.raises(CompileError) as error:
            simulated("out.npy", data="odd.npy", engine="golden", workers=workers)
        told.append(str(error.value))
        assert not Path("out.npy").exists()
    assert told[0] == told[1]
    assert "odd.npy, sample 400" in told[0]


def test_a_source_that_ends_early_is_found_after_all_before_it() -> None:
    def items() -> Iterator[Any]:
        yield np.load("data.npy")[:300]
        raise ValueError("the detector is off")

    seen: list[list[int]] = []
    for workers in (1, 2):
        done: list[int] = []
        with pytest.raises(ValueError, match="detector"):
            simulated(
                "out.npy", data=items(), engine="golden", workers=workers,
                progress=lambda n, total, done=done: done.append(n),
            )  # fmt: skip
        seen.append(done)
    assert seen[0] == seen[1]
    assert seen[0][-1] > 290


def test_memory_holds_few_batches() -> None:
    taken = 0

    def items() -> Iterator[Any]:
        nonlocal taken
        for _ in range(200):
            taken += 1
            yield np.zeros((7, 4), np.float32)

    ahead: list[int] = []
    simulated(
        "out.npy", data=items(), engine="golden", workers=2,
        progress=lambda n, total: ahead.append(taken - n // 7),
    )  # fmt: skip
    assert max(ahead) <= 2 * 2 + 1


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", "model.onnx", "--data", "data.npy", "--workers", 2]
    ran = hwflow(capsys, *arguments, "-o", "out.npy")
    assert (ran.status, ran.new) == (0, ("out.npy",))
    assert "2 processes" in ran.out
    assert json.loads(hwflow(capsys, *arguments, "--json").out)["place"] == "processes"
    ran = hwflow(capsys, *arguments, "--threads", 2)
    assert (ran.status, ran.new) == (2, ())
    ran = hwflow(capsys, *arguments, "--scheduler", "tcp://localhost:1")
    assert (ran.status, ran.new) == (2, ())


def test_what_other_processes_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = simulated("out.npy", data="data.npy").design.graph
    spread.refuse_spread(graph, "golden", copies=False)
    monkeypatch.setattr(type(graph.nodes[-1].op), "__module__", "plugin_of_mine")
    spread.refuse_spread(graph, "golden", copies=True)
    with pytest.raises(CompileError) as error:
        spread.refuse_spread(graph, "golden", copies=False)
    assert error.value.diagnostics[0].code == "HW569"
    with pytest.raises(CompileError, match="HW569"):
        spread.refuse_spread(graph, "torch", copies=True)
