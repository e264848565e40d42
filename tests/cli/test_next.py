"""What `build` and `package` say comes next is what can be done, as it is printed."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hwflow import compile as compile_model
from hwflow.cli.show.design import print_build
from hwflow.cli.show.package import print_package
from hwflow.package.benches import Outcome
from hwflow.package.block import make_block
from hwflow.package.packaging import Packaged, block_folder
from hwflow.package.wishes import Wishes
from tests.cli.command import dense, hwflow, save
from tests.package.builds import build

Capture = pytest.CaptureFixture[str]


def printed(out: str) -> list[list[str]]:
    """Return the commands behind `next`, without the comments behind them."""
    lines = out.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.startswith("next")]
    return [shlex.split(line[10:], comments=True) for line in lines[at : at + 2]]


def run(command: list[str], *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *more], capture_output=True, text=True, check=False, timeout=200
    )


@pytest.mark.parametrize(
    ("project", "block"),
    [("build/net", "build/net-ip"), ("build/net-ip", "build/net-ip-block"),
     ("build/net_IP", "build/net_IP-block"), ("ip", "ip-ip"), ("a b", "a b-ip")],
)  # fmt: skip
def test_a_block_lies_beside_its_project(project: str, block: str) -> None:
    assert block_folder(Path(project)) == Path(block)


def test_the_folder_one_is_in_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    monkeypatch.chdir(tmp_path / "net")
    assert block_folder(Path()) == block_folder(Path("../net/../net")).resolve()
    assert block_folder(Path()) == tmp_path / "net-ip"


def test_the_folder_can_be_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    build(tmp_path / "net_ip")

    def passed(*given: object) -> Outcome:
        return Outcome(True, ("test_bench: not run",))

    monkeypatch.setattr("hwflow.package.packaging.run_benches", passed)
    assert hwflow(capsys, "package", "net_ip").status == 0
    assert (tmp_path / "net_ip-block" / "ip.json").is_file()


@pytest.mark.cpp
@pytest.mark.slow
def test_what_follows_a_build_and_a_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    save(dense(), "my net.onnx")
    ran = hwflow(capsys, "build", "my net.onnx", "--board", "pynq-z2")
    assert ran.status == 0, ran.err
    sim, (program, *package) = printed(ran.out)
    assert run(sim).returncode == 0
    assert program == "hwflow"
    ran = hwflow(capsys, *package, "--interface", "memory")
    assert ran.status == 0, ran.err
    assert (tmp_path / "build" / "my net-ip" / "ip.json").is_file()
    test, ip = printed(ran.out)
    assert run(test).returncode == 0
    assert run(ip, "HLS=true").returncode == 0  # a tool that does nothing


def test_plugins_are_named_again(capsys: Capture) -> None:
    design = compile_model(dense())
    found = design.verify(None, cpp=False)
    capsys.readouterr()
    print_build(design, found, Path("a net"), plugins=[Path("my ops.py")], json=False)
    sim, package = printed(capsys.readouterr().out)
    assert sim == ["make", "-C", "a net/sim"]
    assert package[1:] == ["package", "a net", "-o", "a net-ip", "--plugin", "my ops.py"]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("next")
    return {b: build(place / b, dense(), board=b) for b in ("pynq-z2", "alveo-u50", "kv260")}


@pytest.mark.parametrize(
    ("board", "wishes", "last"),
    [
        ("pynq-z2", {}, "ip"),
        ("pynq-z2", {"interface": "axi-lite"}, "ip"),
        ("pynq-z2", {"interface": "memory"}, "ip"),
        ("pynq-z2", {"argmax": True, "edge": "float32"}, "ip"),
        ("alveo-u50", {}, "ip"),
        ("alveo-u50", {"interface": "memory", "kernel": True}, "xclbin"),
        ("kv260", {"interface": "memory", "kernel": True}, "xo"),  # its platform is not known
    ],
)
def test_every_block_has_the_targets_that_are_named(
    board: str, wishes: Any, last: str, projects: dict[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    block = make_block(projects[board], Wishes(**wishes))
    folder = block.write(tmp_path / "its block")
    capsys.readouterr()
    print_package(Packaged(block, Outcome(True, ()), folder), json=False)
    commands = printed(capsys.readouterr().out)
    assert [c[-1] for c in commands] == ["test", last]
    for command in commands:
        done = run(command, "--dry-run", "HLS=true")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
