"""Calibration profiles: what they may hold, which entry a target gets, what that does."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwflow
from hwflow.core.calibration import FORM, Entry, Profile, load_profile
from hwflow.core.errors import CompileError
from hwflow.core.toml_text import parse_toml, toml_text
from hwflow.estimate.calibration import correction_of
from hwflow.estimate.stages import COLUMNS
from hwflow.ir.cost import Estimate
from hwflow.ir.op import Target
from hwflow.project.design import Design

MODEL = "examples/digits_mlp.onnx"
FACTORS = {"lut": 0.5, "ff": 2.0, "latency_cycles": 3.0, "ii": 4.0, "lut_synth": 0.25}


def profile(
    *tools: str, factors: dict[Any, float] | None = None, family: Any = "7 series"
) -> Profile:
    entry = Entry(designs=("a", "b"), factors=FACTORS if factors is None else factors)
    return Profile(form=FORM, correction={tool: {family: entry} for tool in tools})


def written(folder: Path, found: Profile) -> Path:
    path = folder / "my.toml"
    path.write_text(found.to_toml())
    return path


def estimated(found: Profile | None, folder: Path, **target: Any) -> Design:
    path = None if found is None else str(written(folder, found))
    return hwflow.compile(MODEL, calibration=path, **target)


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_every_figure_of_layers_and_total_is_multiplied(io_type: str, tmp_path: Path) -> None:
    plain = estimated(None, tmp_path, io_type=io_type).estimate()
    design = estimated(profile("vitis 2024.2"), tmp_path, io_type=io_type)
    found = design.estimate()
    for before, after in zip(plain.layers, found.layers, strict=True):
        for figure in COLUMNS:
            factor = FACTORS.get(figure, 1.0)
            value = getattr(before.cost, figure).value * factor
            assert getattr(after.cost, figure).value == pytest.approx(value), (after.name, figure)
    for figure in ("lut", "ff", "dsp", "bram_18k", "lut_synth", "ff_synth", "ii"):
        value = getattr(plain.total, figure).value * FACTORS.get(figure, 1.0)
        assert getattr(found.total, figure).value == pytest.approx(value), figure
    if io_type == "io_parallel":
        cycles = plain.total.latency_cycles.value * 3
        assert found.total.latency_cycles.value == pytest.approx(cycles)
    assert plain.calibration == ""
    assert found.calibration.startswith("calibrated by my.toml: vitis 2024.2, 7 series, 2 designs;")
    assert "lut x 0.5" in found.calibration
    assert found.to_dict()["calibration"] == found.calibration
    use = {u.resource: u for u in found.utilisation}["lut"]
    assert use.used == found.total.lut_synth


def test_bits_and_code_do_not_depend_on_a_calibration(tmp_path: Path) -> None:
    plain, found = estimated(None, tmp_path), estimated(profile("vitis 2024.2"), tmp_path)
    assert plain.project.digest == found.project.digest


def test_nothing_is_started_before_the_last_one() -> None:
    halved = correction_of(profile("vitis 2024.2", factors={"ii": 0.5}), Target(), "p")
    assert halved is not None
    cost = hwflow.compile(MODEL).estimate().total
    assert halved.applied(cost).ii.value == 1
    assert halved.applied(cost).lut == cost.lut


@pytest.mark.parametrize(
    ("tools", "target", "taken"),
    [
        (["vitis 2022.1", "vitis 2024.2"], Target(), "vitis 2024.2"),
        (["vitis 2022.1", "vitis 2024.2"], Target(tool="vitis 2022.1"), "vitis 2022.1"),
        (["vitis 2022.1"], Target(tool="vitis 2024.2"), None),
        (["vivado 2020.1"], Target(), None),
        (["vivado 2020.1"], Target(backend="Vivado"), "vivado 2020.1"),
        (["vitis 2024.2"], Target(part="xczu7ev-ffvc1156-2-e"), None),
    ],
)
def test_a_target_gets_the_entry_of_its_tool_and_family(
    tools: list[str], target: Target, taken: str | None
) -> None:
    found = correction_of(profile(*tools), target, "p")
    assert (None if found is None else found.basis.split(": ")[1].split(",")[0]) == taken


def test_an_entry_of_one_design_says_so() -> None:
    one = Profile(form=FORM, correction={"vitis 2024.2": {"7 series": Entry(designs=("a",))}})
    found = correction_of(one, Target(), "p")
    assert found is not None
    assert "one design, so not tested on another; no factor" in found.basis


def test_a_profile_of_other_tools_changes_nothing_and_warns(tmp_path: Path) -> None:
    design = estimated(profile("vivado 2020.1"), tmp_path)
    (warning,) = (w for w in design.warnings if w.code == "HW597")
    assert warning.supported == "vivado 2020.1 on 7 series"
    assert design.estimate().total == estimated(None, tmp_path).estimate().total
    again = estimated(profile("vivado 2020.1"), tmp_path, backend="Vivado")
    assert not [w for w in again.warnings if w.code == "HW597"]


def test_a_board_of_another_family_is_not_corrected(tmp_path: Path) -> None:
    from hwflow.core.board import load_board
    from hwflow.project.advice.boards import on_boards

    boards = [load_board("zcu104"), load_board("pynq-z2")]
    plain, found = (
        on_boards(estimated(p, tmp_path), boards, lambda stage, done: None)
        for p in (None, profile("vitis 2024.2"))
    )
    luts = [[each.report.total.lut.value for each in row if each.report] for row in (plain, found)]
    assert luts[1][0] == luts[0][0]
    assert luts[1][1] == pytest.approx(luts[0][1] / 2)


def test_settings_name_a_profile_beside_them_and_the_project_keeps_it(tmp_path: Path) -> None:
    from hwflow.project.stored import open_project

    written(tmp_path, profile("vitis 2024.2"))
    settings = tmp_path / "hwflow.toml"
    settings.write_text('[target]\ncalibration = "my.toml"\n')
    design = hwflow.compile(MODEL, config=settings)
    project = design.write(tmp_path / "net")
    (tmp_path / "my.toml").unlink()
    stored = open_project(project).design
    assert stored.estimate().total == design.estimate().total
    assert "calibrated by calibration.toml" in stored.estimate().calibration
    (project / "hwflow.toml").write_text('[target]\ncalibration = "../my.toml"\n')
    with pytest.raises(CompileError) as error:
        open_project(project)
    assert error.value.diagnostics[0].code == "HW557"


def entry(**content: Any) -> dict[str, Any]:
    return {"correction": {"vitis 2024.2": {"7 series": {"designs": ["a"]} | content}}}


BAD = {
    "form": {"form": "hwflow-calibration/2"},
    "tool": {"correction": {"quartus 1": {}}},
    "family": {"correction": {"vitis 2024.2": {"Stratix": {"designs": ["a"]}}}},
    "no designs": entry(designs=[]),
    "figure": entry(factors={"carry": 1.0}),
    "factor": entry(factors={"lut": 1e9}),
    "nan": entry(factors={"lut": float("nan")}),
    "text": entry(factors={"lut": "1"}),
    "unknown": {"else": 1},
}


@pytest.mark.parametrize("kind", BAD)
def test_profiles_that_are_none_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    content = {"form": FORM, "correction": {}} | BAD[kind]
    path = tmp_path / "bad.toml"
    path.write_text(toml_text(content))
    with pytest.raises(CompileError) as error:
        load_profile(path)
    assert {d.code for d in error.value.diagnostics} == {"HW596"}
    assert all("bad.toml" in d.where for d in error.value.diagnostics)
    with pytest.raises(CompileError):
        hwflow.compile(MODEL, calibration=str(path))


@pytest.mark.parametrize("content", [b"\xff", b"[", b"x = 1" * 300_000, None])
def test_files_that_are_no_toml_are_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CompileError) as error:
        load_profile(path)
    assert error.value.diagnostics[0].code == "HW596"


figures = st.sampled_from(list(COLUMNS))
entries = st.builds(
    Entry,
    designs=st.lists(st.text("abc .é", min_size=1), min_size=1, max_size=3).map(tuple),
    factors=st.dictionaries(figures, st.floats(0.05, 20)),
    error_before=st.dictionaries(figures, st.floats(0, 200)),
)
tools = st.builds(
    "{} 20{:02}.{}".format,
    st.sampled_from(["vitis", "vivado"]),
    st.integers(0, 99),
    st.integers(0, 9),
)
profiles = st.builds(
    Profile,
    form=st.just(FORM),
    correction=st.dictionaries(
        tools, st.dictionaries(st.sampled_from(["7 series", "UltraScale"]), entries, min_size=1)
    ),
)


@given(profiles)
def test_a_written_profile_is_read_as_it_was(found: Profile) -> None:
    assert Profile.model_validate(parse_toml(found.to_toml().encode())) == found


@given(profiles, profiles)
def test_joining_replaces_what_is_newer_and_keeps_the_rest(old: Profile, new: Profile) -> None:
    joined = old.joined_with(new.correction)
    for tool, families in {**old.correction, **new.correction}.items():
        for family in {**old.correction.get(tool, {}), **families}:
            newer = new.correction.get(tool, {}).get(family)
            expected = newer or old.correction[tool][family]
            assert joined.correction[tool][family] == expected


def test_an_estimate_keeps_its_shape() -> None:
    found = correction_of(profile("vitis 2024.2"), Target(), "p")
    assert found is not None
    assert found.of("lut") == 0.5
    assert found.of("dsp") == 1.0
    assert Estimate(10, 5, 20).scaled(found.of("ff")) == Estimate(20, 10, 40)
