"""What is handed over beside a model: before and after, lineage, the page."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow import frontends
from hwflow.compression.handover.figures import Curve, Mark
from hwflow.compression.handover.lineage import chain, lineage_for, save_with
from hwflow.compression.handover.page import Front, Story, Table, to_html
from hwflow.compression.handover.sides import BeforeAfter, before_after
from hwflow.compression.handover.stories import target_settings
from hwflow.compression.handover.words import rows_of
from hwflow.compression.handover.writing import write_story
from hwflow.core.errors import CompileError
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.samples import split
from hwflow.ir.qonnx.lineage import METHOD, PARENTS, REQUEST, VERSION, lineage_of, mark
from hwflow.report.manifest.reader import read_build
from hwflow.simulate.float32 import Reference
from tests.exploration.spaces import saved

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def made(folder: Path) -> tuple[Path, Path, Path]:
    """Return a float model, its data, and a quantised model that says what it is made from."""
    model, data = saved(folder, "mlp")
    run = folder / "run"
    run.mkdir()
    files = {"model": str(model), "data": str(data)}
    digests = {name: sha256(Path(name)) for name in files.values()}
    run.joinpath("request.json").write_text(json.dumps({"request": {}, "digests": digests}))
    small = hwflow.quantize(model, data, "w=4,a=4").model
    save_with(small, run / "model.onnx", lineage_for("qat", files, {"seed": 1}, digests))
    return model, data, run


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BeforeAfter]:
    """A folder with a model, its data and a run, and what came of it; nothing changes it."""
    folder = tmp_path_factory.mktemp("compared")
    return folder, sides(folder)


def sides(folder: Path) -> BeforeAfter:
    model, data, run = made(folder)
    after = frontends.load(run / "model.onnx")
    return before_after(str(model), str(data), after, target_settings(board="pynq-z2"))


def test_figures_are_those_of_the_networks(compared: tuple[Path, BeforeAfter]) -> None:
    folder, found = compared
    original, quantized, result = found.sides
    model, data = folder / "mlp.onnx", folder / "mlp.npz"
    before = prepare(frontends.load(model))
    samples = split(before, data)
    (scores,) = Reference(before).run(samples.held_out).values()
    assert samples.labels is not None
    assert original.quality["accuracy"] == np.mean(scores.argmax(1) == samples.labels)
    assert original.quality["agreement"] == 1.0
    design = hwflow.compile(folder / "run" / "model.onnx", board="pynq-z2")
    classes = design.simulate(samples.held_out).outputs
    (ours,) = classes.values()
    same = np.mean(ours.reshape(len(scores), -1).argmax(1) == scores.argmax(1))
    assert result.quality["agreement"] == same
    total = design.estimate().total
    assert result.cost["lut_synth"] == [
        total.lut_synth.value, total.lut_synth.low, total.lut_synth.high
    ]  # fmt: skip
    eight = hwflow.compile(hwflow.quantize(model, data, "w=8,a=8").model, board="pynq-z2")
    assert quantized.cost["lut"][0] == eight.estimate().total.lut.value
    assert not original.cost
    assert all(
        t is not None and t > 0 for t in (*original.cpu_us.values(), *result.cpu_us.values())
    )
    names = [row.name for row in rows_of(found)]
    assert {"accuracy, held out", "latency", "ONNX Runtime, int8"} < set(names)
    assert len(names) == len(set(names))


def test_chain_goes_back_to_the_first_network(tmp_path: Path) -> None:
    model, data, run = made(tmp_path)
    result, *parents = chain(run)
    assert result.sha256 == sha256(run / "model.onnx")
    assert result.lineage is not None
    assert result.lineage.version == hwflow.__version__
    assert {(p.part, p.name, p.sha256) for p in parents} == {
        ("model", model.name, sha256(model)), ("data", data.name, sha256(data))
    }  # fmt: skip


def test_parent_that_changed_is_not_taken_for_one(tmp_path: Path) -> None:
    model, _, run = made(tmp_path)
    before = sha256(model)
    moved = tmp_path / "elsewhere" / "other name.onnx"
    moved.parent.mkdir()
    moved.write_bytes(model.read_bytes())
    model.write_bytes(model.read_bytes() + b"\n")
    (parent,) = (link for link in chain(run) if link.part == "model")
    assert (parent.sha256, parent.name) == (before, "")
    (parent,) = (link for link in chain(run, [moved.parent]) if link.part == "model")
    assert (parent.sha256, parent.name) == (before, moved.name)


def test_build_carries_the_lineage_on(tmp_path: Path) -> None:
    model, data, run = made(tmp_path)
    hwflow.compile(run / "model.onnx").write(tmp_path / "net")
    says = read_build(tmp_path / "net").manifest
    assert says.made is not None
    assert says.made.parents == {"model": sha256(model), "data": sha256(data)}
    assert says.model.file_sha256 == sha256(run / "model.onnx")
    assert chain(tmp_path / "net")[0].lineage == chain(run)[0].lineage
    assert str(tmp_path) not in (run / "model.onnx").read_bytes().decode("latin-1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (METHOD, "qat\nrm"), (PARENTS, "[]"), (PARENTS, '{"model": "00"}'), (PARENTS, "{"),
        (PARENTS, '{"../x": "' + 64 * "0" + '"}'), (REQUEST, "none"), (VERSION, HOSTILE),
        (PARENTS, " " * 5000 + "{}"),
    ],
)  # fmt: skip
def test_what_is_no_lineage_is_not_read(key: str, value: str, tmp_path: Path) -> None:
    model = frontends.load(saved(tmp_path, "mlp")[0])
    lineage = lineage_for("qat", {}, {}, {})
    mark(model, lineage)
    assert lineage_of(model) == lineage
    model.ir.metadata_props[key] = value
    assert lineage_of(model) is None


def test_folder_without_a_model_is_refused_and_the_help_works(tmp_path: Path) -> None:
    _, _, run = made(tmp_path)
    with pytest.raises(CompileError) as refused:
        chain(tmp_path)
    (finding,) = refused.value.diagnostics
    assert finding.code == "HW375"
    assert "model.onnx" in finding.help
    assert chain(run / "model.onnx")


def story(found: BeforeAfter, run: Path, name: str = "net.onnx") -> Story:
    curves = [
        Curve(title="Loss", lines={"loss": [2.0, 0.5, None, 0.01]}),
        Curve(title="Cost", lines={"EBOPs": [1e6, 3e5, 2e4, 9e3]}, goal=1e4),
        Curve(title="Bits", lines={"weights": [3.0, 2.0], "activations": [4.0, 4.0]}),
        Curve(title="Flat", lines={"one": [0.0]}),
    ]
    marks = [
        Mark(cost=10.0**n, value=90.0 + n, ends=(80.0, 99.0), chosen=n == 2, name=f"epoch {n}")
        for n in range(5)
    ]
    return Story(
        model=name, method="qat", reached=True, verdict=f"The goal of {name} is met.",
        facts={"Goal": "ebops=10"}, sides=found, links=chain(run), curves=curves,
        front=Front(marks=tuple(marks), cost="EBOPs", kind="accuracy", goal=100.0),
        tables=[Table(title="Log", lead="What was tried.", heads=("a", "b"), rows=((name, "x"),))],
    )  # fmt: skip


def test_page_needs_nothing_and_names_are_text(compared: tuple[Path, BeforeAfter]) -> None:
    folder, found = compared
    page = to_html(story(found, folder / "run", HOSTILE))
    assert "<img" not in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "\u202e" not in page
    assert page.count("<svg") == 5
    assert sha256(folder / "mlp.onnx") in page


def test_report_is_written_in_three_forms(
    compared: tuple[Path, BeforeAfter], tmp_path: Path
) -> None:
    folder, found = compared
    write_story(story(found, folder / "run"), tmp_path)
    content = json.loads((tmp_path / "report.json").read_text())
    assert [side["name"] for side in content["before_after"]["sides"]] == [
        side.name for side in found.sides
    ]
    text = (tmp_path / "report.md").read_text()
    assert all(f"| {row.name} | {' | '.join(row.cells)} |" in text for row in rows_of(found))
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
