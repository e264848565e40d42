"""What all tests share: golden files, a cache of their own, and what absent tools mean."""

import os
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hwflow.core.machine import install_command
from hwflow.core.toolchain import CXX

GOLDEN = Path(__file__).parent / "golden"

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # one TensorFlow for all tests of a process
os.environ.setdefault("KERAS_BACKEND", "torch")  # of Keras 3, which needs no other TensorFlow


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write what the tests find to tests/golden"
    )


def pytest_configure() -> None:
    """Give each worker of a full machine one core, so that no test builds C++ for several."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None or not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if int(os.environ["PYTEST_XDIST_WORKER_COUNT"]) >= len(cores):
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a file in ``tests/golden``, or write it with ``--update-golden``."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.read_text("utf-8") == text, f"{name} differs; see --update-golden"

    return check


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """Yield a Dask cluster of two workers."""
    from tests.clusters import local_cluster

    with local_cluster(2) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def own_cache(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Build C++ into a cache of this run, unless ``HWFLOW_CACHE`` names one."""
    if "HWFLOW_CACHE" in os.environ:
        yield
        return
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # one cache for all workers of a run
    os.environ["HWFLOW_CACHE"] = str(base / "hwflow-cache")
    yield
    del os.environ["HWFLOW_CACHE"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what needs a tool that is absent."""
    absent = {
        "cpp": None if CXX.find() else f"no C++ compiler: {CXX.install}",
        "torch": None if find_spec("brevitas") else f"no Brevitas: {install_command('torch')}",
        "keras": None if find_spec("qkeras") else f"no QKeras: {install_command('keras')}",
    }
    for item in items:
        for marker, reason in absent.items():
            if reason is not None and item.get_closest_marker(marker) is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count a skip as a failure in CI, where every tool is there."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
