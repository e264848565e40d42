"""Depths of FIFOs: what users set, what is tried, what estimates and projects have."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import hwflow
from hwflow.codegen.hls.streams import streams_of
from hwflow.core.errors import CompileError
from hwflow.dataflow import balance, cycles
from hwflow.estimate.graph import estimate
from hwflow.ir.op import Op, Target
from hwflow.ops.relu import Relu
from hwflow.project.design import Design
from hwflow.project.fifos import fifos_of
from hwflow.report import schema
from hwflow.report.fifos import fifos_data, tried
from hwflow.report.manifest.comparison import compare_paths
from hwflow.report.markdown import to_markdown

EXAMPLES = Path(__file__).parents[2] / "examples"
MODELS = Path(__file__).parents[1] / "models"
SKIP = EXAMPLES / "digits_residual.onnx"
"""A convolution beside a skip connection without a layer, between pool1 and Add."""


def compiled(layers: Mapping[str, int], io_type: str = "io_stream") -> Design:
    config = {"layer": {name: {"fifo_depth": depth} for name, depth in layers.items()}}
    return hwflow.compile(SKIP, config=config, io_type=io_type)


def refusal(layers: Mapping[str, int], io_type: str = "io_stream") -> str:
    with pytest.raises(CompileError) as caught:
        compiled(layers, io_type)
    assert [d.code for d in caught.value.diagnostics] == ["HW122"]
    return caught.value.diagnostics[0].help


def test_depth_that_locks_is_refused_with_the_least_that_does_not() -> None:
    said = refusal({"pool1": 3})
    least = int(re.findall(r"fifo_depth = (\d+)", said)[0])
    assert refusal({"pool1": least - 1}) == said
    streams = compiled({"pool1": least}).streams
    assert streams is not None
    assert {streams.depths[name] for name in ("pool1_cpy1", "pool1_cpy2")} == {least}
    assert streams.outcome is not None
    assert not streams.outcome.locked


def test_another_fifo_of_the_circle_makes_up_for_a_small_one() -> None:
    config = {"layer": {"stem": {"fifo_depth": 2}}}
    design = hwflow.compile(MODELS / "residual.onnx", config=config, io_type="io_stream")
    streams = design.streams
    assert streams is not None
    assert streams.depths["stem_cpy2"] == 2
    assert streams.depths["right"] > 2


def test_depth_in_io_parallel_is_refused() -> None:
    assert 'io_type = "io_stream"' in refusal({"pool1": 30}, "io_parallel")
    compiled({"pool1": 30})


def test_depth_behind_an_output_is_refused() -> None:
    assert refusal({"fc": 30}) == "remove it"
    compiled({})


def test_every_word_less_locks_and_is_said_so() -> None:
    streams = compiled({}).streams
    assert streams is not None
    deeper = [name for name, depth in streams.safety.depths.items() if depth > 2]
    assert deeper == ["pool1_cpy2"]
    for name in deeper:
        depth = streams.safety.depths[name]
        found = tried(streams, {name: depth - 1})
        assert found.least == {name: depth}
        assert found.locks
        assert found.outcome is not None
        assert any(wait.channel == name and wait.full for wait in found.outcome.locked)
        enough = tried(streams, {name: depth})
        assert (enough.locks, enough.proven, enough.least) == (False, True, {})


def test_estimates_and_projects_have_the_depths() -> None:
    design = compiled({})
    assert design.streams is not None
    whole = estimate(design.graph, design.target).total.bram_18k.value
    assert design.estimate().total.bram_18k.value < whole
    code = design.project.text(f"firmware/{design.graph.name}.cpp")
    written = [int(depth) for depth in re.findall(r"#pragma HLS STREAM .* depth=(\d+)", code)]
    assert sorted(written) == sorted(design.streams.depths.values())


def test_a_written_project_has_its_fifos(tmp_path: Path) -> None:
    compiled({"pool1": 40}).write(tmp_path / "net")
    _, found, unchanged = fifos_of(tmp_path / "net", {})
    assert {f.depth for f in found.fifos if f.name == "pool1_cpy2"} == {40}
    assert not unchanged.locks
    with pytest.raises(CompileError, match="HW556"):
        fifos_of(tmp_path / "net", {}, backend="Vivado")


def test_report_and_manifest_keep_depths_with_their_reasons(tmp_path: Path) -> None:
    before = compiled({}).write(tmp_path / "before")
    after = compiled({"pool1": 40}).write(tmp_path / "after")
    form = json.loads(Path(schema.__file__).with_name("schema.json").read_text())
    content = json.loads((before / "report.json").read_text())
    jsonschema.validate(content, form)
    kept = {fifo["name"]: fifo for fifo in content["fifos"]["fifos"]}
    assert kept["pool1_cpy2"]["depth"] == kept["pool1_cpy2"]["least"] > 2
    assert "conv2__pad" in kept["pool1_cpy2"]["why"]
    for page in ("report.html", "report.md"):
        assert kept["pool1_cpy2"]["why"] in (before / page).read_text().replace("\\", "")
    found = compare_paths(before, after).changes
    changed = {(c.name, c.what): c.after for c in found if c.section == "fifos"}
    assert changed["pool1_cpy2", "depth"] == 40
    assert changed["pool1_cpy2", "why"] == "as set; it cannot lock"


def test_a_network_too_large_for_the_model_has_room_and_the_same_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    safe = compiled({}).streams
    monkeypatch.setattr(balance, "MOST_STEPS", 100)
    design = compiled({})
    assert safe is not None
    assert design.streams is not None
    assert design.streams.outcome is None
    assert dict(design.streams.depths) == {
        name: max(depth, balance.ROOM) for name, depth in safe.safety.depths.items()
    }
    assert fifos_data(design.streams, "Vitis").latency_cycles is None
    assert tried(design.streams, {"pool1_cpy2": 3}).locks
    assert "No stall can lock" in to_markdown(design.report())
    assert "Model of the streams" not in to_markdown(design.report())


def test_a_part_with_too_many_circles_is_not_called_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = compiled({}).streams
    assert streams is not None
    assert streams.depths
    monkeypatch.setattr(cycles, "MOST_PATHS", 1)
    assert not tried(streams, {"pool1_cpy2": 16}).proven


class _Unstated(Relu):
    """An operator of a user, who does not say what it does with its streams."""

    tokens = Op.tokens


def test_fifos_around_an_operator_that_states_nothing_hold_whole_values() -> None:
    graph = compiled({}).graph
    relu = _Unstated(result_t=graph.types["quant2"].dtype)
    nodes = [replace(n, op=relu) if n.name == "quant2" else n for n in graph.nodes]
    streams = streams_of(graph.rebuild(nodes), Target(io_type="io_stream"))
    assert {"conv2", "quant2"} <= streams.safety.whole
    for name in ("conv2", "quant2"):
        assert streams.depths[name] == streams.network.channels[name].tokens
    assert streams.outcome is not None
    assert not streams.outcome.locked


def test_projects_in_io_parallel_have_none(tmp_path: Path) -> None:
    folder = compiled({}, "io_parallel").write(tmp_path / "net")
    assert json.loads((folder / "report.json").read_text())["fifos"] is None
    with pytest.raises(CompileError, match="HW122"):
        fifos_of(tmp_path / "net", {})


def test_fifos_that_are_none_are_refused() -> None:
    with pytest.raises(CompileError, match="HW101"):
        fifos_of(SKIP, {"pool1_cpy3": 4})
