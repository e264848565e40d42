"""C++ simulation as a tool: cached by content, safe against what the C++ may do."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.codegen.project import Project
from hwflow.core import toolchain
from hwflow.core.errors import ToolError
from hwflow.ops.shared.port_data import prepare_inputs
from hwflow.project.design import Design
from hwflow.simulate import cpp
from hwflow.simulate.cpp import compiler, program
from hwflow.simulate.cpp.cache import HEADERS, Shelf
from hwflow.simulate.samples import mixed_data
from hwflow.testing.operators.cases import QUICK_FLAGS
from hwflow.verify import comparison
from tests.fixtures import table_network

pytestmark = pytest.mark.cpp

TOP = "firmware/digits_mlp.cpp"
DEFINES = "firmware/defines.h"
PARAMETERS = "firmware/parameters.h"


@pytest.fixture
def design() -> Design:
    return hwflow.compile("examples/digits_mlp.onnx")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a cache with the precompiled headers only, whatever earlier runs compiled."""
    headers = HEADERS.path("")
    headers.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("HWFLOW_CACHE", str(tmp_path / "cache"))
    HEADERS.path("").parent.mkdir(parents=True)
    HEADERS.path("").symlink_to(headers)


def with_text(design: Design, path: str, old: str, new: str) -> Project:
    files = dict(design.project.files)
    text = files[path].decode()
    assert old in text
    files[path] = text.replace(old, new, 1).encode()
    return Project(design.project.name, files)


def test_an_unchanged_project_is_not_compiled_again(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cpp.build(design.graph, design.project, design.target)
    monkeypatch.setattr(toolchain, "run", None)  # a second g++ run would fail
    assert cpp.build(design.graph, design.project, design.target).program == first.program


def count_compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the name of each file that is compiled from now on."""
    compiled: list[str] = []
    run = toolchain.run

    def counting(tool: toolchain.Tool, arguments: Sequence[str], **options: Any) -> object:
        compiled.extend(a for a in arguments if a.endswith(".cpp"))
        return run(tool, arguments, **options)

    monkeypatch.setattr(toolchain, "run", counting)
    return compiled


@pytest.mark.usefixtures("cache")
def test_a_layer_that_did_not_change_is_not_compiled_again(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cpp.build(design.graph, design.project, design.target)
    compiled = count_compilations(monkeypatch)
    changed = with_text(design, DEFINES, "ap_fixed<13,6> fc2_accum_t", "ap_fixed<15,7> fc2_accum_t")
    second = cpp.build(design.graph, changed, design.target)
    assert len(compiled) == 2  # the layer, and the top function, which knows all types
    assert second.program != first.program
    data = prepare_inputs(design.graph, mixed_data(design.graph, 50).inputs)
    for name, values in first.run(data).layers.items():  # a wider accumulator changes nothing
        assert np.array_equal(values, second.run(data).layers[name])


def test_versions_of_a_layer_are_never_mixed_up(design: Design) -> None:
    """The object of the first version, which stays in use for the other layers, has both."""
    first = cpp.build(design.graph, design.project, design.target)
    narrow = with_text(design, DEFINES, "ap_fixed<13,6> fc2_accum_t", "ap_fixed<6,3> fc2_accum_t")
    second = cpp.build(design.graph, narrow, design.target)
    data = prepare_inputs(design.graph, mixed_data(design.graph, 50).inputs)
    found, expected = second.run(data).layers, first.run(data).layers
    assert np.array_equal(found["fc1"], expected["fc1"])
    assert not np.array_equal(found["fc2"], expected["fc2"])


@pytest.mark.usefixtures("cache")
def test_an_object_with_another_version_of_a_header_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``lookup_index`` belongs to no layer; a linker takes the first that it finds."""
    monkeypatch.setattr(compiler, "cores", lambda: 1)  # all layers in one object
    design = hwflow.compile(table_network(8))
    first = cpp.build(design.graph, design.project, design.target, flags=QUICK_FLAGS)
    header = "firmware/nnet_utils/hwflow_lookup.h"
    wrong = with_text(design, header, "return bits.to_uint();", "return bits.to_uint() / 2;")
    compiled = count_compilations(monkeypatch)
    second = cpp.build(design.graph, wrong, design.target, flags=QUICK_FLAGS)
    assert len(compiled) == 2  # all layers anew, and the top function, which calls others
    data = prepare_inputs(design.graph, mixed_data(design.graph, 50).inputs)
    right, found = first.run(data).layers, second.run(data).layers
    table = design.graph.outputs[0].value
    assert {n for n, v in right.items() if not np.array_equal(v, found[n])} == {table}


def test_the_cache_forgets_what_was_used_longest_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWFLOW_CACHE", str(tmp_path))
    shelf = Shelf("things", 3)
    (tmp_path / "made").write_text("x")
    for age in range(5):
        shelf.put(f"thing{age}", tmp_path / "made")
        os.utime(shelf.path(f"thing{age}"), (1e9 - age, 1e9 - age))
    assert shelf.has("thing4")  # which is a use
    shelf.forget_oldest()
    assert sorted(p.name for p in shelf.path("").iterdir()) == ["thing0", "thing1", "thing4"]


def test_builds_at_the_same_time_do_not_disturb_each_other(
    design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpp.build(design.graph, design.project, design.target)
    precompiled = HEADERS.path("")
    monkeypatch.setenv("HWFLOW_CACHE", str(tmp_path))
    (tmp_path / "csim").mkdir()
    HEADERS.path("").symlink_to(precompiled)
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(cpp.build, design.graph, design.project, design.target) for _ in range(2)
        ]
        first, second = (task.result() for task in both)
    assert first.program == second.program
    data = prepare_inputs(design.graph, mixed_data(design.graph, 5).inputs)
    assert first.run(data).layers["fc3"].shape == (5, 10)
    left = [p for p in (tmp_path / "csim").rglob("*") if p.name.startswith(".")]
    assert left == []


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_processes_that_share_the_samples_compute_the_same(io_type: str) -> None:
    design = hwflow.compile("examples/digits_cnn.onnx", io_type=io_type)
    built = cpp.build(design.graph, design.project, design.target, flags=QUICK_FLAGS)
    data = prepare_inputs(design.graph, mixed_data(design.graph, 20).inputs)
    serial = built.run(data, processes=1).layers
    parallel = built.run(data, processes=3).layers
    assert serial.keys() == parallel.keys()
    for name, values in serial.items():
        assert np.array_equal(values, parallel[name])


def test_other_weights_need_no_new_build_and_are_used(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cpp.build(design.graph, design.project, design.target)
    monkeypatch.setattr(toolchain, "run", None)
    files = dict(design.project.files)
    name = "firmware/weights/fc3_bias.txt"
    files[name] = b", ".join(b"0" for _ in files[name].split(b","))
    second = cpp.build(design.graph, Project(design.project.name, files), design.target)
    assert second.program == first.program
    data = prepare_inputs(design.graph, mixed_data(design.graph, 5).inputs)
    assert not np.array_equal(first.run(data).layers["fc3"], second.run(data).layers["fc3"])


def test_the_batch_axis_stays_for_one_sample(design: Design) -> None:
    built = cpp.build(design.graph, design.project, design.target)
    data = prepare_inputs(design.graph, mixed_data(design.graph, 1).inputs)
    assert built.run(data).layers["fc3"].shape == (1, 10)


def test_a_crash_is_an_error_message(design: Design) -> None:
    crashing = with_text(design, TOP, "nnet::dense", "*(volatile int *)0 = 1; nnet::dense")
    built = cpp.build(design.graph, crashing, design.target)
    with pytest.raises(ToolError, match="the C\\+\\+ simulation crashed \\(SIGSEGV\\)"):
        built.run(prepare_inputs(design.graph, mixed_data(design.graph, 2).inputs))


def test_what_reads_or_writes_behind_an_array_is_noticed(design: Design) -> None:
    """Numbers other than 0 stand behind weights and values, and must be there at the end."""
    data = mixed_data(design.graph, 2).inputs
    simulation = comparison.full_simulation(design.graph, data)
    reads, writes = (
        cpp.build(design.graph, with_text(design, PARAMETERS, right, wrong), design.target)
        for right, wrong in (("n_in = 64;", "n_in = 65;"), ("n_out = 10;", "n_out = 11;"))
    )
    found = comparison.check_faithful(design.graph, reads, data, simulation)
    assert found.first is not None
    assert found.first.layer == "fc1"
    with pytest.raises(ToolError) as failure:
        comparison.check_faithful(design.graph, writes, data, simulation)
    assert "a layer writes behind the end of an array" in failure.value.log


def test_an_endless_loop_is_an_error_message(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = with_text(design, TOP, "nnet::dense", "for (volatile int i = 0; ; i++); nnet::dense")
    built = cpp.build(design.graph, endless, design.target)
    monkeypatch.setattr(program, "RUN_TIMEOUT_S", 0.5)
    with pytest.raises(ToolError, match=r"took longer than 0\.5 s"):
        built.run(prepare_inputs(design.graph, mixed_data(design.graph, 2).inputs))


def test_cpp_that_does_not_compile_is_an_error_with_its_log(design: Design) -> None:
    with pytest.raises(ToolError) as failure:
        cpp.build(design.graph, with_text(design, TOP, "nnet::dense", "nnet::tense"), design.target)
    assert "tense" in failure.value.log
    assert "compiling the generated C++ of layer fc1 failed" in failure.value.message


def test_a_missing_compiler_is_named(design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    flags = ("-std=c++17", "-O0")  # nothing of this in the cache
    with pytest.raises(ToolError) as failure:
        cpp.build(design.graph, design.project, design.target, flags=flags)
    assert "no-such-compiler" in str(failure.value)
    assert "apt-get install g++" in str(failure.value)


def test_a_difference_leaves_a_reproducer(design: Design, tmp_path: Path) -> None:
    files = dict(design.project.files)
    name = "firmware/weights/fc2_bias.txt"
    files[name] = b", ".join(b"0" for _ in files[name].split(b","))
    built = cpp.build(design.graph, Project(design.project.name, files), design.target)
    data = mixed_data(design.graph, 300).inputs
    simulation = comparison.full_simulation(design.graph, data)
    path = tmp_path / "reproducer.npz"
    found = comparison.check_faithful(design.graph, built, data, simulation, path)
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
