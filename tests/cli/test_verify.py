"""``hwflow verify`` as a CI job calls it: status, what it prints, what it writes."""

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwflow.ir.body.values import NoGoldenError
from hwflow.ir.op import Op
from hwflow.project.compiler import compile as compile_model
from tests.cli.command import Ran, dense, hwflow, save

pytestmark = pytest.mark.cpp
Capture = pytest.CaptureFixture[str]
Golden = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    save(dense())
    rng = np.random.default_rng(0)
    np.savez("data.npz", x=rng.uniform(-4, 4, (50, 4)), y=rng.integers(0, 3, 50))


def verify(capsys: Capture, *arguments: object) -> Ran:
    return hwflow(capsys, "verify", "model.onnx", "--data", "data.npz", *arguments)


def test_limits_that_hold(capsys: Capture) -> None:
    ran = verify(capsys, "--max-lut", "70%", "--max-drop", "100%", "--junit", "ci/a.xml",
                 "--summary", "ci/a.md")  # fmt: skip
    assert (ran.status, ran.new) == (0, ("ci", "ci/a.md", "ci/a.xml"))
    assert "all 4 checks pass" in ran.out
    assert len(ran.out.splitlines()) <= 40, "more than one screen"
    assert ran.out.index("hardware against quantised") < ran.out.index("quantised model against f")
    cases = ET.parse("ci/a.xml").getroot().iter("testcase")
    assert [c.get("name") for c in cases] == ["faithful", "golden", "drop", "lut"]
    assert Path("ci/a.md").read_text().startswith("## hwflow verify: model: passed\n")


def test_a_limit_that_does_not_hold(capsys: Capture) -> None:
    ran = verify(capsys, "--min-accuracy", "100%", "--junit", "a.xml", "--summary", "a.md")
    assert (ran.status, ran.new) == (1, ("a.md", "a.xml"))
    assert "1 of 3 checks failed" in ran.out
    assert ET.parse("a.xml").getroot().get("failures") == "1"
    assert "1 of 3 checks failed" in Path("a.md").read_text()


def test_json_has_both_budgets_and_the_checks(capsys: Capture) -> None:
    ran = verify(capsys, "--min-accuracy", "100%", "--json")
    content = json.loads(ran.out)
    assert (ran.status, content["passed"]) == (1, False)
    assert [c["passed"] for c in content["checks"]] == [True, True, False]
    check = content["checks"][2]
    assert (check["name"], check["bound"]) == ("accuracy", 1.0)
    assert check["found"] == content["errors"][0]["accuracy"]
    (loss,) = content["quantisation"]["outputs"]
    assert loss["error"]["accuracy"] == content["errors"][0]["reference_accuracy"]
    assert content["faithful"]["mismatches"] == content["golden"]["mismatches"] == 0
    assert content["golden"]["elements"] > 50 * 3


def test_limits_of_the_settings_hold_too(capsys: Capture) -> None:
    Path("hwflow.toml").write_text("[verify]\nmax_lut = 1\nmax_ii = 4\n")
    ran = verify(capsys, "--config", "hwflow.toml")
    assert ran.status == 1
    assert "1 of 4 checks failed" in ran.out
    assert verify(capsys, "--config", "hwflow.toml", "--max-lut", "90%").status == 0


REFUSED = {
    "verify_labels": (["--min-accuracy", "0.5", "--max-uram", "5%"], "HW408"),
    "verify_text": (["--min-accuracy", "97", "--max-lut", "few"], "HW102"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_checked_is_no_pass(name: str, capsys: Capture, golden: Golden) -> None:
    np.savez("data.npz", x=np.zeros((5, 4), np.float32))
    arguments, code = REFUSED[name]
    ran = verify(capsys, *arguments, "--junit", "a.xml", "--summary", "a.md")
    assert (ran.status, ran.new) == (2, ("a.md", "a.xml"))
    assert ran.err.count(f"error[{code}]") == 2
    golden(f"errors/{name}.txt", ran.said)
    golden(f"errors/{name}.md", Path("a.md").read_text())
    root = ET.parse("a.xml").getroot()
    assert (root.get("tests"), root.get("errors"), root.get("failures")) == ("2", "2", "0")
    for error in root.iter("error"):
        assert error.get("type") == code
        assert error.text in ran.err, "the same words as on the screen"


def test_errors_are_json_too(capsys: Capture) -> None:
    arguments = ("--max-lut", "few", "--json", "--junit", "a.xml")
    ran = verify(capsys, *arguments)
    (finding,) = json.loads(ran.out)["errors"]
    assert (ran.status, ran.err, finding["code"]) == (2, "", "HW102")
    assert finding["where"] == "--max-lut"


def test_an_error_that_cannot_be_written_down_is_added(capsys: Capture) -> None:
    ran = verify(capsys, "--max-lut", "few", "--junit", "data.npz/a.xml", "--summary", "a.md")
    assert (ran.status, ran.new) == (2, ("a.md",))
    assert ran.err.count("error[HW102]") == ran.err.count("error[HW552]") == 1
    assert "HW102" in Path("a.md").read_text()


def test_a_missing_compiler_is_in_the_files(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("HWFLOW_CACHE", str(tmp_path / "cache"))
    ran = verify(capsys, "--junit", "a.xml", "--summary", "a.md")
    (error,) = ET.parse("a.xml").getroot().iter("error")
    assert (ran.status, error.get("type")) == (2, "HW601")
    assert "set CXX to the program's path" in str(error.text)
    assert "no-such-compiler" in Path("a.md").read_text()


def test_a_summary_of_github_is_appended_to(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("summary.md").write_text("# before\n")
    verify(capsys, "--summary", "summary.md")
    assert "# before" not in Path("summary.md").read_text()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(Path("summary.md").resolve()))
    before = Path("summary.md").read_text()
    verify(capsys, "--summary", "summary.md")
    assert Path("summary.md").read_text() == before + before


@pytest.mark.parametrize("option", ["--junit", "--summary"])
def test_a_file_that_cannot_be_written(option: str, capsys: Capture) -> None:
    ran = verify(capsys, option, "data.npz/a.xml")
    assert (ran.status, ran.new) == (2, ())
    assert "error[HW552]" in ran.err


def test_a_project_is_verified_as_it_lies_there(capsys: Capture, golden: Golden) -> None:
    assert hwflow(capsys, "build", "model.onnx", "-o", "net").status == 0
    Path("model.onnx").unlink()
    arguments = ("verify", "net", "--data", "data.npz", "--lossless")
    ran = hwflow(capsys, *arguments)
    assert (ran.status, ran.new) == (0, ())
    assert "all 4 checks pass" in ran.out
    ran = hwflow(capsys, *arguments, "--io-type", "io_stream", "--board", "zcu104")
    assert (ran.status, ran.new) == (2, ())
    golden("errors/verify_options.txt", ran.said)
    defines = Path("net/hls/firmware/defines.h")
    defines.write_text(defines.read_text().replace("AP_SAT", "AP_WRAP", 1))
    ran = hwflow(capsys, *arguments)
    assert (ran.status, ran.new) == (1, ())
    assert "2 of 4 checks failed" in ran.out
    ran = hwflow(capsys, *arguments, "--trust")
    assert (ran.status, ran.new) == (1, ("net-reproducer.npz",))
    assert "2 of 4 checks failed" in ran.out


def test_a_layer_without_a_golden_function_is_said_and_fails_nothing(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise NoGoldenError("it needs 90 bits")

    for operator in Op.registry.values():
        monkeypatch.setattr(operator, "write_golden", refuse)
    ran = hwflow(capsys, "build", "model.onnx", "-o", "net")
    assert ran.status == 0
    assert "warning[HW565]" in ran.err
    assert "golden    not checked: HW565, " in ran.out
    assert not Path("net/model.hw.onnx").exists()
    assert "There is no golden model: HW565" in Path("net/report.md").read_text()
    assert "all 1 checks pass" in verify(capsys).out
    assert "all 2 checks pass" in hwflow(capsys, "verify", "net", "--data", "data.npz").out
    found = hwflow(capsys, "build", "model.onnx", "-o", "net", "--json")
    assert [w["code"] for w in json.loads(found.out)["warnings"] if w["code"] == "HW565"]


def test_outputs_of_a_float_model(capsys: Capture) -> None:
    with np.load("data.npz") as data:
        wrong = np.eye(3)[(data["y"] + 1) % 3]
    np.savez("float.npz", y=wrong)
    ran = verify(capsys, "--float-model", "float.npz", "--json", "--max-drop", "0")
    content = json.loads(ran.out)
    assert content["quantisation"]["reference"] == "outputs in float.npz"
    assert content["quantisation"]["outputs"][0]["error"]["reference_accuracy"] == 0
    assert ran.status == 0
    assert verify(capsys, "--float-model", "data.npz").status == 2


DAMAGE: dict[str, Callable[[Path], object]] = {
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "empty": lambda file: file.write_bytes(b""),
    "words": lambda file: file.write_text("nan, x, 1e999, -,\n[[["),
    "gone": Path.unlink,
}
KEPT = (
    ".hwflow-project", "hwflow.toml", "manifest.json", "model.hw.onnx", "model.qonnx.onnx",
    "sim/vectors/vectors.json", "sim/vectors/input_x_in.npy",
    "hls/firmware/weights/gemm19_weight.txt", "hls/firmware/weights/gemm19_weight.h",
    "hls/firmware/fixture.cpp", "hls/firmware/parameters.h",
)  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage") / "net"
    design = compile_model(dense())
    return design.write(folder, design.verify(None, cpp=False))


@pytest.mark.parametrize("path", KEPT)
def test_a_damaged_file_of_a_project_is_a_finding(
    path: str, project: Path, capsys: Capture
) -> None:
    assert (project / path).is_file()
    for damage, spoil in DAMAGE.items():
        shutil.rmtree("net", ignore_errors=True)
        shutil.copytree(project, "net")
        spoil(Path("net") / path)
        ran = hwflow(capsys, "verify", "net", "--junit", "a.xml")
        assert ran.status in (1, 2), (path, damage)
        root = ET.parse("a.xml").getroot()
        assert int(root.get("failures", "0")) + int(root.get("errors", "0")) > 0
        if ran.status == 1 and path != ".hwflow-project":  # half of it names half a path
            case = next(c for c in root.iter("testcase") if c.get("name") == "files")
            assert path in ET.tostring(case, encoding="unicode"), "the file is named"
