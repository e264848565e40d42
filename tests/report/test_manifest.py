"""The manifest is right, whole, the same in every process, and keeps to its schema."""

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwflow
from hwflow.codegen.project import MARKER
from hwflow.core.data import Data
from hwflow.core.digests import digest
from hwflow.custom.plugins import load_plugins
from hwflow.fixed import FixedArray, FixedType
from hwflow.frontends import load
from hwflow.project.contents import MEASURED
from hwflow.report.manifest import schema
from hwflow.report.manifest.digests import data_digest, model_digest
from hwflow.report.manifest.fields import LONGEST_LINE, cut, distinct
from hwflow.report.manifest.provenance import provenance
from hwflow.report.manifest.schema import Manifest
from hwflow.report.manifest.writer import MANIFEST_FILE
from tests.cli.command import dense
from tests.codegen.test_project import MACHINE
from tests.manifests import sample

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = Path(schema.__file__).with_name("schema.json")
MLP = ROOT / "examples" / "digits_mlp.onnx"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def generated_schema() -> str:
    content = Manifest.model_json_schema(mode="serialization")
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", **content}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def test_the_schema_file_describes_the_manifest(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        SCHEMA_FILE.write_text(generated_schema(), "utf-8")
    assert SCHEMA_FILE.read_text("utf-8") == generated_schema()


@pytest.mark.parametrize("data", [True, False])
def test_a_manifest_keeps_to_the_schema_and_is_read_back(data: bool) -> None:
    made = sample(data=data)
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8")))
    content = json.loads(made.to_json())
    validator.validate(content)
    assert Manifest.model_validate_json(made.to_json()) == made
    assert not validator.is_valid({**content, "more": 1})
    assert not validator.is_valid({k: v for k, v in content.items() if k != "ports"})
    assert (made.data is None) == (made.results is None) == (not data)


def test_the_documentation_names_every_field() -> None:
    text = (ROOT / "docs" / "reproducible.md").read_text("utf-8")
    found = json.loads(SCHEMA_FILE.read_text("utf-8"))
    for part in (found, *found["$defs"].values()):
        for name in part["properties"]:
            assert f"`{name}`" in text, f"docs/reproducible.md does not describe {name!r}"


# A written build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    design = hwflow.compile(MLP, config={"layer": {"fc1": {"strategy": "resource"}}})
    with np.load(ROOT / "examples" / "digits.npz") as data:
        given = {"x": data["x"][:64], "y": data["y"][:64]}
    verification = design.verify(given, cpp=False)
    return design.write(tmp_path_factory.mktemp("build") / "net", verification)


def read(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())


def test_every_file_is_listed_with_its_digest(built: Path) -> None:
    found = {p.relative_to(built).as_posix(): p for p in built.rglob("*") if p.is_file()}
    listed = read(built).files
    assert set(listed) == set(found) - {MANIFEST_FILE, MARKER}
    for path, content in listed.items():
        wanted = None if path in MEASURED else sha256(found[path].read_bytes())
        assert content == wanted, path
    assert {path for path, content in listed.items() if content is None} == MEASURED


def test_inputs_are_identified(built: Path) -> None:
    made = read(built)
    assert (made.model.source, made.model.file_sha256) == (MLP.name, sha256(MLP.read_bytes()))
    assert made.target.board == "PYNQ-Z2"
    assert made.target.clock_period_ns == 10.0  # the board's, since nothing was set
    assert made.settings.layer == {"fc1": {"strategy": "resource"}}
    assert made.data is not None
    assert (made.data.samples, made.data.seed) == (64, None)
    assert made.versions["hls4ml"] == "1.3.0"
    assert made.versions["python"] == ".".join(map(str, sys.version_info[:3]))


def test_layers_are_those_of_the_report(built: Path) -> None:
    report = json.loads((built / "report.json").read_text("utf-8"))
    for layer, said in zip(read(built).layers, report["layers"], strict=True):
        assert (layer.name, layer.operator) == (said["name"], said["operator"])
        assert (layer.result_t, layer.accum_t) == (said["result_t"], said["accum_t"])
        assert list(layer.shape) == said["output_shape"]
        assert layer.cost.lut == said["cost"]["lut_csynth_equivalent"]["value"]
        assert layer.observed is not None
        assert layer.observed.elements == said["counters"]["elements"]
        assert layer.settings.get("strategy") == said["strategy"]


def test_bits_are_those_of_the_simulation(built: Path) -> None:
    with np.load(ROOT / "examples" / "digits.npz") as data:
        x = data["x"][:64]
    layers = hwflow.compile(MLP).simulate(x, keep_layers=True).layers
    for layer in read(built).layers:
        assert layer.observed is not None
        assert layer.observed.sha256 == digest(layers[layer.name].raw)
    other = hwflow.compile(MLP).simulate(x[:63], keep_layers=True).layers
    assert digest(other["fc1"].raw) != digest(layers["fc1"].raw)


def test_no_path_and_no_date_of_this_machine(built: Path) -> None:
    text = (built / MANIFEST_FILE).read_bytes()
    assert MACHINE.search(text) is None
    assert str(built).encode() not in text


def test_random_data_has_its_seed(tmp_path: Path) -> None:
    design = hwflow.compile(dense())
    folder = design.write(tmp_path / "out", design.verify(cpp=False))
    made = read(folder)
    assert made.data is not None
    assert made.data.seed == 0
    assert made.model.file_sha256 is None  # a model in memory


def test_templates_of_kernels_are_listed(tmp_path: Path) -> None:
    model = ROOT / "examples" / "digits_residual.onnx"
    made = read(hwflow.compile(model).write(tmp_path / "out"))
    assert made.templates
    for name, content in made.templates.items():
        assert content == sha256((ROOT / "templates" / "ops" / name).read_bytes())
    assert made.data is None


# Two processes


def build_elsewhere(folder: Path, seed: str, model: str) -> Path:
    """Build from the command line in a process with another hash seed, folder and time zone."""
    folder.mkdir()
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": str(ROOT),
        "TZ": f"UTC-{seed}",
    }
    arguments = [
        "build",
        model,
        "--data",
        str(ROOT / "examples" / "digits.npz"),
        "-o",
        f"out{seed}",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "hwflow", *arguments],
        capture_output=True, text=True, env=environment, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / f"out{seed}"


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return content and mode of all files below a folder."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mode) for p in files}


@pytest.mark.cpp
def test_two_processes_build_the_same_but_for_times(tmp_path: Path) -> None:
    (tmp_path / "digits_mlp.onnx").write_bytes(MLP.read_bytes())
    one = tree(build_elsewhere(tmp_path / "a", "1", str(MLP)))
    two = tree(build_elsewhere(tmp_path / "b", "4242", "../digits_mlp.onnx"))
    assert set(one) == set(two)
    assert {path for path in one if one[path] != two[path]} <= MEASURED
    without_times = []
    for files in (one, two):
        report = json.loads(files["report.json"][0])
        assert {stage["seconds"] >= 0 for stage in report.pop("stages")} == {True}
        page = re.sub(r"\d[\d.,]* (ms|s)\b", "T", files["report.html"][0].decode())
        without_times.append((report, page))
    assert without_times[0] == without_times[1]


# Digests


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Record:
    x: Any
    y: Any = None


SIX = np.arange(6).reshape(2, 3)
VALUES: list[Any] = [
    None, True, 1, 1.0, -1, "1", b"1", "", b"", (), ("1",), ("1", "1"), ("11",), [("1",), "1"],
    [["1"], ["1"]], {}, {"1": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}, {1, 2}, Fraction(1, 3),
    Fraction(3), Colour.RED, "RED", Record(1), Record(None, 1), Record(1, 1), np.zeros(3),
    np.zeros(3, np.float32), np.zeros((3, 1)), np.zeros((1, 3)), np.zeros(3, np.int64),
    -np.zeros(3), np.array([Fraction(1, 3)] * 3, object), SIX, SIX.T, FixedType(8, 3),
    FixedType(8, 4), FixedArray(np.arange(3), FixedType(8, 3)), float("inf"), "\ud800",
    FixedArray(np.arange(3), FixedType(8, 4)), np.int64(7), np.float64(0.5),
]  # fmt: skip


def test_different_values_have_different_digests() -> None:
    assert len({digest(value) for value in VALUES}) == len(VALUES)


def test_equal_values_have_equal_digests() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"x", "y", "z"}) == digest({"z", "y", "x"})
    assert digest(np.asfortranarray(np.eye(3))) == digest(np.eye(3))
    assert digest(np.arange(3, dtype=">i8")) == digest(np.arange(3, dtype="<i8"))
    assert digest([1, (2, 3)]) == digest((1, [2, 3]))


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(nested, nested)
def test_digests_are_equal_where_values_are(one: Any, two: Any) -> None:
    def exact(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: exact(v) for k, v in value.items()}
        return [exact(v) for v in value] if isinstance(value, list) else (type(value), value)

    assert (digest(one) == digest(two)) == (exact(one) == exact(two))


def test_the_digest_of_data_is_that_of_its_values() -> None:
    x, y = np.arange(12.0).reshape(3, 4), np.arange(3)
    one = data_digest(Data({"x": x}, y, "a.npz"))
    assert one == data_digest(Data({"x": x.copy()}, y, "the arrays"))
    for other in (Data({"x": x + 1}, y, ""), Data({"z": x}, y, ""), Data({"x": x}, None, ""),
                  Data({"x": x}, y[::-1].copy(), "")):  # fmt: skip
        assert data_digest(other) != one


def test_the_digest_of_a_model_is_that_of_its_computation(tmp_path: Path) -> None:
    proto = dense()
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    here = model_digest(load(proto))
    assert model_digest(load(path)) == here
    said = onnx.ModelProto.FromString(proto.SerializeToString())
    said.doc_string, said.producer_name = "a note", "someone else"
    assert model_digest(load(said)) == here


def changed(change: str) -> onnx.ModelProto:
    proto = onnx.ModelProto.FromString(dense().SerializeToString())
    graph = proto.graph
    if change == "constant":
        tensor = max(graph.initializer, key=lambda t: int(np.prod(t.dims)))
        values = onnx.numpy_helper.to_array(tensor).copy()
        values.flat[0] += 1
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    elif change == "attribute":
        quant = next(n for n in graph.node if n.op_type == "Quant")
        attribute = next(a for a in quant.attribute if a.name == "rounding_mode")
        attribute.s = b"FLOOR"
    elif change == "output name":
        last = graph.node[-1]
        last.output[0] = graph.output[0].name = "renamed"
    return proto


@pytest.mark.parametrize("change", ["constant", "attribute", "output name"])
def test_the_digest_of_a_model_sees_changes(change: str) -> None:
    assert model_digest(load(changed(""))) == model_digest(load(dense()))
    assert model_digest(load(changed(change))) != model_digest(load(dense()))


# Where it comes from

OPERATOR = """
from hwflow.ops.relu import Relu

class Mine(Relu):
    onnx = ("mine::Mine",)
"""


def test_operators_of_plugins_are_identified(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OPERATOR)
    found = provenance(None, None, load_plugins([file], installed=False).operators)
    (operator,) = found.operators
    assert (operator.operator, operator.file) == ("Mine", "mine.py")
    assert operator.sha256 == sha256(file.read_bytes())
    assert found.model == ""


def test_all_modules_of_a_plugin_count(tmp_path: Path) -> None:
    def at(folder: str, helper: str) -> str:
        package = tmp_path / folder / "mine"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(OPERATOR)
        (package / "helper.py").write_text(helper)
        found = provenance(None, None, load_plugins([package], installed=False).operators)
        return found.operators[0].sha256

    assert at("a", "x = 1\n") == at("b", "x = 1\n") != at("c", "x = 2\n")


def test_models_of_several_files_have_one_digest(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "variables").mkdir(parents=True)
        (tmp_path / name / "saved_model.pb").write_bytes(b"model")
        (tmp_path / name / "variables" / "data").write_bytes(b"weights")
    one, two = (provenance(tmp_path / name, None, ()).model for name in ("a", "b"))
    assert one == two
    (tmp_path / "b" / "variables" / "data").write_bytes(b"others")
    assert provenance(tmp_path / "b", None, ()).model != one
    json_file, h5 = tmp_path / "m.json", tmp_path / "m.h5"
    json_file.write_bytes(b"{}")
    h5.write_bytes(b"1")
    with_weights = provenance(json_file, h5, ()).model
    assert with_weights != provenance(json_file, None, ()).model == sha256(b"{}")


def test_texts_of_strangers_become_lines() -> None:
    assert cut("a\n\tb\u202e") == "a b?"
    assert len(cut("x" * 10_000)) == LONGEST_LINE
    assert distinct(["a", "a\u202e", "a?", "a", "a"]) == ["a", "a?", "a? #2", "a #2", "a #3"]
