"""Names that strangers chose reach neither C++ nor Tcl nor paths, and change no number."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.core import toolchain
from hwflow.ir.names import graph_name
from hwflow.project.design import Design
from hwflow.simulate.samples import mixed_data
from tests.cli.command import dense, save
from tests.cli.command import hwflow as command
from tests.networks import DOMAIN, Builder

NAMES = (
    '"; rm -rf /; "', "../../x", "int", "class", "namespace", "std", "main", "nnet", "hls", "NULL",
    "é漢字🙂", "a" * 300, "Layer", "layer", "LAYER", "layer2_out", "layer_2_out", "layer2",
    "config2", "w2", "b2", "s3", "input_t", "result_t", "weight_t", "layer2_t", "input", "output",
    "x", "", " ", "\n", "$(touch y)", "`id`", "%s%n", "*/", "//", "#define", "\\", "'", "a\0b", "1",
    "0x", "__init__", "_", "data", "res", "CONFIG_T", "ap_fixed", "uint", "size_t", "N", "EOF",
    "assert", "nullptr", "INFINITY", "linux", "unix", "errno", "exit", "weights", "trace_enabled",
    "model_default_t", "input2", "n_in", "id", "index",
    "mean", "window", "size", "steps", "begin", "sources", "weight", "bias", "scale", "name",
    "config", "attributes", "outputs", "inputs", "trace", "precision", "input_shape",
    "output_shape", "kernel", "templates", "weight_names", "numbers", "integer_types",
    "class_name", "strategy", "type_name", "and", "xor", "auto", "wire", "reg", "logic", "always",
    "entity", "signal", "process", "begin_in", "clone_x", "x_in", "X_in", "softmax",
    "softmax_exp", "softmax_inv", "a_", "a__b", "a b", "value", "result", "accum", "data_in",
    "in_data", "hls4ml", "_Bool", "y0", "stdin", "fill", "ap_clk",
    "relu_config2", "fill_buffer_2", "fill_buffer", "x_weight", "x_weight_t", "x_out", "x_out_2",
    "loaded_weights",
)  # fmt: skip


def hostile_network(names: tuple[str, ...], graph_name: str) -> onnx.ModelProto:
    """Return one small branch per name; node, input, value and output all carry it."""
    nodes, tensors, inputs, outputs = [], [], [], []
    for number, name in enumerate(names):
        b = Builder(np.random.default_rng(number))
        x, out = f"{name}", f"out {name}"
        y = b.quant(x, 5, 1 / 4, signed=True)
        y = b.node("MatMul", [y, b.weight((2, 2), 4, 1 / 4)])
        y = b.quant(b.node("Relu", [y]), 4, 1 / 4, signed=False)
        b.nodes[-1].output[0] = out
        for node in b.nodes:
            node.name = name
            for names_of in (node.input, node.output):
                for i, value in enumerate(names_of):
                    if value not in (x, out) or value.startswith(("c", "v")):
                        names_of[i] = value if value in (x, out) else f"{value}:{number}"
        for tensor in b.tensors:
            tensor.name = f"{tensor.name}:{number}"
        nodes += b.nodes
        tensors += b.tensors
        inputs.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, (1, 2)))
        outputs.append(helper.make_tensor_value_info(out, TensorProto.FLOAT, (1, 2)))
    graph = helper.make_graph(nodes, graph_name, inputs, outputs, tensors)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def legal() -> tuple[str, ...]:
    """Return the names that ONNX can hold: an empty name means that a value is absent."""
    return tuple(n for n in NAMES if n)


def check_names(design: Design) -> None:
    seen = set()
    for node in design.graph.nodes:
        assert re.fullmatch(r"[A-Za-z]\w*", node.name, re.ASCII), node.name
        assert len(node.name) <= 80
        assert node.name.lower() not in seen
        seen.add(node.name.lower())
    for path in design.project.files:
        assert re.fullmatch(r"[\w./-]+", path, re.ASCII), path
        assert ".." not in path


ALL = slice(None)
SOME = [("io_parallel", slice(0, None, 2)), ("io_stream", slice(1, None, 2))]
"""Each name in one io_type."""


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("io_type", "part"),
    [*SOME, *(pytest.param(io_type, ALL, marks=pytest.mark.slow) for io_type, _ in SOME)],
)
def test_hostile_names_build_and_are_faithful(io_type: str, part: slice) -> None:
    names = legal()[part]
    design = hwflow.compile(hostile_network(names, "x"), io_type=io_type)
    check_names(design)
    assert {p.name for p in design.graph.inputs} == set(names)
    found = design.verify(mixed_data(design.graph, 50))
    assert found.faithful is not None
    assert found.faithful.mismatches == 0
    assert found.lossless is not None
    assert found.lossless.mismatches == 0


@pytest.mark.parametrize("name", NAMES)
def test_hostile_graph_names(name: str) -> None:
    design = hwflow.compile(hostile_network(("a", "b"), name))
    check_names(design)
    assert re.fullmatch(r"[A-Za-z]\w*", design.graph.name, re.ASCII)


@pytest.mark.parametrize(
    "name", ['"; rm -rf x; ".onnx', "$(touch y).onnx", "é 漢字.onnx", "a" * 240 + ".onnx",
             "int.onnx", "-o.onnx", "2.onnx", ".onnx.onnx", "w2.onnx"],
)  # fmt: skip
def test_hostile_file_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save(hostile_network(("a", "b"), ""), name)
    ran = command(capsys, "inspect", "--", name)
    assert ran.status == 0, ran.err
    assert ran.new == ()
    check_names(hwflow.compile(name))
    written = hwflow.compile(name).write("out")
    assert all(p.resolve().is_relative_to(tmp_path / "out") for p in written.rglob("*"))


@pytest.mark.cpp
def test_no_port_and_no_top_function_can_be_a_macro(tmp_path: Path) -> None:
    project = hwflow.compile(dense()).project
    for path, content in project.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    firmware = tmp_path / "firmware"
    options = ["-std=gnu++17", f"-I{firmware}/ap_types", "-dM", "-E"]
    done = toolchain.run(
        toolchain.CXX,
        [*options, f"{firmware}/{project.name}.cpp"],
        cwd=tmp_path,
        limits=toolchain.Limits(60),
        what="listing macros",
    )
    macros = set(re.findall(r"^#define (\w+)", done.stdout, re.M))
    assert len(macros) > 500
    assert {m for m in macros if graph_name(m, ()) in macros} == set()
    made = ("_in", "_out", "_weight", "_bias", "_result_t", "_WEIGHT_H_", "_BIAS_H_")
    assert {m for m in macros if m.endswith(made)} == {
        f"{file.name.replace('.', '_').upper()}_" for file in (firmware / "weights").glob("*.h")
    }


def test_duplicate_node_names_are_told_apart() -> None:
    proto = hostile_network(("a", "b", "c"), "net")
    for node in proto.graph.node:
        node.name = "same"
    design = hwflow.compile(proto)
    assert len({n.name for n in design.graph.nodes}) == len(design.graph.nodes)
