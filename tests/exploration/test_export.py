"""Fronts as other programs read them."""

import base64
import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from hwflow.cli import main
from hwflow.core.errors import CompileError
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.export import export_run
from hwflow.exploration.pictures.page import to_html
from hwflow.exploration.run import Run, explore, open_run
from hwflow.exploration.saving import FRONT, PAGE, PICTURE
from tests.exploration.spaces import request


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("export")
    asked = request(folder, bits="w=2,4 a=4", samples=60, boards=("pynq-z2", "zcu104"))
    return explore(asked, folder / "run")


def test_json_is_the_front_that_is_kept(run: Run, tmp_path: Path) -> None:
    written = export_run(run.folder, tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == written == (run.folder / FRONT).read_bytes()
    one = json.loads(export_run(run.folder, None, kind="json", board="zcu104"))
    assert one == {**run.result, "fronts": run.result["fronts"][1:]}


def test_csv_has_every_point(run: Run) -> None:
    text = export_run(run.folder, None).decode()
    assert "\r\n" in text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    points = [(f, p) for f in run.result["fronts"] for p in f["points"]]
    assert len(rows) == len(points) > 2
    for row, (front, point) in zip(rows, points, strict=True):
        assert (row["board"], int(row["id"])) == (front["board"], point["id"])
        assert float(row["held_out_accuracy"]) == point["held_out"]["accuracy"]
        low, high = point["held_out"]["accuracy_interval"]
        assert float(row["held_out_accuracy_low"]) == low
        assert float(row["held_out_accuracy_high"]) == high
        assert [float(row[f"lut{end}"]) for end in ("", "_low", "_high")] == point["cost"]["lut"]
        assert {n: int(row[f"bits_{n}"]) for n in point["bits"]} == point["bits"]
        assert row["not_told_from"] == ("" if point["like"] is None else str(point["like"]))


def test_pictures_are_those_of_the_run(run: Run, tmp_path: Path) -> None:
    page = export_run(run.folder, tmp_path / "a.html").decode()
    assert page == to_html(run.result, str(run.folder))
    assert export_run(run.folder, None, kind="svg") == (run.folder / PICTURE).read_bytes()
    assert export_run(run.folder, tmp_path / "a.PNG", board="zcu104").startswith(b"\x89PNG")
    assert (run.folder / PAGE).read_text("utf-8") == to_html(run.result)
    assert (run.folder / PICTURE).read_text("utf-8").endswith(run._repr_svg_())
    assert run._repr_svg_().startswith("<svg ")


def test_front_ends_with_a_plot(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["explore", "front", "--run", str(run.folder)]
    shown = printed(command, capsys)
    assert shown.count("accuracy %, held out, with 95 % intervals") == 2
    assert "\x1b[" not in shown
    assert f"choose on a page: {run.folder / PAGE}" in shown
    found = json.loads(printed([*command, "--json"], capsys))
    assert found == {"run": str(run.folder), **run.result}


def test_pictures_are_printed_where_no_file_is_named(
    run: Run, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    command = ["explore", "export", "--run", str(run.folder), "--format", "png"]
    ended(command)
    png = capsysbinary.readouterr().out
    assert png.startswith(b"\x89PNG")
    ended([*command, "--json"])
    found = json.loads(capsysbinary.readouterr().out)
    assert base64.b64decode(found["base64"]) == png
    assert found["bytes"] == len(png)


def ended(command: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(command)
    assert not end.value.code


def printed(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    ended(command)
    return capsys.readouterr().out


def test_sensitivities_are_those_of_the_tree(run: Run) -> None:
    request, _ = open_run(run.folder)
    explorer = Explorer.of(request)
    tree, space = explorer.tree(explorer.search), explorer.space
    losses = run.result["sensitivity"]["losses"]
    assert list(losses) == [v.name for v in space.variables]
    widest = [size - 1 for size in space.sizes]
    for i, variable in enumerate(space.variables):
        numbers = [space.number([*widest[:i], o, *widest[i + 1 :]]) for o in range(space.sizes[i])]
        wanted = [float(tree.losses(np.array([n]))[0]) for n in numbers]
        assert losses[variable.name] == pytest.approx(wanted, rel=1e-12)


def test_next_bits_are_steps_from_the_knee(run: Run) -> None:
    explorer = Explorer.of(open_run(run.folder)[0])
    space, tree = explorer.space, explorer.tree(explorer.search)
    for front, priced in zip(run.result["fronts"], explorer.boards, strict=True):
        bits = space.choices(front["knee"])
        wider = {v.name for v in space.variables if bits[v.name] < v.options[-1]}
        assert {step["variable"] for step in front["next_bits"]} == wider
        worths = [s["gain"] / s["lut"] for s in front["next_bits"] if s["lut"] > 0]
        assert worths == sorted(worths, reverse=True)
        priced.cover(lambda done: None)
        for step in front["next_bits"]:
            digits = [
                v.options.index(step["to"] if v.name == step["variable"] else bits[v.name])
                for v in space.variables
            ]
            number = space.number(digits)
            assert step["from"] == bits[step["variable"]]
            before, after = (float(tree.losses(np.array([n]))[0]) for n in (front["knee"], number))
            assert step["gain"] == pytest.approx(before - after, rel=1e-9, abs=1e-12)
            cheap, dear = priced.figures(np.array([front["knee"], number]))["lut_synth"]
            assert step["lut"] == pytest.approx(dear - cheap)


def test_names_are_no_formulas(run: Run) -> None:
    from dataclasses import replace

    from hwflow.exploration.export import as_csv

    front = {**run.result["fronts"][0], "board": '=HYPERLINK("x")'}
    text = as_csv(replace(run, result={**run.result, "fronts": [front]})).decode()
    assert next(csv.DictReader(io.StringIO(text, newline="")))["board"].startswith("'=")


@pytest.mark.parametrize(("out", "kind"), [("front.xls", None), ("front", None), (None, "cvs")])
def test_unknown_formats_are_refused(run: Run, tmp_path: Path, out: str, kind: str) -> None:
    path = None if out is None else tmp_path / out
    with pytest.raises(CompileError, match="HW340") as refused:
        export_run(run.folder, path, kind=kind)
    assert list(tmp_path.iterdir()) == []
    assert "csv, json" in str(refused.value)
    if path is not None:
        export_run(run.folder, path, kind="csv")  # the help
        assert path.is_file()


def test_an_unknown_board_is_refused(run: Run) -> None:
    with pytest.raises(CompileError, match="HW331"):
        export_run(run.folder, None, board="zcu102")
