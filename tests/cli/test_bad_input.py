"""Whatever is wrong with what a user gives: status 2, the right words, and nothing written."""

import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwflow.codegen import project
from tests.cli.command import Ran, dense, hwflow, save
from tests.e2e.tables.products import float_weights
from tests.fixtures import model
from tests.networks import Builder

Golden = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(ran: Ran, golden: Golden, name: str, *codes: str) -> None:
    """Check what every refusal has in common, and its text."""
    assert ran.status == 2
    assert "Traceback" not in ran.err + ran.out
    assert ran.new == ()
    assert tuple(dict.fromkeys(re.findall(r"error\[(HW\d{3})\]", ran.err))) == codes
    golden(f"errors/{name}.txt", re.sub(r"\d+ operators", "N operators", ran.said))


def changed(change: Callable[[onnx.GraphProto], object]) -> onnx.ModelProto:
    proto = dense()
    change(proto.graph)
    return proto


def initializer(graph: onnx.GraphProto, size: int) -> TensorProto:
    return next(t for t in graph.initializer if np.prod(t.dims, dtype=int) == size)


def with_nan(graph: onnx.GraphProto) -> None:
    weights = initializer(graph, 12)
    values = np.full((4, 3), np.nan, np.float32)
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))


def as_external(graph: onnx.GraphProto) -> None:
    weights = initializer(graph, 12)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../etc/passwd")


def cyclic(graph: onnx.GraphProto) -> None:
    graph.node[1].input[0] = graph.output[0].name


def dim(graph: onnx.GraphProto, axis: int, size: int | str) -> None:
    target = graph.input[0].type.tensor_type.shape.dim[axis]
    if isinstance(size, str):
        target.dim_param = size
    else:
        target.dim_value = size


def unquantised() -> onnx.ModelProto:
    b = Builder(np.random.default_rng(1))
    return model(b, float_weights(b, b.quant("x", 5, 1 / 4, signed=True)), (1, 4), (1, 6))


def several() -> onnx.ModelProto:
    b = Builder(np.random.default_rng(1))
    x = float_weights(b, b.quant("x", 5, 0.3, signed=True))
    x = b.node("LpNormalization", [x])
    return model(b, b.node("Hardmax", [x]), (1, 4), (1, 6))


MODELS: dict[str, tuple[str, Callable[[], onnx.ModelProto | bytes]]] = {
    "truncated": ("HW002", lambda: dense().SerializeToString()[:300]),
    "not_onnx": ("HW002", lambda: b"%PDF-1.4 hello"),
    "empty_file": ("HW002", lambda: b""),
    "nan_weights": ("HW011", lambda: changed(with_nan)),
    "empty_graph": ("HW007", lambda: changed(lambda g: g.ClearField("node"))),
    "cyclic": ("HW008", lambda: changed(cyclic)),
    "open_axis": ("HW014", lambda: changed(lambda g: dim(g, 1, "features"))),
    "huge_shape": ("HW004", lambda: changed(lambda g: dim(g, 1, 2**40))),
    "external_outside": ("HW005", lambda: changed(as_external)),
    "unquantised": ("HW211", unquantised),
}


@pytest.mark.parametrize("name", MODELS)
def test_bad_models(name: str, capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    code, make = MODELS[name]
    made = make()
    Path("model.onnx").write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    check(hwflow(capsys, "build", "model.onnx", "-o", "out"), golden, name, code)


def test_all_findings_come_at_once(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    ran = hwflow(capsys, "inspect", save(several()))
    check(ran, golden, "several", "HW211", "HW201")


@pytest.mark.parametrize("verb", ["build", "inspect", "simulate", "verify", "estimate"])
def test_missing_file(verb: str, capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    check(hwflow(capsys, verb, "nothing.onnx"), golden, "missing_file", "HW001")


def test_a_folder_is_no_model(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    Path("model.onnx").mkdir()
    check(hwflow(capsys, "build", "model.onnx"), golden, "folder", "HW001")


def test_an_open_batch_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    save(changed(lambda g: dim(g, 0, "N")))
    assert hwflow(capsys, "inspect", "model.onnx").status == 0


GOOD = np.zeros((5, 4), np.float32)
DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "data_shape": ("HW403", {"x": np.zeros((5, 3), np.float32)}),
    "data_dtype": ("HW402", {"x": np.full((5, 4), "a")}),
    "data_objects": ("HW400", {"x": np.array([{}] * 5, object)}),
    "data_missing": ("HW401", {"first": GOOD, "second": GOOD}),
    "data_nan": ("HW405", {"x": np.full((5, 4), np.nan)}),
    "data_empty": ("HW403", {"x": GOOD[:0]}),
    "labels_length": ("HW406", {"x": GOOD, "y": np.zeros(4, int)}),
    "labels_shape": ("HW406", {"x": GOOD, "y": np.zeros((5, 2, 2))}),
    "labels_text": ("HW406", {"x": GOOD, "y": np.full(5, "cat")}),
}


@pytest.mark.parametrize("name", DATA)
def test_bad_data(name: str, capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    code, arrays = DATA[name]
    np.savez("data.npz", **arrays)
    ran = hwflow(capsys, "build", save(dense()), "--data", "data.npz", "-o", "out")
    check(_without_model(ran), golden, name, code)


def _without_model(ran: Ran) -> Ran:
    return Ran(ran.status, ran.out, ran.err, tuple(n for n in ran.new if n != "model.onnx"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"\x93NUMPY"])
def test_damaged_data(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data.npz").write_bytes(content)
    save(dense())
    ran = hwflow(capsys, "verify", "model.onnx", "-d", "data.npz")
    assert (ran.status, ran.new) == (2, ())
    assert "error[HW400]" in ran.err


def test_one_column_per_class_is_taken_for_labels(capsys: pytest.CaptureFixture[str]) -> None:
    from hwflow.project.compiler import compile as compile_model
    from hwflow.simulate.samples import as_data

    graph = compile_model(dense()).graph
    found = as_data({"x": GOOD, "y": np.eye(3)[[2, 0, 1, 1, 0]]}, graph)
    assert found.labels is not None
    assert found.labels.tolist() == [2, 0, 1, 1, 0]


SETTINGS: dict[str, tuple[str, str]] = {
    "toml_syntax": ("HW100", "[target\nboard = 3"),
    "toml_unknown": ("HW101", '[target]\nbord = "pynq-z2"\n[spice]\nx = 1'),
    "toml_types": ("HW102", '[target]\nreuse_factor = "4"\nclock_period_ns = -1'),
    "toml_io_type": ("HW102", '[target]\nio_type = "io_serial"'),
    "toml_layer": ("HW101", "[layer.gem19]\nreuse_factor = 2"),
    "toml_layer_setting": ("HW101", '[layer.gemm19]\nreuse = 2\nresult_t = "fixed<8,4>"'),
    "toml_layer_value": ("HW102", "[layer.gemm19]\nreuse_factor = 0"),
    "toml_reuse": ("HW104", '[layer.gemm19]\nstrategy = "resource"\nreuse_factor = 5'),
    "toml_strategy": ("HW103", '[layer.gemm19]\nstrategy = "fast"'),
    "toml_saturating": ("HW105", '[layer.gemm19]\naccum_t = "fixed<16,8,TRN,SAT>"'),
    "toml_type_text": ("HW102", '[layer.gemm19]\naccum_t = "float32"\n'),
    "toml_input": ("HW101", '[input.y]\ntype = "fixed<8,4>"'),
    "toml_board": ("HW501", '[target]\nboard = "pynq-z3"'),
}


MISTAKES = """
[target]
board = "pynq-z3"
io_type = "io_streem"
strategy = "resource"
reuse_factor = 7
colour = "red"
[input.y]
type = "fixed<8,4>"
[input.x]
type = "int8"
[layer.gem19]
reuse_factor = 2
[layer.gemm19]
result_t = "fixed<x>"
accum_t = "fixed<16,8,TRN,SAT>"
reuse = 2
[verify]
max_lut = "few"
"""


def test_all_mistakes_in_one_file_come_at_once(
    capsys: pytest.CaptureFixture[str], golden: Golden
) -> None:
    Path("hwflow.toml").write_text(MISTAKES)
    ran = hwflow(capsys, "inspect", save(dense()), "--config", "hwflow.toml")
    check(ran, golden, "toml_many", "HW102", "HW101", "HW501", "HW105", "HW104")
    assert ran.err.count("error[") == 11


def test_arguments_are_settings(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    model = save(dense())
    shared = ("--strategy", "resource")
    ran = hwflow(capsys, "inspect", model, *shared, "--reuse-factor", "5", "--clock", "0")
    check(ran, golden, "argument_reuse", "HW102", "HW104")
    for taken in ("4", "<=5"):
        ran = hwflow(capsys, "inspect", model, *shared, "--reuse-factor", taken, "--clock", "2.5")
        assert (ran.status, ran.err) == (0, "")
        assert "strategy=resource, reuse_factor=4" in ran.out


@pytest.mark.parametrize("name", SETTINGS)
def test_bad_settings(name: str, capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    code, text = SETTINGS[name]
    Path("hwflow.toml").write_text(text)
    save(dense())
    ran = hwflow(capsys, "build", "model.onnx", "--config", "hwflow.toml", "-o", "out")
    check(ran, golden, name, code)


def test_missing_settings(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    ran = hwflow(capsys, "inspect", save(dense()), "--config", "hwflow.toml")
    check(_without_model(ran), golden, "toml_missing", "HW100")


def test_a_file_in_the_way_of_the_output(
    capsys: pytest.CaptureFixture[str], golden: Golden
) -> None:
    save(dense())
    Path("out").write_text("mine")
    check(hwflow(capsys, "build", "model.onnx", "-o", "out"), golden, "out_file", "HW551")
    assert Path("out").read_text() == "mine"


def test_foreign_files_in_the_output(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    save(dense())
    Path("out").mkdir()
    Path("out/thesis.tex").write_text("mine")
    check(hwflow(capsys, "build", "model.onnx", "-o", "out"), golden, "out_foreign", "HW551")


def test_an_output_below_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    save(dense())
    Path("file").write_text("mine")
    ran = hwflow(capsys, "build", "model.onnx", "-o", "file/out")
    assert (ran.status, ran.new) == (2, ())
    assert "error[HW55" in ran.err


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("before", [False, True])
def test_full_or_read_only_disk(
    before: bool, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(dense())
    monkeypatch.setattr("hwflow.simulate.cpp.build", lambda *a: None)
    monkeypatch.setattr("hwflow.project.verifier.check_faithful", lambda *a: None)
    if before:
        assert hwflow(capsys, "build", "model.onnx", "-o", "out").status == 1
        assert Path("out/report.json").exists()
    written = {p: p.read_bytes() for p in Path("out").rglob("*") if p.is_file()}
    calls = 0

    def refuse(self: Path, content: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise OSError(code, errno.errorcode[code])
        with self.open("wb") as file:
            return file.write(content)

    monkeypatch.setattr(project.Path, "write_bytes", refuse)
    ran = hwflow(capsys, "build", "model.onnx", "-o", "out")
    assert (ran.status, ran.new) == (2, ())
    assert "error[HW552]" in ran.err
    assert written == {p: p.read_bytes() for p in Path("out").rglob("*") if p.is_file()}


def test_unwritable_simulation_output(capsys: pytest.CaptureFixture[str]) -> None:
    save(dense())
    ran = hwflow(capsys, "simulate", "model.onnx", "-o", "nowhere/out.npz")
    assert (ran.status, ran.new) == (2, ())
    assert "error[HW552]" in ran.err


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["build"], ["bild", "x"], ["build", "x", "--bord", "y"]):
        ran = hwflow(capsys, *arguments)
        assert ran.status == 2
        assert "Traceback" not in ran.err


def test_opset_of_a_name_that_onnx_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    proto = dense()
    proto.graph.node.append(helper.make_node("Magic", [proto.graph.output[0].name], ["m"]))
    proto.graph.output[0].name = "m"
    ran = hwflow(capsys, "inspect", save(proto))
    assert ran.status == 2
    assert "Magic" in ran.err
