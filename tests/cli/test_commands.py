"""Each command: what it prints for programs, its exit status, its help."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow import __version__
from hwflow import compile as compile_model
from hwflow.cli import main
from hwflow.cli.app import app, explore_app
from hwflow.codegen.project import Project
from hwflow.simulate import cpp
from hwflow.simulate.cpp import program
from tests.cli.command import dense, float_dense, hwflow, save
from tests.manifests import sample
from tests.project.synthesis.stand_in import install
from tests.synthesis.designs import vitis_tree

VERBS = [
    *(c.callback.__name__ for c in app.registered_commands if c.callback is not None), "explore",
    *(f"explore {c.callback.__name__}" for c in explore_app.registered_commands if c.callback),
]  # fmt: skip


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(dense())
    save(float_dense(), "float.onnx")
    rng = np.random.default_rng(0)
    Path("manifest.json").write_text(sample().to_json(), "utf-8")
    np.savez("data.npz", x=rng.uniform(-4, 4, (50, 4)), y=rng.integers(0, 3, 50))


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, *verb.split(), "--help")
    assert ran.status == 0
    assert f"Example: hwflow {verb}" in ran.out


COMMANDS = {
    "build": ["build", "model.onnx", "--data", "data.npz", "-o", "out"],
    "inspect": ["inspect", "model.onnx"],
    "simulate": ["simulate", "model.onnx", "--data", "data.npz"],
    "verify": ["verify", "model.onnx", "--data", "data.npz"],
    "estimate": ["estimate", "model.onnx"],
    "fifo": ["fifo", "model.onnx"],
    "fit": ["fit", "model.onnx", "--board", "pynq-z2", "-o", "fitted.toml"],
    "vectors": ["vectors", "model.onnx", "--data", "data.npz", "-o", "vectors"],
    "ensemble": ["ensemble", "model.onnx", "model.onnx", "-o", "both.onnx"],
    "convert": ["convert", "model.onnx", "-o", "same.qonnx.onnx"],
    "quantize": ["quantize", "float.onnx", "--data", "data.npz", "--bits", "w=4,a=8"],
    "explore": [
        "explore", "float.onnx", "--data", "data.npz", "--bits", "w=3,4 a=6", "--run", "new"
    ],
    "explore front": ["explore", "front", "--run", "run"],
    "explore status": ["explore", "status", "--run", "run"],
    "explore show": ["explore", "show", "--run", "run"],
    "explore diff": ["explore", "diff", "--run", "run", "--other", "run"],
    "explore gate": ["explore", "gate", "--run", "run", "--baseline", "run/front.json"],
    "explore recost": ["explore", "recost", "--run", "run", "--board", "zcu104"],
    "explore sensitivity": ["explore", "sensitivity", "--run", "run"],
    "explore export": ["explore", "export", "--run", "run"],
    "pick": ["pick", "--run", "run", "-o", "picked", "--no-cpp"],
    "diff": ["diff", "manifest.json", "manifest.json"],
    "synth": ["synth", "net", "-o", "run"],
    "report": ["report", "net", "--synth", "reports"],
    "calibrate": ["calibrate", "reports", "--project", "net", "--profile", "my.toml"],
    "boards": ["boards"],
    "ops": ["ops"],
    "doctor": ["doctor"],
}  # fmt: skip

BLOCKS = {
    "package": "test_benches.py",
    "weights": "reload/test_loads.py",
    "hil": "hil/test_hil.py",
}
"""Verbs on blocks, which need long benches and boards: where they are tried, below package/."""


WRITING = (
    "build", "vectors", "ensemble", "convert", "quantize", "explore", "explore recost", "pick",
    "fit", "synth", "report", "calibrate",
)  # fmt: skip
"""Verbs that leave files."""


@pytest.fixture
def project(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write what some verbs are about: a run, a project, reports, a stand-in for Vitis HLS."""
    if request.getfixturevalue("verb").startswith(("explore ", "pick")):
        with contextlib.suppress(SystemExit):
            main([*COMMANDS["explore"][:-1], "run"])
    if request.getfixturevalue("verb") not in ("synth", "report", "calibrate"):
        return
    net = compile_model("model.onnx")
    net.write("net")
    vitis_tree(Path("reports"), net)
    program, _ = install(Path("tools").absolute(), net, "vitis-run")
    monkeypatch.setenv("HWFLOW_VITIS", str(program))


def strict(text: str) -> Any:
    """Return parsed JSON; NaN and infinities, which JSON lacks, are errors."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def test_every_verb_is_tried() -> None:
    assert {*COMMANDS, *BLOCKS} == set(VERBS)
    for verb, place in BLOCKS.items():
        text = Path(__file__).parents[1].joinpath("package", place).read_text("utf-8")
        assert re.search(rf'"{verb}", [^\n]*"--json"', text)


@pytest.mark.cpp
@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("verb", COMMANDS)
def test_json_is_all_that_is_printed(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, *COMMANDS[verb], "--json")
    assert ran.status == 0
    assert strict(ran.out)
    assert ran.err == ""
    assert (ran.new == ()) == (verb not in WRITING)


@pytest.mark.cpp
@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("verb", COMMANDS)
def test_text_is_printed(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, *COMMANDS[verb])
    assert ran.status == 0
    assert ran.out.strip()


@pytest.mark.parametrize("verb", ["build", "inspect", "simulate", "verify", "estimate", "fit"])
def test_errors_are_json_too(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, verb, "nothing.onnx", "--json")
    assert (ran.status, ran.err, ran.new) == (2, "", ())
    (error,) = strict(ran.out)["errors"]
    assert error["code"] == "HW001"
    assert set(error) == {"code", "severity", "title", "where", "found", "supported", "help"}


def test_simulation_is_saved(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, *COMMANDS["simulate"], "-o", "sim.npz", "--layers")
    assert (ran.status, ran.new) == (0, ("sim.npz",))
    with np.load("sim.npz") as saved:
        assert any(name.startswith("output/") for name in saved.files)
        assert any(name.startswith("layer/") for name in saved.files)
        assert all(len(saved[name]) == 50 for name in saved.files)


@pytest.mark.parametrize("name", ["pynq-z2", "PYNQ-Z2", "zcu104"])
def test_one_board(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert hwflow(capsys, "boards", name).status == 0
    assert hwflow(capsys, "inspect", "model.onnx", "--board", name).status == 0


def test_an_unknown_board(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "boards", "pynk")
    assert ran.status == 2
    assert "error[HW501]" in ran.err


def broken_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the C++ read zeros for the bias."""
    build = cpp.build

    def wrong(graph: Any, project: Project, target: Any) -> cpp.Csim:
        files = dict(project.files)
        for path in files:
            if re.fullmatch(r"firmware/weights/\w+_bias\.txt", path):
                files[path] = b", ".join(b"0" for _ in files[path].split(b","))
        return build(graph, Project(project.name, files), target)

    monkeypatch.setattr(cpp, "build", wrong)


@pytest.mark.cpp
@pytest.mark.parametrize("verb", ["build", "verify"])
def test_a_failed_verification_is_status_1(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_bias(monkeypatch)
    ran = hwflow(capsys, *COMMANDS[verb])
    assert ran.status == 1
    name = "out-reproducer.npz" if verb == "build" else "model-reproducer.npz"
    assert name in ran.new
    assert "first differs at" in re.sub(r"\s+", " ", ran.out) or "layer" in ran.out
    with np.load(name) as saved:
        assert {"expected", "found", "input/x"} <= set(saved.files)
        assert not np.array_equal(saved["expected"], saved["found"])
    again = hwflow(capsys, *COMMANDS[verb], "--json")
    assert again.status == 1
    assert strict(again.out)


def patched(monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    """Put a statement at the start of the generated top function's body."""
    build = cpp.build

    def wrong(graph: Any, project: Project, target: Any) -> cpp.Csim:
        path = f"firmware/{project.name}.cpp"
        text = project.text(path)
        at = text.index("nnet::")
        at = text.rindex("\n", 0, at)
        files = {**project.files, path: (text[:at] + f"\n{statement}\n" + text[at:]).encode()}
        return build(graph, Project(project.name, files), target)

    monkeypatch.setattr(cpp, "build", wrong)


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("volatile int *none = nullptr; *none = 1;", "crashed (SIGSEGV)"),
        ("for (volatile int i = 0;; ++i) {}", "took longer than 2 s"),
        ("this is not C++;", "compiling the generated C++"),
    ],
)
def test_a_crash_in_cpp_is_an_error_message(
    statement: str,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    patched(monkeypatch, statement)
    monkeypatch.setattr(program, "RUN_TIMEOUT_S", 2.0)
    ran = hwflow(capsys, *COMMANDS["build"])
    assert (ran.status, ran.new) == (2, ())
    assert text in ran.err
    assert "Traceback" not in ran.err


def test_a_missing_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    ran = hwflow(capsys, *COMMANDS["build"])
    assert (ran.status, ran.new) == (2, ())
    assert "'/nonexistent/c++' (from CXX) was not found" in ran.err
    assert "set CXX" in ran.err
    doctor = hwflow(capsys, "doctor", "--json")
    assert doctor.status == 1
    assert strict(doctor.out)["tools"]["g++"]["path"] == ""
    assert "not found" in hwflow(capsys, "doctor").out
    for verb in ("inspect", "simulate", "estimate"):
        assert hwflow(capsys, *COMMANDS[verb]).status == 0


def test_a_compiler_that_cannot_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cxx").write_text("neither a program nor a script")
    Path("cxx").chmod(0o755)
    monkeypatch.setenv("CXX", str(Path("cxx").resolve()))
    monkeypatch.setenv("HWFLOW_CACHE", str(Path("cache").resolve()))
    ran = hwflow(capsys, *COMMANDS["verify"])
    assert ran.status == 2
    assert "cannot be run" in ran.err


@pytest.mark.cpp
def test_a_cache_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("")
    monkeypatch.setenv("HWFLOW_CACHE", str(Path("file/cache").resolve()))
    ran = hwflow(capsys, *COMMANDS["verify"])
    assert ran.status == 2
    assert "HWFLOW_CACHE" in ran.err


def test_the_module_runs_as_a_program() -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", "hwflow", "inspect", "nothing.onnx"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert "error[HW001]" in done.stderr
    assert "Traceback" not in done.stderr


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "--version")
    assert (ran.status, ran.out) == (0, f"hwflow {__version__}\n")


def test_shells_complete_commands_and_options() -> None:
    def completed(words: str, count: int) -> set[str]:
        environment = {
            **os.environ, "_HWFLOW_COMPLETE": "complete_bash", "COMP_WORDS": words,
            "COMP_CWORD": str(count), "PYTHONPATH": str(Path(cpp.__file__).parents[3]),
        }  # fmt: skip
        code = "from hwflow.cli import app; app(prog_name='hwflow')"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return set(done.stdout.split())

    assert completed("hwflow ver", 1) == {"verify"}
    assert {"--junit", "--summary", "--max-lut"} <= completed("hwflow verify --", 2)
    assert {"--bits", "--fix"} <= completed("hwflow explore net.onnx --", 3)
    assert {"--run", "--board"} <= completed("hwflow explore front --", 3)


def test_help_in_a_pipe_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["op", "--help"]):
        out = hwflow(capsys, *arguments).out
        assert "..." not in out.replace("[ARGS]...", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verify", "model.onnx", "--bogus"], "--bogus"),
        (["verify"], "path"),
        (["estimate", "model.onnx", "--clock", "few"], "--clock"),
        (["vectors", "model.onnx", "-o", "out", "--samples", "0"], "--samples"),
        (["nonsense"], "nonsense"),
        (["op", "check"], "name"),
    ],
)
def test_a_command_line_that_is_not_understood(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = hwflow(capsys, *arguments)
    assert (plain.status, plain.out) == (2, "")
    assert "Usage: " in plain.err
    ran = hwflow(capsys, *arguments, "--json")
    (finding,) = strict(ran.out)["errors"]
    assert (ran.status, ran.err, finding["code"]) == (2, "", "HW580")
    assert says in finding["found"]
    ran = hwflow(capsys, *arguments, "--junit", "a.xml", "--summary=a.md")
    assert (ran.status, ran.new) == (2, ("a.md", "a.xml"))
    assert all("HW580" in Path(file).read_text() for file in ran.new)
