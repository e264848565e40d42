"""What a port rounds and clips is counted, and the verdict starts from the numbers given."""

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.codegen.hls.model import generate
from hwflow.core.errors import CompileError
from hwflow.project.stored import open_project
from hwflow.verify.verdict.state import State
from tests.fixtures import model
from tests.networks import Builder


def plain(seed: int = 0) -> onnx.ModelProto:
    """Return a dense layer whose input nothing quantises."""
    b = Builder(np.random.default_rng(seed))
    return model(b, b.node("MatMul", ["x", b.weight((4, 3), 4, 1 / 4)]), (1, 4), (1, 3))


def normalised(quantised: bool = True) -> onnx.ModelProto:
    """Return a network that brings pixels to 0..1 before its first quantiser."""
    b = Builder(np.random.default_rng(1))
    x = b.node("Sub", [b.node("Div", ["x", b.constant(255.0)]), b.constant(0.45)])
    x = b.quant(x, 8, 0.0123, signed=True)
    return model(b, b.node("MatMul", [x, b.weight((4, 3), 4, 1 / 4)]), (1, 4), (1, 3))


RNG = np.random.default_rng(2)
PIXELS = RNG.integers(0, 256, (50, 4)).astype(np.float32)
PIXELS[0, :2] = 0, 255
REAL = RNG.normal(0, 20, (50, 4)).astype(np.float32)


@pytest.mark.parametrize("rounding", ["RND_CONV", "TRN", "RND"])
@pytest.mark.parametrize("overflow", ["SAT", "WRAP"])
def test_counts_are_those_of_rational_arithmetic(rounding: str, overflow: str) -> None:
    config = {"input": {"x": {"type": f"fixed<9,5,{rounding},{overflow}>"}}}
    data = np.concatenate([REAL.ravel(), [-16, 15.9375, 15.96, 15.99, 16, -16.01, -16.04, 0.03125]])
    design = hwflow.compile(plain(), config=config)
    check = design.verify(data.astype(np.float32).reshape(-1, 4), cpp=False)
    assert check.lossless is not None
    (port,) = check.lossless.ports
    rounds = {"TRN": lambda v: v // 1, "RND": lambda v: (v + Fraction(1, 2)) // 1}.get(
        rounding, round
    )
    steps = [Fraction(float(np.float32(v))) * 16 for v in data]
    outside = [not -256 <= rounds(s) <= 255 for s in steps]
    rounded = [not o and s.denominator != 1 for o, s in zip(outside, steps, strict=True)]
    assert (port.elements, port.clipped, port.rounded) == (len(data), sum(outside), sum(rounded))
    assert ("clips" in str(port)) == (overflow == "SAT")
    assert check.lossless.verdict is not None
    assert check.lossless.verdict.state is State.NOT_LOSSLESS
    assert check.lossless.verdict.ports == (str(port),)
    assert check.lossless.first is not None
    assert check.lossless.first.cause == str(port)


def test_a_type_that_holds_the_data_loses_nothing() -> None:
    config = {"input": {"x": {"type": "ufixed<8,8>"}}}
    check = hwflow.compile(plain(), config=config).verify(PIXELS, cpp=False)
    assert check.lossless is not None
    assert (check.lossless.holds, check.lossless.ports) == (True, ())


def test_a_loss_that_changes_no_result_is_counted_and_the_design_is_lossless() -> None:
    config = {"input": {"x": {"type": "ufixed<9,9,RND_CONV,SAT>"}}}
    data = PIXELS.astype(np.float64) + 1e-9
    check = hwflow.compile(normalised(), config=config).verify(data, cpp=False)
    assert check.lossless is not None
    assert check.lossless.holds
    (port,) = check.lossless.ports
    assert (port.rounded, port.clipped) == (data.size, 0)


def test_another_difference_is_told_from_the_port() -> None:
    config = {
        "input": {"x": {"type": "fixed<9,5,RND_CONV,SAT>"}},
        "layer": {"matmul8": {"result_t": "fixed<8,7>"}},
    }
    check = hwflow.compile(plain(), config=config).verify(REAL, cpp=False)
    assert check.lossless is not None
    assert check.lossless.first is not None
    assert "result_t = fixed<8,7" in check.lossless.first.cause
    assert len(check.lossless.ports) == 1


def test_quantisers_of_the_model_are_no_loss() -> None:
    b = Builder(np.random.default_rng(0))
    for scale in (1 / 4, 0.3):
        y = b.node("MatMul", [b.quant("x", 4, scale, signed=True), b.weight((4, 3), 4, 1 / 4)])
        check = hwflow.compile(model(b, y, (1, 4), (1, 3))).verify(REAL, cpp=False)
        assert check.lossless is not None
        assert (check.lossless.holds, check.lossless.ports) == (True, ())


@pytest.mark.parametrize("proto", [plain, normalised])
def test_without_data_it_is_refused_and_each_help_works(proto: Any, tmp_path: Any) -> None:
    with pytest.raises(CompileError) as refusal:
        hwflow.compile(proto())
    (finding,) = refusal.value.diagnostics
    assert (finding.code, finding.where) == ("HW230", "input 'x', in fixture")
    settings = finding.help.partition("or set it: ")[2].partition(" in hwflow.toml")[0]
    toml = tmp_path / "hwflow.toml"
    toml.write_text(settings.replace("] ", "]\n"))
    assert hwflow.compile(proto(), config=toml).verify(PIXELS, cpp=False).lossless.holds  # type: ignore[union-attr]
    assert hwflow.compile(proto(), data=PIXELS).verify(PIXELS, cpp=False).lossless.holds  # type: ignore[union-attr]
    b = Builder(np.random.default_rng(0))
    graph = proto()
    port = b.quant("x", 8, 1.0, signed=False)
    graph.graph.node[-1 if proto is plain else 0].input[0] = port
    nodes = [*b.nodes, *graph.graph.node]
    for node in b.nodes:
        node.name = f"port_{node.name}"
    del graph.graph.node[:]
    renamed = {t.name: f"port_{t.name}" for t in b.tensors}
    for tensor in b.tensors:
        tensor.name = renamed[tensor.name]
    for node in nodes[: len(b.nodes)]:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
        node.output[0] = "port_quantised"
    for node in nodes[len(b.nodes) :]:
        for i, name in enumerate(node.input):
            node.input[i] = (
                "port_quantised"
                if name == port
                and i == 0
                and node is (nodes[-1] if proto is plain else nodes[len(b.nodes)])
                else name
            )
    graph.graph.node.extend(nodes)
    graph.graph.initializer.extend(b.tensors)
    assert hwflow.compile(graph).verify(PIXELS, cpp=False).lossless.holds  # type: ignore[union-attr]


def test_data_gives_the_type_which_a_written_project_keeps(tmp_path: Any) -> None:
    design = hwflow.compile(normalised(), data=PIXELS)
    (note,) = design.warnings
    assert (note.code, note.severity) == ("HW236", "note")
    assert (
        note.found == "50 samples, integers from 0 to 255: ufixed<8,8,RND_CONV,SAT> holds every one"
    )
    toml = tmp_path / "hwflow.toml"
    toml.write_text(note.help.partition("set ")[2].partition(" in hwflow")[0].replace("] ", "]\n"))
    fixed = hwflow.compile(normalised(), config=toml)
    assert fixed.warnings == ()
    assert generate(fixed.graph, fixed.target).digest == design.project.digest
    design.write(tmp_path / "project")
    again = open_project(tmp_path / "project").design
    assert again.graph.types["x"].dtype == design.graph.types["x"].dtype
    assert again.config.inputs == design.config.inputs
    assert generate(again.graph, again.target).digest == design.project.digest
    check = again.verify(PIXELS + 300, cpp=False)
    assert check.lossless is not None
    (port,) = check.lossless.ports
    assert str(port).endswith("clips 200 of 200 values")


def test_data_off_every_grid_is_a_warning_and_its_help_works(tmp_path: Any) -> None:
    design = hwflow.compile(plain(), data=REAL)
    (warning,) = design.warnings
    assert (warning.code, warning.severity) == ("HW237", "warning")
    check = design.verify(REAL, cpp=False)
    assert check.lossless is not None
    (port,) = check.lossless.ports
    assert (port.rounded, port.clipped) == (REAL.size, 0)
    toml = tmp_path / "hwflow.toml"
    toml.write_text(
        warning.help.partition("set ")[2].partition(" in hwflow")[0].replace("] ", "]\n")
    )
    again = hwflow.compile(plain(), config=toml)
    assert again.warnings == ()
    assert again.graph.types["x"].dtype == design.graph.types["x"].dtype


def test_a_folder_of_files_is_read_file_by_file(tmp_path: Any) -> None:
    for i, part in enumerate((PIXELS[:20], PIXELS[20:] - 10)):
        np.save(tmp_path / f"{i}.npy", part)
    design = hwflow.compile(plain(), data=tmp_path)
    assert str(design.graph.types["x"].dtype) == "fixed<9,9,RND_CONV,SAT>"


def test_data_is_not_read_where_no_input_needs_it() -> None:
    b = Builder(np.random.default_rng(0))
    y = b.node("MatMul", [b.quant("x", 4, 1 / 4, signed=True), b.weight((4, 3), 4, 1 / 4)])
    assert hwflow.compile(model(b, y, (1, 4), (1, 3)), data="no/such/file.npz").warnings == ()


@pytest.mark.parametrize("scale", [1 / 4, 0.3])
@pytest.mark.parametrize("last", [False, True])
def test_a_quantiser_behind_moves_is_the_ports(scale: float, last: bool) -> None:
    b = Builder(np.random.default_rng(0))
    x = b.node("Flatten", [b.node("Transpose", ["x"], perm=(0, 2, 1))], axis=1)
    x = b.quant(x, 5, scale, signed=True)
    y = x if last else b.node("MatMul", [x, b.weight((6, 3), 4, 1 / 4)])
    design = hwflow.compile(model(b, y, (1, 2, 3), (1, 6 if last else 3)))
    data = RNG.normal(0, 2, (40, 2, 3)).astype(np.float32)
    check = design.verify(data, cpp=False)
    assert check.lossless is not None
    assert (check.lossless.holds, check.lossless.ports) == (True, ())
    assert check.golden is not None
    assert check.golden.holds
