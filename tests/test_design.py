"""The Python API: what ``import hwflow`` offers, and how its objects show themselves."""

from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.errors import CompileError
from hwflow.ir.text import print_graph

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
    assert "<td>lossless</td><td>yes</td>" in verification._repr_html_()
    assert "<td>total</td>" in design.estimate()._repr_html_()
    assert repr(design).startswith("digits_mlp.onnx on PYNQ-Z2, io_parallel\ngraph digits_mlp {")
