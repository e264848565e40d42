"""The pages on boards and on Vivado: the example profile works, named files and switches exist."""

import re
from pathlib import Path

import hwflow

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "digits_mlp.onnx"


def test_the_profile_on_the_page_is_a_board(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "boards.md").read_text("utf-8")
    (profile,) = re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)
    (tmp_path / "my_board.toml").write_text(profile, "utf-8")
    design = hwflow.compile(MODEL, board=tmp_path / "my_board.toml")
    assert design.board.name == "Carrier rev. B"
    (lut,) = (u for u in design.estimate().utilisation if u.resource == "lut")
    assert lut.available == 56448
    (tmp_path / "hwflow.toml").write_text('[target]\nboard = "my_board.toml"\n')
    assert hwflow.compile(MODEL, config=tmp_path / "hwflow.toml").board == design.board


def test_files_and_switches_of_the_vivado_page_exist(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "vivado.md").read_text("utf-8")
    hls = hwflow.compile(MODEL, board="pynq-z2").write(tmp_path / "net") / "hls"
    options = (hls / "build_opt.tcl").read_text("utf-8")
    steps = re.findall(r"^\| (`.*?`) \|", page.split("## Into")[0], re.M)
    for switch in re.findall(r"`(\w+)`", " ".join(steps)):
        assert re.search(rf"^ +{switch} +[01]$", options, re.M), switch
    (command,) = re.findall(r"sed -i 's/(.*?)/(.*?)/' build_opt.tcl", page)
    assert options.count(command[0]) == 1
    script = (hls / "build_prj.tcl").read_text("utf-8")
    assert "export_design -format ip_catalog" in script
    project = (hls / "project.tcl").read_text("utf-8")
    assert all(f"set {name} " in project for name in ("part", "clock_period"))
