"""Whole trees of vendor projects, and which module is which layer."""

from pathlib import Path

import pytest

from hwflow.codegen.project import Project
from hwflow.core.errors import CompileError
from hwflow.synthesis import trees
from hwflow.synthesis.joining import Call, calls_of, join
from hwflow.synthesis.records import CSynth, Figures, Module
from hwflow.synthesis.trees import read_tree
from tests.synthesis.designs import (
    LAYERS,
    TOTAL,
    add_vivado,
    design,
    vitis_tree,
    vivado_tree,
    write,
)
from tests.synthesis.report_texts import hls_text, row, utilization_text, vivado_hls_xml


@pytest.mark.parametrize(("backend", "make"), [("Vitis", vitis_tree), ("Vivado", vivado_tree)])
def test_every_layer_is_found_in_a_tree(backend: str, make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    net = design(backend)
    found = read_tree(make(tmp_path, net))
    (report,) = found.csynth
    joined = join(report, calls_of(net.project))
    assert {name: figures.lut for name, figures in joined.layers.items()} == {
        name: layer["lut"] for name, layer in LAYERS.items()
    }
    assert {name: figures.latency_cycles for name, figures in joined.layers.items()} == {
        "fc1": 3, "fc2": 2, "fc3": 1,
    }  # fmt: skip
    assert joined.rest.lut == TOTAL["lut"] - sum(layer["lut"] for layer in LAYERS.values())
    assert joined.others == ()
    assert found.unreadable == ()


def test_vivado_reports_get_the_slack_of_their_own_stage(tmp_path: Path) -> None:
    logic = {r.state: r for r in read_tree(add_vivado(tmp_path, design())).logic}
    assert (logic["synthesized"].figures.lut, logic["synthesized"].slack_ns) == (24_000, None)
    assert (logic["implemented"].figures.lut, logic["implemented"].slack_ns) == (22_000, 0.417)


def test_a_tree_with_texts_alone_is_enough(tmp_path: Path) -> None:
    """Many repositories keep the texts and not the XML."""
    layer = "dense_latency_config2_fc1_s"
    text = hls_text("top", row(lut=500), {layer: row(lut=300)})
    own = hls_text(layer, row(lut=300), {})
    write(tmp_path, "top", {"top_csynth.rpt": text, f"{layer}_csynth.rpt": own})
    (report,) = read_tree(tmp_path).csynth
    assert report.top == "top"
    assert join(report, {2: Call("dense", "fc1")}).layers["fc1"].lut == 300


def test_modules_with_xml_of_their_own(tmp_path: Path) -> None:
    """Without the text of the top function nothing says which module holds which."""
    files = {
        "csynth.xml": vivado_hls_xml("top", row(lut=900)),
        "top_csynth.xml": vivado_hls_xml("top", row(lut=900)),
        "conv_config2_s_csynth.xml": vivado_hls_xml("conv_config2_s", row(lut=600)),
        "mult_config2_mult_s_csynth.xml": vivado_hls_xml("mult_config2_mult_s", row(lut=400)),
    }
    (report,) = read_tree(write(tmp_path, "top", files)).csynth
    joined = join(report, {2: Call("conv", "c")})
    assert joined.layers["c"].lut == 600, "the largest of a layer's modules holds the others"
    assert joined.rest.lut == 300


def test_what_cannot_be_read_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    tree = vitis_tree(tmp_path, design())
    (tree / "broken_csynth.xml").write_text("<profile>")
    (tree / "entities_csynth.xml").write_text(
        '<!DOCTYPE a [<!ENTITY b "c">]><profile>&b;</profile>'
    )
    hierarchical = utilization_text("top", row()).partition("1. Slice Logic")[0]
    (tree / "util.rpt").write_text(hierarchical)
    (tree / "other.rpt").write_text("something else")
    found = read_tree(tree)
    assert len(found.csynth) == 1
    assert [text.partition(":")[0] for text in found.unreadable] == [
        "util.rpt", "broken_csynth.xml", "entities_csynth.xml",
    ]  # fmt: skip


def test_links_and_intermediate_results_are_passed_over(tmp_path: Path) -> None:
    outside = vitis_tree(tmp_path / "outside", design())
    tree = tmp_path / "tree"
    (tree / ".autopilot").mkdir(parents=True)
    (tree / ".autopilot" / "csynth.xml").write_text(vivado_hls_xml("top", row()))
    (tree / "link").symlink_to(outside)
    report = next(outside.rglob("csynth.xml"))
    (tree / "csynth.xml").symlink_to(report)
    with pytest.raises(CompileError) as error:
        read_tree(tree)
    assert error.value.diagnostics[0].code == "HW590"


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = vitis_tree(tmp_path, design())
    monkeypatch.setattr(trees, "MAX_BYTES", 1000)
    with pytest.raises(CompileError) as error:
        read_tree(tree)
    assert "csynth.xml: more than 1,000 bytes" in error.value.diagnostics[0].found
    monkeypatch.setattr(trees, "MAX_BYTES", 2**20)
    monkeypatch.setattr(trees, "MAX_TOTAL", 1001)
    with pytest.raises(CompileError, match="more than 1,001 bytes"):
        read_tree(tree)
    monkeypatch.setattr(trees, "MAX_ENTRIES", 0)
    with pytest.raises(CompileError):
        read_tree(tree)


def report_of(*modules: Module) -> CSynth:
    return CSynth(
        file=Path("csynth.xml"), tool="vitis 2024.2", top="top", part="", clock_period_ns=None,
        estimated_clock_ns=None, figures=Figures(lut=100), modules=modules,
    )  # fmt: skip


def module(name: str, lut: float, *parents: str) -> Module:
    return Module(name=name, parents=frozenset(parents), figures=Figures(lut=lut))


def test_a_cut_name_is_found_by_elimination_only_where_one_layer_is_left() -> None:
    """HLS cuts names at 80 characters; the configuration may be lost."""
    cut = module("dense_latency_0_0_0_0_s", 60, "top")
    known = module("dense_latency_config5_s", 20, "top")
    two = {2: Call("dense", "a"), 5: Call("dense", "b")}
    assert join(report_of(cut, known), two).layers["a"].lut == 60
    unsure = join(report_of(cut, module("dense_wrapper_0_s", 3, "top"), known), two)
    assert set(unsure.layers) == {"b"}
    assert unsure.others == ("dense_latency_0_0_0_0_s", "dense_wrapper_0_s")
    more = two | {7: Call("dense", "c")}
    assert set(join(report_of(cut, known), more).layers) == {"b"}


def test_padding_and_convolution_are_one_layer() -> None:
    parts = (
        module("zeropad2d_cl_config2_conv_pad_s", 10, "top"),
        module("conv_2d_cl_config3_conv_s", 70, "top"),
        module("compute_output_config3_conv_s", 60, "conv_2d_cl_config3_conv_s"),
        module("relu_config30_s", 5, "top"),
    )
    code = b"""
    nnet::zeropad2d_cl<input_t, layer2_t, config2_conv_pad>(x, layer2_out); // conv__pad
    nnet::conv_2d_cl<layer2_t, layer3_t, config3_conv>(layer2_out, layer3_out, w3, b3); // conv
    """
    calls = calls_of(Project("top", {"firmware/top.cpp": code}))
    assert calls == {2: Call("zeropad2d_cl", "conv"), 3: Call("conv_2d_cl", "conv")}
    joined = join(report_of(*parts), calls)
    assert joined.layers["conv"].lut == 80
    assert joined.others == ("relu_config30_s",)


def test_calls_of_a_generated_project_name_every_layer() -> None:
    for io_type in ("io_parallel", "io_stream"):
        net = design(io_type=io_type)
        assert {c.layer for c in calls_of(net.project).values()} == {"fc1", "fc2", "fc3"}
