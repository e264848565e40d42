"""The Python API: what ``import hwflow`` offers, and how its objects show themselves."""

from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.ir.notebook import COLOURS
from hwflow.ir.text import print_graph
from hwflow.project.verification import verify_path
from tests.fixtures import model
from tests.networks import Builder

EXAMPLES = Path("examples")
MLP = Path("examples/digits_mlp.onnx")


def test_public_names_are_all_there() -> None:
    for name in hwflow.__all__:
        assert getattr(hwflow, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        hwflow.nonsense  # noqa: B018


def test_settings_come_as_mapping_file_or_arguments(tmp_path: Path) -> None:
    file = tmp_path / "hwflow.toml"
    file.write_text('[target]\nio_type = "io_stream"\n[layer.fc1]\nstrategy = "resource"\n')
    from_file = hwflow.compile(MLP, config=file)
    from_mapping = hwflow.compile(
        MLP, config={"target": {"io_type": "io_stream"}, "layer": {"fc1": {"strategy": "resource"}}}
    )
    from_arguments = hwflow.compile(MLP, io_type="io_stream", board="zcu104")
    assert from_file.target == from_mapping.target
    assert print_graph(from_file.graph) == print_graph(from_mapping.graph)
    assert from_file.graph.by_name["fc1"].op.strategy == "resource"
    assert from_arguments.target.io_type == "io_stream"
    assert from_arguments.board.name == "ZCU104"


def test_an_argument_overrides_the_file_and_is_checked() -> None:
    design = hwflow.compile(MLP, config={"target": {"board": "zcu102"}}, board="pynq-z2")
    assert design.board.name == "PYNQ-Z2"
    with pytest.raises(CompileError, match="io_sideways"):
        hwflow.compile(MLP, io_type="io_sideways")


def test_a_loaded_model_compiles_like_its_file_and_can_be_verified() -> None:
    from_file, loaded = hwflow.compile(MLP), hwflow.compile(hwflow.load(MLP))
    assert print_graph(from_file.graph) == print_graph(loaded.graph)
    found = loaded.verify(cpp=False).lossless
    assert found is not None
    assert found.holds


def test_data_is_taken_as_array_mapping_or_path() -> None:
    design = hwflow.compile(MLP)
    with np.load("examples/digits.npz") as data:
        x = data["x"]
    outputs = [
        design.simulate(given).outputs["logits"]
        for given in (x, {"x": x}, {design.graph.inputs[0].name: x}, "examples/digits.npz")
    ]
    assert all(np.array_equal(outputs[0], other) for other in outputs[1:])


def test_objects_show_themselves_in_a_notebook() -> None:
    design = hwflow.compile(MLP)
    verification = design.verify("examples/digits.npz", cpp=False)
    assert "<td>fc1</td><td>Dense</td><td>32</td>" in design._repr_html_()
    good = f'<td style="color:{COLOURS["good"]};font-weight:bold">yes</td>'
    assert f"<td>lossless</td>{good}" in verification._repr_html_()
    table = design.estimate()._repr_html_()
    assert "<td>total</td>" in table
    heads = ("csynth LUT", "csynth BRAM 18k", "csynth cycles", "post-synthesis LUT")
    assert [table.index(head) for head in heads] == sorted(map(table.index, heads))
    assert f"<td>ff of 106,400</td>{good}" in table
    unsure = f'<td style="color:{COLOURS["unsure"]};font-weight:bold">borderline</td>'
    assert f"<td>lut of 53,200</td>{unsure}" in table
    ours = design.estimate().layers[1].cost.lut.value
    share = f"{100 * ours / design.estimate().total.lut.value:.0f}%"
    assert f"rgba(9,105,218,.25) {share},transparent {share}" in table, "a bar as long as the share"
    assert repr(design).startswith("digits_mlp.onnx on PYNQ-Z2, io_parallel\ngraph digits_mlp {")


def test_the_public_names_are_listed() -> None:
    assert set(hwflow.__all__) < set(dir(hwflow))
    assert all(not name.startswith("_") or name == "__version__" for name in dir(hwflow))
    for name in dir(hwflow):
        assert getattr(hwflow, name) is not None


@pytest.mark.cpp
def test_every_public_object_is_printed_in_a_few_lines() -> None:
    design = hwflow.compile(EXAMPLES / "digits_cnn.onnx")
    found = design.verify(None)
    assert found.faithful is not None
    batch = next(iter(design.stream(np.zeros((3, 1, 8, 8)))))
    kept = design.simulate(None, keep_layers=True)
    verified = verify_path(EXAMPLES / "digits_cnn.onnx")
    objects = [
        design, found, found.faithful, found.lossless, found.budget, found.simulation, kept, batch,
        design.csim, design.golden, design.vectors(), design.report(found), design.estimate(),
        design.graph, *design.graph.nodes, design.project, design.config, design.board,
        design.target, design.origin, hwflow.load(EXAMPLES / "digits_cnn.onnx"), verified,
        *kept.layers.values(), *verified.checks,
    ]  # fmt: skip
    for each in objects:
        text = repr(each)
        assert len(text.splitlines()) <= 16, text
        assert len(text) <= 2500, text
        assert type(each).__name__ in text or each is design
    assert str(found.faithful) in repr(found)
    assert "0 of" in repr(found.faithful)


def test_a_long_design_is_cut_in_repr_only() -> None:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 6, 1 / 8, signed=True)
    for _ in range(30):
        x = b.quant(b.node("MatMul", [x, b.weight((4, 4), 4, 1 / 8)]), 6, 1 / 8, signed=True)
    design = hwflow.compile(model(b, x, (1, 4), (1, 4)))
    assert len(repr(design).splitlines()) == 16
    assert repr(design).endswith("more lines in str()")
    assert str(design).count("Dense(") == 30
