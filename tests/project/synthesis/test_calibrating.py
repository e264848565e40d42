"""``hwflow calibrate``: trees joined to projects, factors tested on designs left out, profiles."""

import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.core.calibration import load_profile
from hwflow.core.errors import CompileError
from hwflow.project.design import Design
from hwflow.project.synthesis.calibrating import calibrate, write_profile
from hwflow.project.synthesis.running import Request, synthesize
from hwflow.project.synthesis.runs import RECORD, runs_in
from tests.cli.command import hwflow as run_hwflow
from tests.fixtures import model
from tests.networks import Builder
from tests.project.synthesis.stand_in import install
from tests.synthesis.designs import add_vivado, design, vitis_tree, vivado_tree
from tests.synthesis.report_texts import row


@cache
def network(number: int, name: str = "") -> Design:
    """One of several networks of one dense layer each, of different sizes."""
    b = Builder(np.random.default_rng(number))
    x = b.quant("x", 6, 1 / 8, signed=True)
    weight = b.quant(b.constant(b.rng.normal(size=(8 + 8 * number, 8))), 6, 1 / 16, signed=True)
    y = b.quant(b.node("MatMul", [x, weight]), 8, 1 / 4, signed=True)
    made = model(b, y, (1, 8 + 8 * number), (1, 8))
    made.graph.name = name or f"net{number}"
    return hwflow.compile(made, board="pynq-z2")


def reported(net: Design, factor: float, cycles: float) -> dict[str, float]:
    total = net.estimate().total
    return row(
        lut=round(total.lut.value * factor), ff=round(total.ff.value),
        latency=round(total.latency_cycles.value * cycles), ii=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four projects with reports inside that say 1.6 times the LUTs, or nearly."""
    root = tmp_path_factory.mktemp("trees")
    for number, factor in enumerate((1.5, 1.6, 1.65, 1.7)):
        net = network(number)
        project = net.write(root / f"net{number}")
        vitis_tree(project / "hls", net, reported(net, factor, 2))
    return root


def test_factors_are_learnt_and_tested_on_designs_left_out(trees: Path) -> None:
    found = calibrate([trees])
    assert len(found.measured) == 4
    ((tool, family), figures) = next(iter(found.fitted.items()))
    assert (tool, family) == ("vitis 2024.2", "7 series")
    lut = figures["lut"]
    assert lut.designs == 4
    assert 1.2 < lut.factor < 1.6
    assert lut.error_after is not None
    assert lut.error_after < lut.error_before / 2
    assert abs(np.log(figures["ff"].factor)) < 0.01
    assert 1.2 < figures["latency_cycles"].factor < 2


def test_a_profile_makes_estimates_nearer_to_the_reports(trees: Path, tmp_path: Path) -> None:
    """Through the public path: compile with the profile, compare with the reports."""
    path = tmp_path / "my.toml"
    write_profile(calibrate([trees]), path)
    net = network(2)
    real = reported(net, 1.65, 2)["lut"]
    again = hwflow.compile(net.origin.read(), board="pynq-z2", calibration=str(path))
    before, after = (d.estimate().total.lut.value for d in (net, again))
    assert abs(after - real) < abs(before - real) / 2
    assert "4 designs" in again.estimate().calibration


def test_one_design_is_said_so(trees: Path, tmp_path: Path) -> None:
    profile = write_profile(calibrate([trees / "net1"]), tmp_path / "one.toml")
    entry = profile.correction["vitis 2024.2"]["7 series"]
    assert len(entry.designs) == 1
    assert entry.error_after == {}
    assert (
        hwflow.compile(network(0).origin.read(), calibration=str(tmp_path / "one.toml"))
        .estimate()
        .calibration.count("one design, so not tested on another")
        == 1
    )


def test_a_profile_keeps_what_it_has_of_other_tools(trees: Path, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    net = design("Vivado")
    project = net.write(tmp_path / "vivado")
    add_vivado(vivado_tree(tmp_path / "reports", net), net)
    vivado = write_profile(calibrate([tmp_path / "reports"], [project]), path)
    assert {"lut_synth", "ff_synth"} <= vivado.correction["vivado 2020.1"][
        "7 series"
    ].error_before.keys()
    both = write_profile(calibrate([trees]), path)
    assert set(both.correction) == {"vivado 2020.1", "vitis 2024.2"}
    assert both.correction["vivado 2020.1"] == vivado.correction["vivado 2020.1"]
    assert load_profile(path) == both


def test_a_file_that_is_no_profile_is_left_as_it_was(trees: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.toml"
    path.write_text("mine = true\n")
    with pytest.raises(CompileError) as error:
        write_profile(calibrate([trees / "net0"]), path)
    assert error.value.diagnostics[0].code == "HW596"
    assert path.read_text() == "mine = true\n"


def test_a_run_knows_its_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(1)
    project = net.write(tmp_path / "net")
    program, _ = install(tmp_path / "tools", net, "vitis-run")
    monkeypatch.setenv("HWFLOW_VITIS", str(program))
    run = synthesize(project, Request()).folder
    assert json.loads((run / RECORD).read_text())["project"] == "../net"
    found = calibrate([run])
    assert found.measured[0].design.project.digest == net.project.digest
    network(2, "net1").write(project)
    with pytest.raises(CompileError) as error:
        calibrate([run])
    (finding,) = error.value.diagnostics
    assert finding.code == "HW595"
    assert "not as it was when it was synthesized" in finding.found


def test_records_of_strangers_lead_to_projects_or_nowhere(tmp_path: Path) -> None:
    form = {"form": "hwflow-synthesis/1", "sha256": "0"}
    run = vitis_tree(tmp_path / "run", design())
    for way in ("/etc", "../nothing", "a\0b", "..", "../" * 50 + "etc"):
        (run / RECORD).write_text(json.dumps(form | {"project": way}))
        assert [(r.reports, r.project) for r in runs_in(run)] == [(run, None)]
    for content in ("", "[]", "{", "x" * 100_000, json.dumps(form | {"project": 3})):
        (run / RECORD).write_text(content)
        assert runs_in(run)[0].project is None


def test_the_project_can_be_named(tmp_path: Path) -> None:
    tree, net = vitis_tree(tmp_path / "reports", design()), design()
    with pytest.raises(CompileError) as error:
        calibrate([tree])
    (finding,) = error.value.diagnostics
    assert (finding.code, "--project" in finding.help) == ("HW595", True)
    found = calibrate([tree], [network(0).write(tmp_path / "other"), net.write(tmp_path / "net")])
    assert found.measured[0].design.graph.name == net.graph.name


def test_what_nothing_is_learnt_from_is_named(trees: Path, tmp_path: Path) -> None:
    net = design()
    logic, empty = tmp_path / "logic", tmp_path / "empty"
    logic.mkdir()
    add_vivado(logic, network(0))
    tree = vivado_tree(tmp_path / "vivado", net)
    projects = [net.write(tmp_path / "net")]
    found = calibrate([trees / "net0", logic, tree, empty], projects)
    assert len(found.measured) == 1
    assert [text.partition(": ")[2] for text in found.left_out] == [
        "no report of C synthesis",
        "a report of vivado 2020.1; the project is for Vitis HLS",
        "no csynth.xml, NAME_csynth.rpt or report_utilization text",
    ]


def test_the_estimate_is_for_what_was_synthesized(tmp_path: Path) -> None:
    """Part and clock of the report, not of the project."""
    net = design()
    tree = vitis_tree(tmp_path / "reports", net)
    for path in tree.rglob("csynth.xml"):
        text = path.read_text().replace("xc7z020-clg400-1", "xczu7ev-ffvc1156-2-e")
        path.write_text(text.replace(">10.00<", ">2.50<"))
    (found,) = calibrate([tree], [net.write(tmp_path / "net")]).measured
    assert found.family == "UltraScale"
    (cycles,) = (r for r in found.comparison.stages[0].figures if r.figure == "latency_cycles")
    assert cycles.estimated.value != net.estimate().total.latency_cycles.value


def test_the_command_line(
    trees: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run_hwflow(capsys, "calibrate", trees)
    assert (ran.status, ran.new) == (0, ())
    assert "nothing written" in ran.out
    assert "error before %" in ran.out
    ran = run_hwflow(capsys, "calibrate", trees, "--profile", "my.toml", "--json")
    assert ran.new == ("my.toml",)
    content = json.loads(ran.out)
    assert {f["figure"] for f in content["factors"]} >= {"lut", "ff", "ii", "latency_cycles"}
    assert len(content["designs"]) == 4
    model_file = trees / "net0" / "model.qonnx.onnx"
    ran = run_hwflow(capsys, "estimate", model_file, "--calibration", "my.toml")
    assert ran.status == 0
    assert "calibrated by my.toml: vitis 2024.2, 7 series, 4 designs" in ran.out
    ran = run_hwflow(capsys, "estimate", model_file, "--calibration", "gone.toml", "--json")
    assert (ran.status, json.loads(ran.out)["errors"][0]["code"]) == (2, "HW596")


KILLED = """
import os, sys, signal
from pathlib import Path
real = Path.replace
def dies(self, other):
    os.kill(os.getpid(), signal.SIGKILL)
Path.replace = dies
from hwflow.core.files import write_file
write_file(Path(sys.argv[1]), b"new")
"""


def test_a_profile_survives_the_end_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("old")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_runs_come_in_a_lasting_order(trees: Path) -> None:
    assert [run.reports.name for run in runs_in(trees)] == ["net0", "net1", "net2", "net3"]
