"""A run gives one result, whatever ends it and however many compute it."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.core.errors import CompileError
from hwflow.core.workers import Processes
from hwflow.exploration import evaluation, plan, run
from hwflow.exploration.found import Counts
from hwflow.exploration.front import costs_of
from hwflow.exploration.pick import Choice, choice_of, chosen, pick
from hwflow.exploration.request import Request
from hwflow.exploration.run import Run, explore, open_run
from hwflow.exploration.saving import FRONT, PAGE, PICTURE
from hwflow.exploration.space import Numbers
from hwflow.exploration.store import Store, file_system, open_store
from hwflow.exploration.tree import Tree
from tests.exploration.spaces import naive, request, saved


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "CHUNK", 4)
    monkeypatch.setattr(plan, "CHECKS", 2)


def small(folder: Path, **changes: Any) -> Request:
    return request(folder, "mlp", **{"bits": "w=2,4 a=4", "samples": 60, **changes})


def test_front_is_that_of_all_designs(tmp_path: Path) -> None:
    asked = small(tmp_path)
    found = explore(asked, tmp_path / "run")
    explorer = run.Explorer.of(asked)
    table = [naive(explorer, n, explorer.search) for n in range(explorer.space.size)]
    explorer.boards[0].cover(lambda done: None)
    share = costs_of(explorer.boards[0].figures(np.arange(len(table))), ["share"])[:, 0]
    best = [
        n for n in range(len(table))
        if not any(
            table[m][0] >= table[n][0] and share[m] <= share[n]
            and (table[m][0] > table[n][0] or share[m] < share[n] or m < n)
            for m in range(len(table)) if m != n
        )
    ]  # fmt: skip
    (front,) = found.result["fronts"]
    assert sorted(p["id"] for p in front["points"]) == best
    assert found.result["certified"]
    point = front["points"][0]
    held = naive(explorer, point["id"], explorer.held_out)
    assert point["held_out"]["right"] == held[0]
    low, high = point["held_out"]["accuracy_interval"]
    assert low < point["held_out"]["accuracy"] < high
    for name, ends in point["cost"].items():
        if name not in ("latency_ns", "energy_uj"):
            figure = getattr(held[2], name)
            assert ends == pytest.approx([figure.value, figure.low, figure.high], rel=1e-12)


def test_two_workers_and_two_boards_give_what_one_gives(tmp_path: Path) -> None:
    asked = small(tmp_path, boards=("pynq-z2", "zcu104"))
    for workers in (1, 2):
        explore(asked, tmp_path / str(workers), executor=Processes(workers))
    assert (tmp_path / "1" / FRONT).read_bytes() == (tmp_path / "2" / FRONT).read_bytes()


def test_a_run_that_was_ended_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = small(tmp_path)
    explore(asked, tmp_path / "whole")
    kept = Store.add

    def ends(store: Store, chunk: int, counts: Counts) -> None:
        if chunk == 1:
            raise KeyboardInterrupt
        kept(store, chunk, counts)

    monkeypatch.setattr(Store, "add", ends)
    with pytest.raises(KeyboardInterrupt):
        explore(asked, tmp_path / "ended")
    monkeypatch.setattr(Store, "add", kept)
    with open_store(tmp_path / "ended", new=False) as store:
        assert store.chunks() == {0}
    explore(asked, tmp_path / "ended")
    for name in (FRONT, PAGE, PICTURE):
        ended, whole = (tmp_path / folder / name for folder in ("ended", "whole"))
        assert ended.read_bytes() == whole.read_bytes()


def test_going_on_with_another_cost_takes_no_other_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SECONDS", 0.0)
    asked = small(tmp_path, bits="w=2,3,4 a=4")
    explore(asked, tmp_path / "run", evaluations=12)
    explore(replace(asked, cost=("ff",)), tmp_path / "run", evaluations=16)
    explorer = run.Explorer.of(asked)
    with open_store(tmp_path / "run", new=False) as store:
        kept = store.single()
    numbers = np.array(sorted(kept))
    assert 16 <= len(numbers) < explorer.space.size
    counts = explorer.tree(explorer.search).counts(numbers)
    assert np.array_equal(counts, [kept[n] for n in numbers.tolist()])


def test_energy_needs_a_board_whose_power_is_known(tmp_path: Path) -> None:
    asked = small(tmp_path, boards=("zcu104",), cost=("energy_uj",))
    with pytest.raises(CompileError, match="HW323") as refused:
        asked.check()
    assert "ZCU104" in str(refused.value)
    found = explore(replace(asked, boards=("pynq-z2",)), tmp_path / "run")  # the help
    points = found.result["fronts"][0]["points"]
    energies = [p["cost"]["energy_uj"][0] for p in points]
    assert energies == sorted(energies, reverse=True)
    assert found.result["fronts"][0]["stability"] is None


def test_lost_workers_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = small(tmp_path)
    explore(asked, tmp_path / "one")
    owner, mark = os.getpid(), tmp_path / "killed"

    def dies(tree: Tree, numbers: Numbers) -> Counts:
        if os.getpid() != owner and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return tree.counts(numbers)

    monkeypatch.setattr(evaluation, "counted", dies)
    explore(asked, tmp_path / "two", executor=Processes(2))
    assert mark.exists()
    assert (tmp_path / "one" / FRONT).read_bytes() == (tmp_path / "two" / FRONT).read_bytes()


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    path, data = saved(tmp_path, "mlp")
    command = [sys.executable, "-m", "hwflow", "explore", str(path), "--data", str(data),
               "--bits", "w=2,4 a=3,5", "--run"]  # fmt: skip
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    whole = (tmp_path / "whole" / FRONT).read_bytes()
    dice = random.Random(0)
    for _ in range(20):
        process = subprocess.Popen(
            [*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(dice.uniform(0.5, 6.0))
        process.kill()
        process.wait()
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True)
    assert (tmp_path / "killed" / FRONT).read_bytes() == whole


def test_a_wrong_answer_stops_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = run.Explorer.tree

    class Wrong:
        def __init__(self, tree: Any) -> None:
            self._tree = tree

        def counts(self, numbers: Any) -> Any:
            return self._tree.counts(numbers) + 1

    monkeypatch.setattr(run.Explorer, "tree", lambda self, s: Wrong(counts(self, s)))
    with pytest.raises(CompileError, match="HW329"):
        explore(small(tmp_path), tmp_path / "run")


def test_a_wrong_cost_stops_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hwflow.exploration.explorer import Priced

    figures = Priced.figures
    monkeypatch.setattr(
        Priced, "figures", lambda self, n: {k: v + 1 for k, v in figures(self, n).items()}
    )
    with pytest.raises(CompileError, match="HW329"):
        explore(small(tmp_path), tmp_path / "run")


def test_a_picked_point_is_the_one_that_was_found(tmp_path: Path) -> None:
    asked = small(tmp_path)
    found = explore(asked, tmp_path / "run")
    picked = pick(tmp_path / "run", tmp_path / "build", Choice(), cpp=False)
    assert picked.point["id"] == found.result["fronts"][0]["knee"]
    assert (tmp_path / "build" / "manifest.json").is_file()
    np.savez(asked.data, x=np.ones((120, 6), np.float32), y=np.zeros(120, int))
    with pytest.raises(CompileError, match="HW332") as refused:
        pick(tmp_path / "run", tmp_path / "other", Choice(), cpp=False)
    assert "another data" in str(refused.value)
    assert not (tmp_path / "other").exists()
    explore(asked, tmp_path / "again")  # the help of HW332


def test_points_are_chosen_by_id_limits_and_bend(tmp_path: Path) -> None:
    found = explore(small(tmp_path), tmp_path / "run")
    (front,) = found.result["fronts"]
    for point in front["points"]:
        assert chosen(found, Choice(number=point["id"]))[1] is point
        limit = f"share={100 * point['share'] * 1.0001:.6f}%"
        assert chosen(found, choice_of(None, None, [limit]))[1] is point
    share = 100 * front["points"][-1]["cost"]["lut_synth"][0] / front["available"]["lut_synth"]
    cheapest = chosen(found, choice_of("pynq-z2", None, [f"lut_synth={share * 1.0001}%"]))[1]
    assert cheapest is front["points"][-1]
    for choice in (Choice(number=-1), Choice(board="zcu104"), choice_of(None, None, ["lut=1"])):
        with pytest.raises(CompileError, match="HW331"):
            chosen(found, choice)


def test_a_folder_belongs_to_one_exploration(tmp_path: Path) -> None:
    asked = small(tmp_path)
    with pytest.raises(CompileError, match="HW326"):
        open_run(tmp_path / "run")
    explore(asked, tmp_path / "run")
    assert isinstance(open_run(tmp_path / "run")[1], Run)
    with pytest.raises(CompileError, match="HW324") as refused:
        explore(small(tmp_path, bits="w=2,5 a=4"), tmp_path / "run")
    assert "another space" in str(refused.value)
    explore(small(tmp_path, bits="w=2,5 a=4"), tmp_path / "help")  # another folder


def test_network_file_systems_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    assert file_system(tmp_path / "run", str(mounts)) == "nfs4"
    assert file_system(Path("/other"), str(mounts)) == "ext4"
    monkeypatch.setattr("hwflow.exploration.store.file_system", lambda path: "nfs4")
    with pytest.raises(CompileError, match="HW327"), open_store(tmp_path / "run", new=True):
        pass


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "explore.db").write_bytes(b"not a database, but long enough to be read" * 40)
    with pytest.raises(CompileError, match="HW328"), open_store(tmp_path, new=True):
        pass
