"""A Dask cluster gives the front that one process gives, whatever becomes of its workers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hwflow.core.cluster import client
from hwflow.core.executors import open_executor
from hwflow.exploration import plan, run
from hwflow.exploration.found import Counts
from hwflow.exploration.request import Request
from hwflow.exploration.run import explore
from hwflow.exploration.saving import FRONT
from hwflow.exploration.store import Store, open_store
from tests.cli.command import hwflow
from tests.clusters import kill
from tests.exploration.spaces import request, saved


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "CHUNK", 2)
    monkeypatch.setattr(plan, "CHECKS", 2)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Request:
    return request(tmp_path_factory.mktemp("model"), bits="w=2,4 a=4", samples=60)


@pytest.fixture(scope="module")
def front(asked: Request, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What one process finds."""
    return explore(asked, tmp_path_factory.mktemp("one")).folder.joinpath(FRONT).read_bytes()


def test_a_cluster_that_loses_a_worker_gives_what_one_process_gives(
    local: Any, asked: Request, front: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added, killed = Store.add, []

    def add(store: Store, chunk: int, counts: Counts) -> None:
        added(store, chunk, counts)
        if not killed:
            killed.append(kill(local))

    monkeypatch.setattr(Store, "add", add)
    with open_executor(1, local.scheduler_address) as cluster:
        explore(asked, tmp_path, executor=cluster)
    assert killed
    assert (tmp_path / FRONT).read_bytes() == front


def test_a_run_that_was_ended_on_a_cluster_goes_on_without_it(
    local: Any, asked: Request, front: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = Store.add

    def ends(store: Store, chunk: int, counts: Counts) -> None:
        added(store, chunk, counts)
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "add", ends)
    with open_executor(1, local.scheduler_address) as cluster, pytest.raises(KeyboardInterrupt):
        explore(asked, tmp_path, executor=cluster)
    monkeypatch.setattr(Store, "add", added)
    with open_store(tmp_path, new=False) as store:
        assert store.chunks() == {0}
    explore(asked, tmp_path)
    assert (tmp_path / FRONT).read_bytes() == front


@pytest.mark.slow
def test_a_heuristic_exploration_on_a_cluster(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SECONDS", 0.0)
    asked = request(tmp_path, bits="w=2,4 a=3:5", samples=60)
    explore(asked, tmp_path / "one", evaluations=60)
    with open_executor(1, local.scheduler_address) as cluster:
        explore(asked, tmp_path / "many", executor=cluster, evaluations=60)
    one, many = ((tmp_path / name / FRONT).read_bytes() for name in ("one", "many"))
    assert one == many
    assert not json.loads(one)["certified"]


@pytest.mark.slow
def test_the_command_in_two_processes(local: Any, tmp_path: Path) -> None:
    model, data = saved(tmp_path, "mlp")
    command = [sys.executable, "-m", "hwflow", "explore", str(model), "--data", str(data),
               "--bits", "w=2,4 a=4", "--samples", "60", "--run"]  # fmt: skip
    places = {"one": [], "many": ["--scheduler", local.scheduler_address]}
    for name, place in places.items():
        subprocess.run([*command, str(tmp_path / name), *place], check=True, capture_output=True)
    one, many = ((tmp_path / name / FRONT).read_bytes() for name in places)
    assert one == many


def test_what_cannot_be_a_cluster_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.5)
    model, data = saved(tmp_path, "mlp")
    arguments = [
        "explore",
        model,
        "--data",
        data,
        "--run",
        "run",
        "--scheduler",
        "tcp://localhost:1",
    ]
    ran = hwflow(capsys, *arguments, "--json")
    assert (ran.status, ran.new) == (2, ())
    assert json.loads(ran.out)["errors"][0]["code"] == "HW611"
    ran = hwflow(capsys, *arguments, "--workers", 2)
    assert (ran.status, ran.new) == (2, ())
    assert "--workers" in ran.err
