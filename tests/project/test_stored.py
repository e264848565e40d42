"""A project in a folder: what it keeps, and that every change to it is noticed."""

import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.codegen.project import MARKER
from hwflow.core.board import load_board
from hwflow.core.errors import CompileError, ToolError
from hwflow.core.toml_text import toml_text
from hwflow.ir.text import print_graph
from hwflow.project.stored import is_project, open_project
from hwflow.project.verification import CheckedDesign, verify_path
from tests.cli.command import dense

ROOT = Path(__file__).parents[2]
DATA = {
    "x": np.random.default_rng(0).uniform(-4, 4, (200, 4)).astype(np.float32),
    "y": np.random.default_rng(1).integers(0, 3, 200),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project of a small network, with settings."""
    config = {"target": {"strategy": "resource"}, "layer": {"gemm19": {"reuse_factor": 2}},
              "verify": {"max_lut": "70%"}}  # fmt: skip
    return hwflow.compile(dense(), config=config).write(tmp_path_factory.mktemp("made") / "net")


@pytest.fixture
def project(written: Path, tmp_path: Path) -> Path:
    """Return a copy of the project that a test may damage."""
    return Path(shutil.copytree(written, tmp_path / "net"))


def test_the_same_hardware_comes_out(written: Path) -> None:
    config = tomllib.loads((written / "hwflow.toml").read_text())
    assert config["layer"] == {"gemm19": {"reuse_factor": 2}}
    assert config["verify"] == {"max_lut": "70%"}
    found = open_project(written)
    assert (found.changed, is_project(written)) == ((), True)
    assert print_graph(found.design.graph) == (written / "graph.txt").read_text()
    again = hwflow.compile(found.design.origin.read(), config=found.design.config)
    assert again.graph.by_name["gemm19"].op.reuse_factor == 2
    files = found.design.project.files
    assert files == {p: again.project.files[p] for p in files}


@pytest.mark.parametrize(
    "model", ["examples/digits_residual.onnx", "tests/models/trunc_avgpool.onnx"]
)
def test_real_models_come_out_the_same(model: str, tmp_path: Path) -> None:
    design = hwflow.compile(ROOT / model, io_type="io_stream", board="zcu104")
    found = open_project(design.write(tmp_path / "net")).design
    assert print_graph(found.graph) == print_graph(design.graph)
    assert (found.source, found.board.name) == (design.source, "ZCU104")
    assert found.target == design.target


def test_a_board_of_ones_own_is_kept(tmp_path: Path) -> None:
    mine = load_board("pynq-z2").model_copy(update={"name": "Mine", "clock_period_ns": 7.5})
    (tmp_path / "mine.toml").write_text(toml_text(mine.model_dump()))
    design = hwflow.compile(dense(), board=tmp_path / "mine.toml")
    folder = design.write(tmp_path / "net")
    (tmp_path / "mine.toml").unlink()
    found = open_project(folder).design
    assert (found.board, found.target.clock_period_ns) == (mine, 7.5)


def check(folder: Path, **options: object) -> CheckedDesign:
    return verify_path(folder, DATA, **options)  # type: ignore[arg-type]


def outcome(found: CheckedDesign) -> dict[str, bool]:
    return {c.name: c.passed for c in found.checks}


@pytest.mark.cpp
def test_the_stored_cpp_is_run(written: Path) -> None:
    found = check(written, limits={"lossless": True})
    assert outcome(found) == {
        "files": True,
        "faithful": True,
        "golden": True,
        "lossless": True,
        "lut": True,
    }
    assert found.design.stored is None, "what is run is what hwflow generates"
    assert outcome(check(written, trust=True))["faithful"]


def edit(path: Path, pattern: str, replacement: str) -> None:
    text = path.read_text()
    changed = re.sub(pattern, replacement, text, count=1)
    assert changed != text
    path.write_text(changed)


def flip_weight(folder: Path) -> None:
    """Change the sign of the first weight that is not 0."""
    for path in sorted((folder / "hls/firmware/weights").glob("*_weight.*")):
        values = re.search(r"(?<![\w.])-?(?:0\.\d+|[1-9]\d*(?:\.\d+)?)(?=[,\s}]|$)",
                           path.read_text().split("{")[-1])  # fmt: skip
        assert values is not None
        old = values[0]
        new = old[1:] if old.startswith("-") else f"-{old}"
        head, brace, rest = path.read_text().rpartition("{")
        path.write_text(head + brace + rest.replace(old, new, 1))


EDITS: dict[str, Callable[[Path], None]] = {
    "a weight": flip_weight,
    "a rounding": lambda p: edit(p / "hls/firmware/defines.h", "AP_SAT", "AP_WRAP"),
}


@pytest.mark.cpp
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_the_cpp_fails(name: str, project: Path) -> None:
    EDITS[name](project)
    found = check(project, trust=True)
    assert outcome(found) == {"files": False, "faithful": False, "golden": True, "lut": True}
    assert found.checks[0].detail.startswith("hls/firmware/")
    assert "first in gemm19" in found.checks[1].detail


@pytest.mark.cpp
def test_an_edit_without_effect_on_the_data_fails_too(project: Path) -> None:
    (project / "hls/build_prj.tcl").write_text("# mine\n")
    (project / "hls/prj").mkdir()
    (project / "hls/prj/solution.log").write_text("what a tool leaves does not matter")
    checks = {"files": False, "faithful": True, "golden": True, "lut": True}
    assert outcome(check(project, trust=True)) == checks
    (project / "model.hw.onnx").write_bytes(b"mine")
    found = check(project, trust=True)
    assert outcome(found) == {k: v for k, v in checks.items() if k != "golden"}
    assert found.verification.no_golden == "model.hw.onnx is not as it was written"


def gone(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).unlink()


def emptied(path: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (file,) = folder.glob(path)
        file.write_bytes(b"\xff\xfe")

    return write


def no_firmware(folder: Path) -> None:
    shutil.rmtree(folder / "hls" / "firmware" / "weights")


BROKEN: dict[str, tuple[str, Callable[[Path], None]]] = {
    "no model": ("HW554", gone("model.qonnx.onnx")),
    "no settings": ("HW554", gone("hwflow.toml")),
    "damaged model": ("HW002", emptied("model.qonnx.onnx")),
    "damaged settings": ("HW100", emptied("hwflow.toml")),
}
BROKEN_CODE: dict[str, tuple[str, Callable[[Path], None]]] = {
    "no weights": ("HW554", no_firmware),
    "damaged header": ("HW555", emptied("hls/firmware/fixture.h")),
    "damaged code": ("HW555", emptied("hls/firmware/fixture.cpp")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_project_is_refused(name: str, project: Path) -> None:
    code, damage = BROKEN[name]
    damage(project)
    with pytest.raises(CompileError) as caught:
        open_project(project)
    assert {d.code for d in caught.value.diagnostics} == {code}


@pytest.mark.parametrize("name", BROKEN_CODE)
def test_broken_code_is_an_edit_and_refused_where_it_would_run(name: str, project: Path) -> None:
    code, damage = BROKEN_CODE[name]
    damage(project)
    assert open_project(project).edits
    with pytest.raises(CompileError) as caught:
        open_project(project, trust=True)
    assert {d.code for d in caught.value.diagnostics} == {code}


def lines_of_the_code(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in (folder / "hls/firmware").glob("*.*"):
        yield from ((path, i) for i in range(len(path.read_text().splitlines())))


@pytest.mark.cpp
def test_code_that_is_none_any_more_is_an_error_message(project: Path) -> None:
    edit(project / "hls/firmware/fixture.cpp", r"nnet::\w+<", "nnet::nothing<")
    with pytest.raises(
        CompileError, match=r"(?s)changed: hls/firmware/fixture.cpp, line \d+: nnet::no.*error"
    ):
        check(project, trust=True)


@pytest.mark.cpp
def test_damaged_weights_are_an_error_message(project: Path) -> None:
    next((project / "hls/firmware/weights").glob("*_weight.txt")).write_text("1.0,what")
    with pytest.raises(
        CompileError, match=r"HW555.*\n.*\n.*weights/\w+_weight.txt, line 1: 1.0,what"
    ):
        check(project, trust=True)


@pytest.mark.slow
@pytest.mark.cpp
def test_no_lost_line_is_a_traceback(written: Path, tmp_path: Path) -> None:
    for number, (path, line) in enumerate(lines_of_the_code(written)):
        folder = Path(shutil.copytree(written, tmp_path / str(number) / "net"))
        target = folder / path.relative_to(written)
        lines = target.read_text().splitlines()
        target.write_text("\n".join(lines[:line] + lines[line + 1 :]))
        assert not check(folder).passed
        with suppress(CompileError, ToolError):
            assert not check(folder, trust=True).passed
        shutil.rmtree(folder)


def test_a_marker_cannot_point_outside(project: Path) -> None:
    with (project / MARKER).open("a") as file:
        file.write(f"{'0' * 64}  ../../secret\n{'0' * 64}  /etc/passwd\n")
    assert open_project(project).changed == ("../../secret", "/etc/passwd")


@pytest.mark.parametrize("option", ["io_type", "board", "config"])
def test_a_project_has_its_own_settings(option: str, project: Path) -> None:
    with pytest.raises(CompileError, match="HW556"):
        check(project, **{option: "io_stream"})
