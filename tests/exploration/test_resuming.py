"""Runs that end early: what stays on disk, what is said of it, and how they go on."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from hwflow.core.errors import CompileError
from hwflow.exploration import plan, saving
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.found import Counts
from hwflow.exploration.gate import gated
from hwflow.exploration.pick import Choice, pick
from hwflow.exploration.recosting import recost
from hwflow.exploration.resuming import resume
from hwflow.exploration.run import explore, open_run
from hwflow.exploration.saving import FRONT, PAGE, PICTURE
from hwflow.exploration.status import status_of
from hwflow.exploration.store import Store, open_store
from hwflow.exploration.tree import Tree
from tests.cli.command import hwflow
from tests.exploration.spaces import request, saved


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "CHUNK", 4)


def ends_after(chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run end when it keeps one more chunk than these."""
    add = Store.add

    def ends(store: Store, chunk: int, counts: Counts) -> None:
        if chunk == chunks:
            raise KeyboardInterrupt
        add(store, chunk, counts)

    monkeypatch.setattr(Store, "add", ends)


def test_the_front_is_on_disk_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, folder = request(tmp_path, bits="w=2,4 a=4", samples=60), tmp_path / "run"
    whole = explore(asked, tmp_path / "whole").result
    with monkeypatch.context() as broken:
        broken.setattr(saving, "SECONDS", 0.0)
        broken.setattr(saving, "TIMES", 0.0)
        ends_after(1, broken)
        with pytest.raises(KeyboardInterrupt):
            explore(asked, folder)
    _, run = open_run(folder)
    assert (run.finished, run.result["evaluated"], run.result["certified"]) == (False, 4, False)
    (front,) = run.result["fronts"]
    explorer = Explorer.of(asked)
    counts = explorer.tree(explorer.search).counts(np.arange(4))[:, 0]
    share = explorer.boards[0].figures(np.arange(4))["share"]
    best = [
        n for n in range(4)
        if not any((counts[m], -share[m], -m) > (counts[n], -share[n], -n)
                   and counts[m] >= counts[n] and share[m] <= share[n] for m in range(4))
    ]  # fmt: skip
    assert sorted(p["id"] for p in front["points"]) == best
    assert "Not finished: the best of the first 4 of 8" in (folder / PAGE).read_text("utf-8")
    assert not (folder / PICTURE).exists()
    status = status_of(folder)
    assert (status.done, status.fronts) == (False, {"pynq-z2": len(best)})
    pick(folder, tmp_path / "build", Choice(), cpp=False)
    for needs_all in (lambda: recost(folder), lambda: gated(folder, folder / FRONT, 0.0)):
        with pytest.raises(CompileError, match="HW338") as refused:
            needs_all()
    assert f"hwflow explore --run {folder}" in refused.value.diagnostics[0].help
    assert resume(folder).result == whole
    assert (folder / FRONT).read_bytes() == (tmp_path / "whole" / FRONT).read_bytes()
    assert gated(folder, folder / FRONT, 0.0)


def test_what_was_evaluated_as_chunks_or_alone_counts(tmp_path: Path) -> None:
    with open_store(tmp_path, new=True) as store:
        store.add(1, np.array([[4, 40], [5, 50], [6, 60], [7, 70]], np.int32))
        store.add(2, np.array([[8, 80], [9, 90]], np.int32))
        store.add_single([1, 5], np.array([[1, 10], [5, 50]], np.int32))
        found = saving.so_far(store, 10, 4)
    assert found.numbers.tolist() == [1, 4, 5, 6, 7, 8, 9]
    assert found.counts.tolist() == [[n, 10 * n] for n in (1, 4, 5, 6, 7, 8, 9)]
    assert not found.certified


def test_all_that_was_evaluated_is_certified_ever_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        saving, "result_of", lambda *args, **how: pytest.fail("in less than ten seconds")
    )
    asked = request(tmp_path, bits="w=2,4 a=4", samples=60)
    explore(asked, tmp_path / "run")
    assert explore(asked, tmp_path / "run", evaluations=3).result["certified"]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, "mlp")
    return ["explore", "mlp.onnx", "--data", "mlp.npz", "--bits", "w=2,4 a=4", "--group", "4|10",
            "--samples", "60", "--run", "run"]  # fmt: skip


def test_a_message_says_what_is_kept(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = hwflow(capsys, *command, "--fix", "nothing:w=4")
    assert ran.status == 2
    assert "HW321" in ran.err
    assert ran.err.endswith("1 error. Nothing was written.\n")
    assert not Path("run").exists()
    ran = hwflow(capsys, *command, "--max", "lut=1")
    assert ran.status == 2
    assert ran.err.endswith("1 error. What was evaluated is kept in run.\n")
    way = re.search(r"--max (\S+) would do", ran.err)
    assert way is not None
    monkeypatch.setattr(Tree, "counts", lambda *_: pytest.fail("evaluates again"))
    ran = hwflow(capsys, "explore", "--run", "run", "--max", way[1], "--json")
    assert ran.status == 0
    assert json.loads(ran.out)["fronts"][0]["limits"] == [way[1]]


def test_what_is_not_where_it_was_is_named(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads(hwflow(capsys, *command, "--cost", "lut,ff", "--json").out)
    paths = [Path("mlp.onnx"), Path("mlp.npz")]
    moved = {"MODEL": paths[0].rename("moved.onnx"), "DATA": paths[1].rename("moved.npz")}
    paths[1].write_bytes(b"another")
    ran = hwflow(capsys, "explore", "--run", "run", "--json")
    findings = json.loads(ran.out)["errors"]
    assert [f["where"] for f in findings] == [str(p.resolve()) for p in paths]
    assert [f["found"] for f in findings] == ["no such file", "other content than was explored"]
    for finding in findings:
        assert (ran.status, finding["code"]) == (2, "HW337")
        help_ = finding["help"].partition("where it is now: hwflow ")[2]
    words = [str(moved.get(word, word)) for word in shlex.split(help_)]
    after = json.loads(hwflow(capsys, *words, "--json").out)
    assert after["fronts"] == before["fronts"]
    again = hwflow(capsys, "explore", "--run", "run", "--json")  # where it is, is kept
    assert json.loads(again.out) == after
    ran = hwflow(capsys, "explore", "--run", "run", "--bits", "w=2")
    assert ran.status == 2
    assert "needs MODEL" in ran.err
