"""Tasks on a Dask cluster: results in order, and what is said where there are none."""

import operator
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import hwflow
from hwflow.core.cluster import client, findings
from hwflow.core.cluster.build import build
from hwflow.core.cluster.client import open_cluster
from hwflow.core.errors import CompileError, ToolError
from hwflow.core.executors import open_executor
from hwflow.core.machine import install_command
from tests.clusters import kill, local_cluster, pids

ROOT = Path(hwflow.__file__).parents[1]


def test_results_are_in_order(local: Any) -> None:
    with open_cluster(local.scheduler_address) as cluster:
        assert cluster.slots == 2
        found = cluster.in_order(operator.add, 5, range(40), group=3)
        assert list(found) == list(range(5, 45))


@pytest.mark.parametrize(
    ("slots", "tasks", "seconds", "group"),
    [
        (2, 1000, 0.5, 4),  # 2 s
        (2, 90, 0.5, 2),  # 20 groups for each thread
        (2, 30, 0.5, 1),
        (2, 1000, 30.0, 1),
        (1000, 10**6, 0.5, 20),  # 10 s
    ],
)
def test_groups_are_long_and_leave_something_for_each_thread(
    slots: int, tasks: int, seconds: float, group: int
) -> None:
    cluster = client.Cluster("tcp://nowhere:1", FakeClient(slots))
    assert cluster.group(tasks, seconds) == group


class FakeClient:
    def __init__(self, threads: int) -> None:
        self.threads = threads

    def nthreads(self) -> dict[str, int]:
        return {"tcp://worker:1": self.threads}


def test_no_more_tasks_are_taken_than_are_soon_needed(local: Any) -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    with open_cluster(local.scheduler_address) as cluster:
        found = cluster.in_order(operator.add, 0, tasks())
        next(found)
        assert len(taken) == client.AHEAD * 2 + 1
        found.close()  # type: ignore[attr-defined]


def test_results_of_killed_workers_are_computed_again(local: Any) -> None:
    slow = "__import__('time').sleep(0.05) or i * i"
    with open_cluster(local.scheduler_address) as cluster:
        found = cluster.in_order(eval, slow, [{"i": i} for i in range(40)])
        first = [next(found) for _ in range(3)]
        before = pids(local)
        kill(local)
        assert [*first, *found] == [i * i for i in range(40)]
    deadline = time.monotonic() + 30
    while sum(local.scheduler.workers[w].nthreads for w in local.scheduler.workers) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert pids(local) != before


def test_each_worker_computes_in_one_thread(local: Any) -> None:
    threads = "[p['num_threads'] for p in __import__('threadpoolctl').threadpool_info()]"
    with open_cluster(local.scheduler_address) as cluster:
        (inside,) = cluster.in_order(eval, f"__import__('numpy') and {threads}", [{}])
    assert inside
    assert set(inside) == {1}


def failing(local: Any, work: Any, known: Any, task: Any) -> ToolError:
    with open_cluster(local.scheduler_address) as cluster, pytest.raises(ToolError) as error:
        list(cluster.in_order(work, known, [task]))
    return error.value


def test_an_exception_is_shown_with_its_traceback(local: Any) -> None:
    error = failing(local, operator.truediv, 1, 0)
    assert error.code == "HW614"
    assert "ZeroDivisionError: division by zero" in error.log
    assert "worker.py" in error.log


def test_a_package_that_a_worker_lacks_is_named(local: Any) -> None:
    error = failing(local, eval, "__import__('no_such_package')", {})
    assert (error.code, error.log) == (
        "HW613", "ModuleNotFoundError: No module named 'no_such_package'"
    )  # fmt: skip
    assert install_command("dask") in error.help


def test_findings_come_whole(local: Any) -> None:
    code = (
        "(_ for _ in ()).throw(__import__('hwflow').CompileError([__import__('hwflow')"
        ".Diagnostic(code='HW999', title='a finding', where='there')]))"
    )
    with open_cluster(local.scheduler_address) as cluster, pytest.raises(CompileError) as error:
        list(cluster.in_order(eval, code, [{}]))
    assert error.value.diagnostics[0].where == "there"


class Program:
    """A program that is ended in the end."""

    def __init__(self, *command: str, path: Path = ROOT) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], env={"PYTHONPATH": str(path), "PATH": ""}, cwd=path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.mark.slow
def test_a_task_that_kills_workers_ends_the_work() -> None:
    with local_cluster(1) as local:
        local.scheduler.allowed_failures = 0
        error = failing(local, eval, "__import__('os')._exit(1)", {})
    assert error.code == "HW614"
    assert "workers end while they compute" in error.message


def test_a_cluster_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 0.6)
    with local_cluster(0) as local:
        error = failing(local, operator.add, 1, 1)
    assert error.code == "HW612"
    assert f"`dask worker {local.scheduler_address}`" in error.help


@pytest.mark.slow
def test_workers_may_come_later() -> None:
    """The help of HW612."""
    with local_cluster(0) as local, open_cluster(local.scheduler_address) as cluster:
        found = cluster.in_order(operator.add, 1, [1])
        with Program("-m", "dask", "worker", local.scheduler_address, "--no-dashboard"):
            assert list(found) == [2]


@pytest.mark.slow
def test_a_scheduler_that_ends() -> None:
    with local_cluster(1) as local, open_cluster(local.scheduler_address) as cluster:
        found = cluster.in_order(eval, "__import__('time').sleep(0.2)", [{}] * 30)
        next(found)
        local.close()
        with pytest.raises(ToolError, match="does not answer any more") as error:
            list(found)
    assert error.value.code == "HW611"


@pytest.mark.slow
def test_a_scheduler_needs_no_hwflow() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    code = (
        "import sys; sys.modules['hwflow'] = None; "
        "from distributed.cli.dask_scheduler import main; main()"
    )
    address = f"tcp://127.0.0.1:{port}"
    with (
        Program("-c", code, "--host", "127.0.0.1", "--port", port, "--no-dashboard"),
        Program("-m", "dask", "worker", address, "--no-dashboard", "--no-nanny"),
        open_cluster(address) as cluster,
    ):
        assert list(cluster.in_order(operator.add, 1, [1, 2])) == [2, 3]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "abc://x:1", ""])
def test_no_scheduler_there(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ToolError) as error, open_cluster(address):
        pass
    assert error.value.code == "HW611"
    assert address in error.value.message


def test_dask_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ToolError) as error, open_executor(1, "tcp://127.0.0.1:1"):
        pass
    assert (error.value.code, error.value.help) == ("HW607", install_command("dask"))


def test_workers_with_another_hwflow_are_refused(
    local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(build(), sources="0" * 64)
    monkeypatch.setattr(client, "build", lambda: other)
    monkeypatch.setattr(findings, "build", lambda: other)
    error = failing(local, operator.add, 1, 1)
    assert error.code == "HW613"
    assert error.log == f"there: {build()}\nhere:  {other}"


@pytest.mark.slow
def test_a_worker_whose_sources_differ_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "hwflow"
    shutil.copytree(Path(hwflow.__file__).parent, copy, ignore=shutil.ignore_patterns("_data"))
    with (copy / "core" / "limits.py").open("a") as file:
        file.write("# another line\n")
    worker = ("-m", "dask", "worker", "--no-dashboard", "--no-nanny")
    with local_cluster(0) as local:
        with Program(*worker, local.scheduler_address, path=tmp_path):
            error = failing(local, operator.add, 1, 1)
        assert error.code == "HW613"
        assert error.log.splitlines()[0] != f"there: {build()}"
        with (  # the help of HW613
            Program(*worker, local.scheduler_address),
            open_cluster(local.scheduler_address) as cluster,
        ):
            assert list(cluster.in_order(operator.add, 1, [1])) == [2]
