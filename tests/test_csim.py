"""C++ simulation as a tool: cached by content, safe against what the C++ may do."""

import os
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow import csim, toolchain, verify
from hwflow.codegen.project import Project
from hwflow.data import random_data
from hwflow.design import Design
from hwflow.errors import ToolError
from hwflow.simulate import prepare_inputs

pytestmark = pytest.mark.cpp

TOP = "firmware/digits_mlp.cpp"


@pytest.fixture
def design() -> Design:
    return hwflow.compile("examples/digits_mlp.onnx")


def with_top(design: Design, old: str, new: str) -> Project:
    files = dict(design.project.files)
    text = files[TOP].decode()
    assert old in text
    files[TOP] = text.replace(old, new, 1).encode()
    return Project(design.project.name, files)


def test_an_unchanged_project_is_not_compiled_again(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = csim.build(design.graph, design.project, design.target)
    monkeypatch.setattr(toolchain, "run", None)  # a second g++ run would fail
    assert csim.build(design.graph, design.project, design.target).program == first.program


def test_the_cache_forgets_what_was_used_longest_ago(tmp_path: Path) -> None:
    for age in range(5):
        program = tmp_path / f"program{age}" / "bench"
        program.parent.mkdir()
        program.touch()
        os.utime(program, (1e9 - age, 1e9 - age))
    csim.CACHED_PROGRAMS, kept = 3, csim.CACHED_PROGRAMS
    try:
        csim._forget_oldest(tmp_path)
    finally:
        csim.CACHED_PROGRAMS = kept
    assert sorted(p.name for p in tmp_path.iterdir()) == ["program0", "program1", "program2"]


def test_other_weights_need_no_new_build_and_are_used(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = csim.build(design.graph, design.project, design.target)
    monkeypatch.setattr(toolchain, "run", None)
    files = dict(design.project.files)
    name = "firmware/weights/b4.txt"
    files[name] = b", ".join(b"0" for _ in files[name].split(b","))
    second = csim.build(design.graph, Project(design.project.name, files), design.target)
    assert second.program == first.program
    data = prepare_inputs(design.graph, random_data(design.graph, 5).inputs)
    assert not np.array_equal(first.run(data).layers["fc3"], second.run(data).layers["fc3"])


def test_the_batch_axis_stays_for_one_sample(design: Design) -> None:
    built = csim.build(design.graph, design.project, design.target)
    data = prepare_inputs(design.graph, random_data(design.graph, 1).inputs)
    assert built.run(data).layers["fc3"].shape == (1, 10)


def test_a_crash_is_an_error_message(design: Design) -> None:
    crashing = with_top(design, "nnet::dense", "*(volatile int *)0 = 1; nnet::dense")
    built = csim.build(design.graph, crashing, design.target)
    with pytest.raises(ToolError, match="the C\\+\\+ simulation crashed \\(SIGSEGV\\)"):
        built.run(prepare_inputs(design.graph, random_data(design.graph, 2).inputs))


def test_an_endless_loop_is_an_error_message(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = with_top(design, "nnet::dense", "for (volatile int i = 0; ; i++); nnet::dense")
    built = csim.build(design.graph, endless, design.target)
    monkeypatch.setattr(csim, "RUN_TIMEOUT_S", 0.5)
    with pytest.raises(ToolError, match=r"took longer than 0\.5 s"):
        built.run(prepare_inputs(design.graph, random_data(design.graph, 2).inputs))


def test_cpp_that_does_not_compile_is_an_error_with_its_log(design: Design) -> None:
    with pytest.raises(ToolError) as failure:
        csim.build(design.graph, with_top(design, "nnet::dense", "nnet::tense"), design.target)
    assert "tense" in failure.value.log
    assert "compiling the generated C++ failed" in failure.value.message


def test_a_missing_compiler_is_named(design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    flags = ("-std=c++17", "-O0")  # nothing of this in the cache
    with pytest.raises(ToolError) as failure:
        csim.build(design.graph, design.project, design.target, flags=flags)
    assert "no-such-compiler" in str(failure.value)
    assert "apt-get install g++" in str(failure.value)


def test_a_difference_leaves_a_reproducer(design: Design, tmp_path: Path) -> None:
    files = dict(design.project.files)
    name = "firmware/weights/b3.txt"
    files[name] = b", ".join(b"0" for _ in files[name].split(b","))
    built = csim.build(design.graph, Project(design.project.name, files), design.target)
    data = random_data(design.graph, 300).inputs
    simulation = verify.full_simulation(design.graph, data)
    path = tmp_path / "reproducer.npz"
    found = verify.check_faithful(design.graph, built, data, simulation, path)
    assert found.first is not None
    assert found.first.layer == "fc2"
    assert found.first.reproducer == str(path)
    with np.load(path) as saved:
        sample = {p.value: saved[f"input/{p.name}"] for p in design.graph.inputs}
        assert np.array_equal(built.run(sample).layers["fc2"], saved["found"])
        assert not np.array_equal(saved["expected"], saved["found"])
        assert np.array_equal(
            simulation.layers["fc1"].values[found.first.index[0]][None], saved["operand/fc1"]
        )
