"""The manifest in hls4ml's words: hls4ml's own reader takes them, and they are the hardware's."""

import json
from pathlib import Path
from types import SimpleNamespace as Thing
from typing import Any

import pytest
import yaml

import hwflow
from hwflow.codegen.hls.model import ap_type
from hwflow.report.manifest.comparison import compare_paths
from hwflow.report.manifest.schema import Manifest
from tests.package.builds import EXAMPLES

SETTINGS = {"layer": {"fc2": {"strategy": "resource", "reuse_factor": 4}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    design = hwflow.compile(EXAMPLES / "digits_mlp.onnx", config=SETTINGS, clock_period_ns=5.0)
    return design.write(tmp_path_factory.mktemp("words") / "net")


def said(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "manifest.json").read_text("utf-8"))["hls4ml"]
    return found


def test_the_words_of_the_target(folder: Path) -> None:
    words = said(folder)
    target = json.loads((folder / "manifest.json").read_text("utf-8"))["target"]
    names = {"Backend": "backend", "Part": "part", "IOType": "io_type"}
    assert {word: words[word] for word in names} == {w: target[n] for w, n in names.items()}
    assert (words["ClockPeriod"], words["ProjectName"]) == (5.0, "digits_mlp")


def test_hls4mls_own_reader_takes_them(folder: Path, tmp_path: Path) -> None:
    from hls4ml.converters import parse_yaml_config
    from hls4ml.model.graph import HLSConfig

    file = tmp_path / "hls4ml_config.yml"
    file.write_text(yaml.safe_dump(said(folder)), "utf-8")
    config = HLSConfig(parse_yaml_config(str(file)))
    assert config.get_config_value("IOType") == "io_parallel"
    design = hwflow.load_project(folder).design
    code = (folder / "hls/firmware/parameters.h").read_text("utf-8")
    seen = 0
    for node in design.graph.nodes:
        weight, bias = (getattr(node.op, n, None) for n in ("weight", "bias"))
        if weight is None or bias is None:
            continue
        seen += 1
        layer = Thing(name=node.name, class_name=node.op.kind)
        strategy, reuse = ("resource", 4) if node.name == "fc2" else ("latency", 1)
        assert config.get_strategy(layer) == strategy
        assert config.get_reuse_factor(layer) == reuse
        types = {"weight": weight.dtype, "bias": bias.dtype,
                 "result": design.graph.types[node.name].dtype}  # fmt: skip
        for name, dtype in types.items():
            precision, _ = config.get_precision(layer, name)
            assert (precision.width, precision.integer, precision.signed) == (
                dtype.width, dtype.integer, dtype.signed,
            )  # fmt: skip
            assert said(folder)["HLSConfig"]["LayerName"][node.name]["Precision"][name] == ap_type(
                dtype
            )
        _, accum = config.get_precision(layer, "accum")
        assert accum == f"{node.name}_accum_t"
        assert f"typedef {accum} accum_t;" in code
    assert seen == 3


def test_strategies_are_spelled_as_hls4ml_spells_them(folder: Path) -> None:
    layers = said(folder)["HLSConfig"]["LayerName"]
    assert {layers["fc1"]["Strategy"], layers["fc2"]["Strategy"]} == {"Latency", "Resource"}


def test_manifests_without_them_are_read_and_not_different(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text("utf-8"))
    old = {name: value for name, value in content.items() if name != "hls4ml"}
    assert Manifest.model_validate_json(json.dumps(old)).hls4ml is None
    (tmp_path / "old.json").write_text(json.dumps(old), "utf-8")
    assert compare_paths(tmp_path / "old.json", folder / "manifest.json").changes == ()
