"""``hwflow diff`` names what differs, all of it, and refuses what is no manifest."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwflow.cli import main
from hwflow.codegen.project import Project
from hwflow.core.config import make_config
from hwflow.core.errors import CompileError
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ops.relu import Relu
from hwflow.report.manifest import reader
from hwflow.report.manifest.comparison import ABSENT, Change, Comparison, compare
from hwflow.report.manifest.reader import StoredBuild, read_build
from hwflow.report.manifest.schema import Manifest
from tests.manifests import board, sample
from tests.report.samples import HOSTILE, graph, simulation_input


def weight_changed(net: Graph, layer: str = "fc2") -> Graph:
    op: Any = net.by_name[layer].op
    raw = op.weight.raw.copy()
    raw[0, 0] += 3 if raw[0, 0] < 4 else -3
    return net.replace_ops({layer: replace(op, weight=FixedArray(raw, op.weight.dtype))})


def precision_changed(net: Graph) -> Graph:
    op: Any = net.by_name["fc1"].op
    wider = FixedType(6, 2, True, op.result_t.rounding, op.result_t.overflow)
    return net.replace_ops({"fc1": replace(op, result_t=wider)})


def renamed(net: Graph) -> Graph:
    """Return the graph with ``fc2`` under another name, by which ``add`` takes it."""
    names = {"fc2": "dense_2"}
    nodes = [
        replace(n, name=names.get(n.name, n.name), inputs=tuple(names.get(i, i) for i in n.inputs))
        for n in net.nodes
    ]
    return net.rebuild(nodes)


def with_relu(net: Graph) -> Graph:
    nodes = [replace(n, inputs=("relu",)) if n.name == "head" else n for n in net.nodes]
    nodes.insert(4, Node("relu", Relu(), ("add",), "block.relu"))
    return net.rebuild(nodes)


def between(before: Manifest, after: Manifest) -> Comparison:
    return compare(StoredBuild("before", before, {}), StoredBuild("after", after, {}))


def of_layers(found: Comparison) -> dict[tuple[str, str], tuple[Any, Any]]:
    changes = (c for c in found.changes if c.section == "layers")
    return {(c.name, c.what): (c.before, c.after) for c in changes}


def test_the_same_is_identical() -> None:
    found = between(sample(), sample())
    assert found.identical
    assert found.changes == found.other_bits == ()


def test_a_changed_weight_is_found_with_the_first_layer_whose_bits_differ() -> None:
    found = between(sample(), sample(weight_changed(graph())))
    layers = of_layers(found)
    assert {what for name, what in layers if name == "fc2"} >= {"parameters.weight", "sha256"}
    assert ("fc2", "parameters.bias") not in layers
    assert found.other_bits == ("fc2", "add", "head")
    assert found.same_data
    assert not any(name in ("x", "fc1") for name, _ in layers)
    assert {c.section for c in found.changes} == {"graph_sha256", "layers"}


def test_a_changed_precision_is_found() -> None:
    found = between(sample(), sample(precision_changed(graph())))
    layers = of_layers(found)
    assert layers["fc1", "result_t"] == ("fixed<5,2,RND,SAT>", "fixed<6,2,RND,SAT>")
    assert found.other_bits[0] == "fc1"


def test_other_data_is_not_compared_bit_by_bit() -> None:
    inputs = {"image": simulation_input()["image"] + 1}
    found = between(sample(), sample(inputs=inputs))
    assert not found.same_data
    assert found.other_bits == ()
    assert [(c.section, c.what) for c in found.changes] == [("data", "sha256")]
    without = between(sample(data=False), sample())
    assert not without.same_data
    assert of_layers(without)["fc1", "lossless_mismatches"] == (None, 0)


def test_another_board_is_found_with_what_follows() -> None:
    found = between(sample(), sample(on=board(name="other", clock_period_ns=2.5)))
    by_what = {c.what: c for c in found.changes if c.section == "target"}
    assert set(by_what) == {"board", "board_sha256", "clock_period_ns"}
    assert by_what["clock_period_ns"].percent == -50.0
    assert {c.section for c in found.changes} == {"target"}


def test_settings_versions_results_and_files_are_compared() -> None:
    config = make_config({"layer": {"fc1": {"reuse_factor": 2}}, "verify": {"max_lut": "70%"}})
    other = sample(
        config=config, versions={"numpy": "2.1", "extra": "1"}, lossless={"add": 3},
        files={"graph.txt": b"graph", "more.txt": b"", "report.json": b"0.5 s"},
    )  # fmt: skip
    found = between(sample(), other)
    changes = [(c.section, c.name, c.what, c.before, c.after) for c in found.changes]
    assert changes[:4] == [
        ("settings", "", "verify.max_lut", None, "70%"),
        ("settings", "", "layer.fc1.reuse_factor", ABSENT, 2),
        ("versions", "", "numpy", "2.0", "2.1"),
        ("versions", "", "extra", ABSENT, "1"),
    ]
    assert changes[4] == ("layers", "add", "lossless_mismatches", 0, 3)
    assert ("results", "", "lossless.holds", True, False) in changes
    assert [c[1] for c in changes if c[0] == "files"] == ["more.txt"]


def test_a_renamed_layer_is_the_same_layer() -> None:
    found = between(sample(), sample(renamed(graph())))
    assert of_layers(found) == {("dense_2", "name"): ("fc2", "dense_2")}
    assert found.other_bits == ()


def test_a_layer_without_origin_is_known_by_its_tensor() -> None:
    net = renamed(graph())
    nodes = [
        replace(n, origin="", source=Port(n.name, "q2", (1,))) if n.name == "dense_2" else n
        for n in net.nodes
    ]
    old = [
        replace(n, source=Port(n.name, "q2", (1,))) if n.name == "fc2" else n for n in graph().nodes
    ]
    found = between(sample(graph().rebuild(old)), sample(net.rebuild(nodes)))
    assert of_layers(found)["dense_2", "name"] == ("fc2", "dense_2")


def test_added_and_removed_layers_are_named() -> None:
    found = between(sample(), sample(with_relu(graph())))
    layers = of_layers(found)
    before, after = layers["relu", "layer"]
    assert (before, after.split()[0]) == (ABSENT, "Relu")
    assert layers["head", "inputs"] == ("add", "relu")
    assert found.other_bits == ("head",)
    back = of_layers(between(sample(with_relu(graph())), sample()))
    assert back["relu", "layer"] == (after, ABSENT)


def leaves(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the place and value of everything in a JSON document that is not a collection."""
    if isinstance(content, (dict, list)):
        for key in content if isinstance(content, dict) else range(len(content)):
            yield from leaves(content[key], (*at, key))
    else:
        yield at, content


def other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        return value[::-1]
    return f"{value}!"


def test_every_field_is_compared() -> None:
    config = make_config({"layer": {"fc1": {"reuse_factor": 2}}})
    made = sample(config=config)
    content = json.loads(made.to_json())
    places = list(leaves(content))
    assert len(places) > 200
    for place, value in places:
        if place[0] in ("schema", "hls4ml") or value is None:  # the latter says others again
            continue
        mutant = copy.deepcopy(content)
        inner = mutant
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = other(value)
        changed = Manifest.model_validate_json(json.dumps(mutant))
        assert not between(made, changed).identical, place
        assert not between(changed, made).identical, place


def test_the_order_of_layers_counts() -> None:
    made = sample()
    layers = (made.layers[0], made.layers[2], made.layers[1], *made.layers[3:])
    (change,) = between(made, made.model_copy(update={"layers": layers})).changes
    assert (change.section, change.what) == ("manifest", "order")


def test_growth_is_given_for_figures_only() -> None:
    def percent(before: Any, after: Any) -> float | None:
        return Change("layers", "fc1", "cost.lut", before, after).percent

    assert percent(200, 150.0) == -25.0
    assert percent(-2.0, -1.0) == 50.0
    assert percent(0, 3) is None
    assert percent(True, False) is None
    assert percent("2", "3") is None
    assert percent(None, 3) is None
    assert percent(ABSENT, 3) is None


# Files and the command line


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return two folders with builds that differ in a weight, below the current folder."""
    monkeypatch.chdir(tmp_path)
    files = {"graph.txt": b"graph", "report.json": b"0.25 s"}
    for name, made in (("before", sample()), ("after", sample(weight_changed(graph())))):
        content = {**files, "manifest.json": made.to_json().encode()}
        Project("net", content, frozenset({"report.json"})).write(Path(name))
    return Path("before"), Path("after")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["diff", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_exit_status_and_words(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, folders[0], folders[0])
    assert status == 0
    assert "identical" in out
    status, out, _ = run(capsys, *folders)
    assert status == 1
    assert "identical" not in out
    assert (
        "bits      differ in 3 layers on the same data (images.npz, 20 samples), first in fc2"
        in out
    )


def test_json_holds_every_difference(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, *folders, "--json")
    assert (status, err) == (1, "")
    content = json.loads(out)
    assert content["identical"] is False
    assert content["layers_with_other_bits"] == ["fc2", "add", "head"]
    found = between(sample(), sample(weight_changed(graph())))
    assert content["changes"] == [change.to_dict() for change in found.changes]
    status, out, _ = run(capsys, folders[1], folders[1] / "manifest.json", "--json")
    assert (status, json.loads(out)["changes"]) == (0, [])


def test_the_text(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    golden: Callable[[str, str], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    net = with_relu(precision_changed(weight_changed(graph())))
    config = make_config({"layer": {"fc2": {"reuse_factor": 4}}})
    files = {f"hls/{i}.h": b"" for i in range(10)}
    after = sample(
        net, on=board(name="other", clock_period_ns=2.5), config=config, lossless={"add": 1200},
        versions={"[red]hls4ml": "1.4.0"}, files=files,
    )  # fmt: skip
    Path("before.json").write_text(sample().to_json(), "utf-8")
    Path("after.json").write_text(after.to_json(), "utf-8")
    status, out, _ = run(capsys, "before.json", "after.json")
    assert status == 1
    masked = re.sub(r"\b[0-9a-f]{12}\b", "#" * 12, out)
    golden("diff.txt", "\n".join(line.rstrip() for line in masked.splitlines()) + "\n")


def test_files_that_changed_after_the_build_are_a_difference(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (folders[0] / "graph.txt").write_text("edited")
    (folders[0] / "report.json").unlink()
    (folders[0] / "notes.txt").write_text("not of the build")
    assert read_build(folders[0]).edited == {"graph.txt": "edited", "report.json": "gone"}
    status, out, _ = run(capsys, folders[0], folders[0])  # nobody knows how
    assert status == 1
    assert re.search(r"edited +│ graph.txt +│ edited +│ edited", out)
    (folders[0] / "graph.txt").unlink()
    (tmp_path / "graph.txt").write_bytes(b"graph")
    (folders[0] / "graph.txt").symlink_to(tmp_path / "graph.txt")
    assert read_build(folders[0]).edited["graph.txt"] == "gone"  # links do not leave the folder


# Manifests of strangers


def codes(path: Path) -> list[str]:
    with pytest.raises(CompileError) as caught:
        read_build(path)
    assert all(d.where and d.found for d in caught.value.diagnostics)
    return [d.code for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", "HW561"),
        (b"not JSON", "HW561"),
        (b"\xff\xfe\x00", "HW561"),
        (b'{"schema": "hwflow-manifest/1", "name": "\\ud800"}', "HW561"),
        (b"[" * 100_000, "HW561"),
        (b"[]", "HW563"),
        (b"null", "HW563"),
        (b"{}", "HW562"),
        (b'{"schema": "hwflow-manifest/2", "new": 1}', "HW562"),
        (b'{"schema": "' + b"x" * 10_000 + b'"}', "HW562"),
        (b'{"schema": "hwflow-manifest/1"}', "HW563"),
    ],
    ids=lambda v: v if isinstance(v, str) else v[:12].decode("ascii", "replace"),
)
def test_what_is_no_manifest_is_refused(content: bytes, wanted: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    found = codes(path)
    assert set(found) == {wanted}
    assert len(found) <= reader.MOST


BREAKS: dict[str, tuple[tuple[Any, ...], Any]] = {
    "control characters": (("name",), "a\nb"),
    "direction marks": (("model", "source"), "\u202egpj.exe"),
    "long": (("name",), "x" * 401),
    "number for text": (("name",), 3),
    "text for number": (("layers", 1, "cost", "lut"), "12"),
    "negative count": (("layers", 1, "faithful_mismatches"), -1),
    "not a digest": (("graph_sha256",), "ab"),
    "upper case digest": (("graph_sha256",), "AB" * 32),
    "path up": (("files",), {"../../etc/passwd": None}),
    "absolute path": (("files",), {"/etc/passwd": None}),
    "path with a line break": (("files",), {"a\nb": None}),
    "Windows path": (("files",), {"..\\x": None}),
    "no path": (("files",), {".": None}),
    "field too many": (("more",), 1),
    "nested field too many": (("layers", 0, "more"), 1),
    "NaN": (("layers", 1, "cost", "ff"), float("nan")),
    "infinity": (("total", "ff"), float("inf")),
    "null": (("layers",), None),
    "two layers of one name": (("layers", 1, "name"), "x"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_what_breaks_the_form_is_located(case: str, tmp_path: Path) -> None:
    place, value = BREAKS[case]
    content = json.loads(sample().to_json())
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(CompileError) as caught:
        read_build(path)
    (finding,) = caught.value.diagnostics[:1]
    assert finding.code == "HW563"
    assert str(place[0]) in finding.where
    assert str(finding).isprintable() or "\n" in str(finding)
    assert all(line.isprintable() for line in str(finding).splitlines())


def test_both_manifests_findings_are_reported(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[0] / "manifest.json").write_text("{}")
    status, _, err = run(capsys, folders[0], "nowhere")
    assert status == 2
    assert "error[HW562]" in err
    assert "error[HW560]" in err
    status, out, err = run(capsys, "nowhere", folders[1], "--json")
    assert (status, err) == (2, "")
    assert [e["code"] for e in json.loads(out)["errors"]] == ["HW560"]


def test_a_manifest_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(sample().to_json(), "utf-8")
    monkeypatch.setattr(reader, "MAX_BYTES", 1000)
    assert codes(path) == ["HW561"]


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    assert codes(tmp_path) == ["HW560"]
    (tmp_path / "manifest.json").mkdir()
    assert codes(tmp_path) == ["HW560"]


def test_hostile_names_are_printed_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = graph(HOSTILE)
    (tmp_path / "a.json").write_text(sample(net).to_json(), "utf-8")
    content = json.loads(sample(weight_changed(net)).to_json())
    content["layers"][2]["name"] = "[bold]" + "x" * 394
    content["files"] = {"x/" * 199 + "y": "ab" * 32, "y" * 400: None}
    (tmp_path / "manifest.json").write_text(json.dumps(content), "utf-8")
    status, out, _ = run(capsys, tmp_path / "a.json", tmp_path)
    assert status == 1
    assert "[bold]" in out
    assert all(line.isprintable() for line in out.splitlines())
