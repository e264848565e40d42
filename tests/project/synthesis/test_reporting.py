"""Synthesized figures in the report of a project, in columns of their own."""

import json
from pathlib import Path

import jsonschema
import pytest

from hwflow.cli import projects
from hwflow.core.errors import CompileError
from hwflow.ir.cost import Estimate
from hwflow.project.synthesis.held_against import compare_tree
from hwflow.project.synthesis.reporting import report_project
from hwflow.report import schema
from hwflow.report.html import to_html
from hwflow.report.json import to_json
from hwflow.report.markdown import to_markdown
from hwflow.synthesis.comparison import Compared
from hwflow.synthesis.trees import read_tree
from tests.cli.command import hwflow
from tests.report.test_pages import Page
from tests.synthesis.designs import TOTAL, add_vivado, design, vitis_tree, vivado_tree, write
from tests.synthesis.report_texts import row, vitis_xml

SCHEMA = json.loads(Path(schema.__file__).with_name("schema.json").read_text())
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_vivado(vitis_tree(tmp_path_factory.mktemp("tree"), design()), design())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return design().write(tmp_path_factory.mktemp("project") / "net")


def test_json_has_both_beside_each_other(tree: Path) -> None:
    net = design()
    content = json.loads(to_json(net.report(synthesis=compare_tree(net, tree))))
    jsonschema.validate(content, SCHEMA)
    found = content["synthesized"]
    assert [stage["stage"] for stage in found["stages"]] == [
        "C synthesis", "logic synthesis", "implementation",
    ]  # fmt: skip
    csynth = {row["figure"]: row for row in found["stages"][0]["figures"]}
    total = content["estimate"]["total"]
    lut = csynth["lut"]
    assert lut["estimated"] == total["lut_csynth_equivalent"]
    assert lut["synthesized"] == TOTAL["lut"]
    assert lut["ratio"] == pytest.approx(lut["estimated"]["value"] / TOTAL["lut"], abs=1e-4)
    assert lut["held"] == (lut["estimated"]["low"] <= TOTAL["lut"] <= lut["estimated"]["high"])
    logic = {row["figure"]: row for row in found["stages"][1]["figures"]}
    assert logic["lut_synth"]["estimated"] == total["lut_post_synthesis_equivalent"]
    layers = {layer["layer"]: layer["figures"] for layer in found["layers"]}
    assert list(layers) == [layer["name"] for layer in content["layers"]]
    assert layers["x"] == []
    cost = {layer["name"]: layer["cost"] for layer in content["layers"]}
    assert layers["fc1"][0]["estimated"] == cost["fc1"]["lut_csynth_equivalent"]
    assert content["estimate"] == json.loads(to_json(net.report()))["estimate"]
    assert json.loads(to_json(net.report()))["synthesized"] is None


def test_pages_have_columns_of_their_own(tree: Path) -> None:
    net = design()
    report = net.report(synthesis=compare_tree(net, tree))
    page, text = to_html(report), to_markdown(report)
    links = Page(page).values("href")
    assert "#synthesized" in links, "every tag is closed, and the section is linked"
    assert '<section id="synthesized">' in page
    assert "none is synthesized" not in page
    assert page.index("C synthesis, estimated") < page.index("By layer, C synthesis")
    assert "worst slack 0.417 ns" in page
    assert f"| LUT | {net.estimate().total.lut.value:,.0f} | " in text
    assert f" | {TOTAL['lut']:,} | " in text
    assert 'id="synthesized"' not in to_html(net.report())


def test_an_interval_holds_what_is_in_it() -> None:
    estimated = Estimate(100, 80, 120)
    held = [
        Compared(figure="lut", estimated=estimated, synthesized=x).held for x in (79, 80, 120, 121)
    ]
    assert held == [False, True, True, False]
    assert Compared(figure="dsp", estimated=Estimate(), synthesized=0).ratio is None
    assert Compared(figure="lut", estimated=estimated, synthesized=50).ratio == 2


def test_reports_of_another_design_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "other", {"csynth.xml": vitis_xml("other", row(), {})})
    with pytest.raises(CompileError) as error:
        compare_tree(design(), tmp_path)
    (finding,) = error.value.diagnostics
    assert (finding.code, finding.found) == ("HW592", "reports of other")


def test_what_the_reports_were_made_for_is_said(tmp_path: Path) -> None:
    net = design()
    found = {name: ("digits_mlp", r) for name, r in {"a_config2_fc1_s": row()}.items()}
    text = vitis_xml("digits_mlp", row(), found, part="xcu250-figd2104-2L-e", clock=5.0)
    write(tmp_path, "digits_mlp", {"csynth.xml": text})
    notes = compare_tree(net, tmp_path).notes
    assert notes == (
        "the report is of part xcu250-figd2104-2L-e, the estimate of xc7z020clg400-1",
        "the report is of a clock of 5 ns, the estimate of 10",
    )
    other = compare_tree(net, vivado_tree(tmp_path / "vivado", net)).notes
    assert other == ("the report is of vivado 2020.1, the project for Vitis HLS",)


def test_the_newest_of_several_reports_counts(tmp_path: Path) -> None:
    net = design()
    import os

    for n, lut in enumerate((111, 222)):
        made = vitis_tree(tmp_path / str(n), net, row(lut=lut))
        for path in made.rglob("csynth.xml"):
            os.utime(path, (1000 + n, 1000 + n))
    found = compare_tree(net, tmp_path)
    assert found.stages[0].figures[0].synthesized == 222
    assert found.notes == ("1 older reports of the same design are left out",)
    assert len(read_tree(tmp_path).csynth) == 2


def test_names_of_strangers_stay_text(tmp_path: Path) -> None:
    net = design()
    name = HOSTILE.replace("<", "&lt;").replace(">", "&gt;")
    found = {name: ("digits_mlp", row())}
    write(tmp_path, "digits_mlp", {"csynth.xml": vitis_xml("digits_mlp", row(), found)})
    comparison = compare_tree(net, tmp_path)
    assert comparison.others == (HOSTILE,)
    assert HOSTILE not in to_html(net.report(synthesis=comparison))


def test_a_report_is_written_beside_the_project(project: Path, tree: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    found = report_project(project, tree, data="examples/digits.npz", out=tmp_path / "report")
    content = json.loads((found.folder / "report.json").read_text())
    assert content["synthesized"]["stages"]
    assert content["lossless"]["holds"] is True
    assert {p.name for p in found.folder.iterdir()} == {
        "report.html", "report.json", "report.md", ".hwflow-project",
    }  # fmt: skip
    assert {p: p.read_bytes() for p in project.rglob("*") if p.is_file()} == before


def test_the_command_line(
    project: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert projects.report.__name__ == "report"
    monkeypatch.chdir(tmp_path)
    ran = hwflow(capsys, "report", project, "--synth", tree, "-o", "out")
    assert ran.status == 0
    assert "C synthesis: vitis 2024.2" in ran.out
    assert "beside the layers" in ran.out
    ran = hwflow(capsys, "report", project, "--synth", tree, "-o", "out", "--json")
    assert {s["stage"] for s in json.loads(ran.out)["stages"]} == {
        "C synthesis", "logic synthesis", "implementation",
    }  # fmt: skip
    ran = hwflow(capsys, "report", project, "--synth", tmp_path / "nothing", "--json")
    assert (ran.status, json.loads(ran.out)["errors"][0]["code"]) == (2, "HW590")
    monkeypatch.delenv("HWFLOW_VITIS_SETTINGS", raising=False)
    ran = hwflow(capsys, "synth", project, "-o", "run", "--timeout", "1h")
    assert ran.status == 2
    assert "error[HW610]" in ran.err
    assert "See also run/synth.sh." in ran.err
    ran = hwflow(capsys, "synth", project, "-o", "run", "--timeout", "soon", "--json")
    assert (ran.status, json.loads(ran.out)["errors"][0]["code"]) == (2, "HW580")
