"""Projects and settings of strangers: nothing of them is run unasked, every edit is named."""

import json
import os
import re
import shutil
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.codegen.project import MARKER, Project
from hwflow.core import toolchain
from hwflow.core.errors import CompileError
from hwflow.project.stored import open_project
from hwflow.project.verification import CheckedDesign, verify_path
from hwflow.testing.assertions import assert_faithful
from tests.cli.command import dense
from tests.cli.command import hwflow as command

DATA = {"x": np.random.default_rng(0).uniform(-4, 4, (50, 4)).astype(np.float32)}
EVIL = "from pathlib import Path\nPath({!r}).write_text('here')\n"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that was built with data."""
    design = hwflow.compile(dense())
    return design.write(tmp_path_factory.mktemp("made") / "net", design.verify(DATA, cpp=False))


@pytest.fixture
def project(written: Path, tmp_path: Path) -> Path:
    """Return a copy of the project that a test may damage."""
    return Path(shutil.copytree(written, tmp_path / "net"))


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is run, which is nothing."""
    ran: list[str] = []

    def note(name: str, command: Sequence[str], *rest: Any) -> None:
        ran.append(" ".join(command))
        raise AssertionError(f"{name} was run")

    monkeypatch.setattr(toolchain, "_run", note)
    return ran


def record_anew(folder: Path) -> None:
    """Let the recorded digests say what lies there, as whoever edits files can."""
    names = [line.partition("  ")[2] for line in (folder / MARKER).read_text().splitlines()[1:]]
    files = {n: (folder / n).read_bytes() for n in names if (folder / n).is_file()}
    (folder / MARKER).write_text(Project("net", files)._record())


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new, 1))

    return change


def write(path: str, content: str = "// mine\n") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / path).write_text(content)

    return change


def link(path: str, target: str = "/dev/zero") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / path).unlink()
        (folder / path).symlink_to(target)

    return change


def fifo(path: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / path).unlink()
        os.mkfifo(folder / path)

    return change


def sparse(path: str) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / path, 2**41)


def moved_out(folder: Path) -> None:
    (folder / "hls").rename(folder.parent / "other")
    (folder / "hls").symlink_to("../other")


TOP = "hls/firmware/fixture.cpp"
EDITS: dict[str, tuple[Callable[[Path], None], str]] = {
    "the top function": (
        replace(TOP, "#include <iostream>", '#include "/etc/passwd"'),
        rf'{TOP}, line \d+: #include "/etc/passwd"',
    ),
    "a header of hls4ml": (
        write("hls/firmware/nnet_utils/nnet_mult.h"),
        r"nnet_mult.h, line 1: // mine",
    ),
    "a weight": (
        write("hls/firmware/weights/gemm19_weight.txt", "1"),
        r"weights/gemm19_weight.txt, line 1: 1",
    ),
    "a script": (write("hls/build_prj.tcl", "exec true\n"), r"build_prj.tcl, line 1: exec true"),
    "the bench": (write("hls/fixture_test.cpp"), r"hls/fixture_test.cpp, line 1: // mine"),
    "the Makefile": (write("sim/Makefile", "check:\n\ttrue\n"), r"sim/Makefile, line 1: check:"),
    "the CMakeLists": (write("sim/CMakeLists.txt", ""), r"sim/CMakeLists.txt, line 1: "),
    "the golden model": (write("model.hw.onnx", "?"), r"model.hw.onnx, other bytes"),
    "a header that hides the system's": (
        write("hls/firmware/math.h"),
        r"hls/firmware/math.h, added",
    ),
    "a link": (link(TOP), rf"{TOP}, a link"),
    "a link to a folder": (moved_out, r"hls/.*, a link"),
    "a pipe": (fifo(TOP), rf"{TOP}, no regular file"),
    "a huge file": (sparse(TOP), rf"{TOP}, more than [\d,]+ bytes"),
    "a file less": (lambda folder: (folder / TOP).unlink(), rf"{TOP}, gone"),
    "plugins in the settings": (
        replace("hwflow.toml", "[target]", '[plugins]\npaths = ["evil.py"]\n[target]'),
        r"hwflow.toml, names plugins, which hwflow does not write: evil.py",
    ),
}  # fmt: skip


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "unrecorded"])
@pytest.mark.parametrize("name", EDITS)
def test_an_edited_project_fails_and_nothing_of_it_is_run(
    name: str, recorded: bool, project: Path, tools: list[str]
) -> None:
    change, expected = EDITS[name]
    (project / "evil.py").write_text(EVIL.format(str(project / "ran")))
    change(project)
    if recorded and name != "a huge file":  # whose digest takes long
        record_anew(project)
    found = verify_path(project, DATA)
    assert [(c.name, c.passed) for c in found.checks][:2] == [("files", False), ("faithful", False)]
    assert re.search(expected, found.checks[0].detail), found.checks[0].detail
    assert "--trust" in found.checks[1].detail
    assert not tools
    assert not (project / "ran").exists()


def test_what_hwflow_generates_needs_no_asking(written: Path) -> None:
    assert open_project(written).edits == ()


def test_a_golden_model_with_other_observed_ranges_is_one(written: Path, project: Path) -> None:
    design = hwflow.compile(dense())
    other = design.write(
        project.parent / "other", design.verify({"x": np.zeros((2, 4))}, cpp=False)
    )
    shutil.copy(other / "model.hw.onnx", project)
    assert (project / "model.hw.onnx").read_bytes() != (written / "model.hw.onnx").read_bytes()
    assert open_project(project).edits == ()


def test_every_verb_says_so_and_ends_with_1(
    project: Path, tools: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.parent)
    EDITS["the top function"][0](project)
    ran = command(capsys, "verify", "net", "--junit", "a.xml", "--summary", "a.md")
    assert ran.status == 1
    assert '#include "/etc/passwd"' in ran.out
    failed = [
        case.get("name")
        for case in ET.parse("a.xml").iter("testcase")
        if len(case.findall("failure"))
    ]
    assert failed == ["files", "faithful"]
    assert "FAIL" in Path("a.md").read_text()
    ran = command(capsys, "verify", "net", "--json")
    assert [c["name"] for c in json.loads(ran.out)["checks"] if not c["passed"]] == failed
    with pytest.raises(AssertionError, match="files of the project 1 of"):
        assert_faithful(project)
    assert not tools


PLUGIN: dict[str, Callable[..., object]] = {
    "verify": lambda path, **o: verify_path(path, DATA, **o),
    "open": lambda path, **o: open_project(path, **o),
}


@pytest.mark.parametrize("verb", PLUGIN)
def test_plugins_of_a_project_are_loaded_where_it_is_trusted(verb: str, project: Path) -> None:
    EDITS["plugins in the settings"][0](project)
    (project / "evil.py").write_text(EVIL.format(str(project / "ran")))
    PLUGIN[verb](project)
    assert not (project / "ran").exists()
    with pytest.raises(CompileError, match="HW250"):  # it holds no operator
        PLUGIN[verb](project, trust=True)
    assert (project / "ran").exists()


def test_simulate_refuses_a_project_that_names_plugins(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.parent)
    EDITS["plugins in the settings"][0](project)
    (project / "evil.py").write_text(EVIL.format(str(project / "ran")))
    ran = command(capsys, "simulate", "net")
    assert (ran.status, (project / "ran").exists()) == (2, False)
    assert "HW557" in ran.err


def test_the_board_of_a_project_lies_in_it(project: Path) -> None:
    replace("hwflow.toml", 'board = "pynq-z2"', 'board = "/dev/zero.toml"')(project)
    with pytest.raises(CompileError, match="HW557"):
        open_project(project)


OPENED = ["hwflow.toml", "model.qonnx.onnx", MARKER]


@pytest.mark.parametrize("path", OPENED)
@pytest.mark.parametrize("change", [link, fifo], ids=["link", "pipe"])
def test_links_and_pipes_in_the_place_of_files(
    path: str, change: Callable[[str], Callable[[Path], None]], project: Path
) -> None:
    change(path)(project)
    with pytest.raises(CompileError, match="HW554"):
        open_project(project)


@pytest.mark.parametrize("verb", ["inspect", "estimate"])
def test_plugins_of_a_settings_file_are_not_run_unasked(
    verb: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.onnx").write_bytes(dense().SerializeToString())
    Path("hwflow.toml").write_text('[plugins]\npaths = ["evil.py"]\n')
    Path("evil.py").write_text(EVIL.format(str(tmp_path / "ran")))
    assert command(capsys, verb, "model.onnx").status == 0, "no settings are looked for"
    ran = command(capsys, verb, "model.onnx", "--config", "hwflow.toml")
    assert (ran.status, Path("ran").exists()) == (2, False)
    assert "HW266" in ran.err
    for asked in (["--plugin", "evil.py"], ["--trust"]):
        ran = command(capsys, verb, "model.onnx", "--config", "hwflow.toml", *asked)
        assert Path("ran").exists()
        Path("ran").unlink()
        Path("evil.py").write_text(f"{Path('evil.py').read_text()}\n")  # or it is loaded already


@pytest.mark.cpp
def test_a_trusted_edit_is_compiled_and_compared(project: Path) -> None:
    replace("hls/firmware/defines.h", "AP_SAT", "AP_WRAP")(project)
    found: CheckedDesign = verify_path(project, DATA, trust=True)
    outcome = {c.name: (c.passed, c.detail) for c in found.checks}
    assert "defines.h, line" in outcome["files"][1]
    assert outcome["faithful"][0] is False
    assert "first in" in outcome["faithful"][1]


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(CompileError) as caught:
        call()
    (finding,) = caught.value.diagnostics
    return f"{finding.code} {finding.found}"


def test_settings_end_at_a_megabyte_and_at_a_depth(tmp_path: Path) -> None:
    for content, expected in (
        (b"#" * 2**21, "HW100 more than 1,048,576 bytes"),
        (b"a = " + b"[" * 5000, "HW100 not TOML: nested too deeply"),
        (b"a = " + b"9" * 5000, "HW100 not TOML: Exceeds the limit"),
        (b"\xff", "HW100 not TOML: 'utf-8' codec"),
    ):
        (tmp_path / "hwflow.toml").write_bytes(content)
        found = refusal(lambda: hwflow.compile(dense(), config=tmp_path / "hwflow.toml"))
        assert found.startswith(expected)


def test_a_device_in_the_place_of_settings_or_of_a_board_is_not_read_for_ever(
    tmp_path: Path,
) -> None:
    (tmp_path / "x.toml").symlink_to("/dev/zero")
    path = tmp_path / "x.toml"
    assert refusal(lambda: hwflow.compile(dense(), config=path)).startswith("HW100 more than")
    assert refusal(lambda: hwflow.compile(dense(), board=path)).startswith("HW502 more than")


def test_an_archive_of_data_unpacks_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = hwflow.compile(dense())
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((2000, 4), np.float32))
    assert design.simulate(tmp_path / "x.npz").samples == 2000
    monkeypatch.setattr("hwflow.core.data.MAX_INFLATED", 10_000)
    assert refusal(lambda: design.simulate(tmp_path / "x.npz")).startswith("HW400 more than")


def test_members_of_an_archive_that_are_no_arrays_are_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("y", "no array")
        archive.writestr("labels.npy", "none either")
        with archive.open("x.npy", "w") as file:
            np.save(file, DATA["x"])
    assert hwflow.compile(dense()).simulate(tmp_path / "x.npz").samples == 50


def test_the_workflow_to_copy_trusts_nobody() -> None:
    text = (Path(__file__).parents[1] / "examples" / "ci" / "hwflow.yml").read_text()
    assert "contents: read" in text
    assert "timeout-minutes" in text
    assert not {"--trust", "--plugin", "pull_request_target", "workflow_run", "secrets."} & set(
        re.findall(r"[\w.-]+", text)
    )
