"""Settings: what is taken, and every finding about what is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwflow
import hwflow.ops
from hwflow.core.config import (
    TYPE_SETTINGS,
    TargetSettings,
    load_config,
    make_config,
    read_settings,
    settings_of,
)
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.limits import Bound
from hwflow.fixed import FixedType
from hwflow.ir.op import Op
from tests.cli.command import dense


def findings(settings: dict[str, Any]) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        make_config(settings)
    return caught.value.diagnostics


def test_nothing_set_is_the_defaults() -> None:
    config = make_config({})
    assert config.target == TargetSettings()
    assert (dict(config.inputs), dict(config.layers)) == ({}, {})


def test_types_are_parsed() -> None:
    config = make_config(
        {
            "input": {"x": {"type": "ufixed<8,0,RND_CONV,SAT>"}},
            "layer": {"fc": {"accum_t": "fixed<20,8>", "reuse_factor": 4}},
        }
    )
    assert config.inputs["x"] == FixedType.parse("ufixed<8,0,RND_CONV,SAT>")
    assert config.layers["fc"] == {"accum_t": FixedType(20, 8), "reuse_factor": 4}


def test_every_setting_that_holds_a_type_is_parsed() -> None:
    held = {
        name
        for op in Op.registry.values()
        for name, f in op.__dataclass_fields__.items()
        if name in op.settings and "FixedType" in str(f.type)
    }
    assert held == set(TYPE_SETTINGS)


def test_every_finding_at_once() -> None:
    found = findings(
        {
            "target": {"io_type": "io_streem", "reuse_factor": 0, "colour": "red"},
            "input": {"x": {"type": "int8", "scale": 2}},
            "extra": {},
        }
    )
    assert [d.code for d in found] == ["HW102", "HW102", "HW101", "HW102", "HW101", "HW101"]
    assert found[0].help == "did you mean 'io_stream'?"
    assert found[0].supported == "io_parallel, io_stream"


def test_what_is_legal_is_read_beside_findings() -> None:
    target = {"strategy": "resource", "reuse_factor": -1, "colour": "red", "backend": 3}
    verify = {"max_lut": "few", "max_dsp": 4}
    config = read_settings({"target": target, "layer": {"fc": 3}, "verify": verify, "extra": 1})
    assert (config.target.strategy, config.target.reuse_factor) == ("resource", 1)
    assert (config.target.backend, config.verify.max_dsp) == ("Vitis", 4)
    assert config.layers == {}
    assert len(config.findings) >= 6
    assert read_settings({"target": 3}).target == TargetSettings()


def test_a_tool_is_a_version_of_what_the_backend_is_for() -> None:
    config = make_config({"target": {"tool": "vitis 2024.1"}})
    assert config.target.tool == "vitis 2024.1"
    assert make_config(settings_of(config)) == replace(config, source="the arguments")
    assert "tool" not in settings_of(make_config({}))["target"]
    for target in ({"tool": "vitis"}, {"tool": "vivado 2020.1"}, {"tool": "Vitis 2024.1"},
                   {"tool": "vitis 2024.1", "backend": "Vivado"}, {"tool": 2024.1}):  # fmt: skip
        (finding,) = findings({"target": target})
        assert finding.code == "HW102"
        assert "target.tool" in finding.found


@pytest.mark.parametrize("text", ["<=8", ">=8", "<= 8", "<=1"])
def test_a_reuse_factor_can_be_a_bound(text: str) -> None:
    config = make_config({"target": {"reuse_factor": text}, "layer": {"a": {"reuse_factor": text}}})
    assert config.target.reuse_factor == config.layers["a"]["reuse_factor"] == text
    assert make_config(settings_of(config)) == replace(config, source="the arguments")


@given(st.lists(st.integers(1, 50), min_size=1, unique=True), st.integers(1, 60), st.booleans())
def test_the_nearest_value_within_a_bound(legal: list[int], value: int, at_most: bool) -> None:
    within = [v for v in legal if (v <= value if at_most else v >= value)]
    expected = min(within, key=lambda v: abs(v - value)) if within else None
    assert Bound(at_most, value).taken(sorted(legal)) == expected


@pytest.mark.parametrize(
    "value", [True, 2.0, "2", -1, 0, [1], "<8", "<=0", "<=", "=8", "<=8 ", "≤8", "<=-1"]
)
def test_reuse_factor_is_a_positive_integer(value: object) -> None:
    assert {d.code for d in findings({"target": {"reuse_factor": value}})} == {"HW102"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "float",
        "fixed<0,0>",
        "fixed<8>",
        "fixed<8,4,UP>",
        "fixed<99999999999,4>",
        "fixed<8,-9999>",
    ],
)
def test_what_is_not_a_type(text: str) -> None:
    (layer,) = findings({"layer": {"fc": {"result_t": text}}})
    assert layer.code == "HW102"
    assert "[layer.fc]" in layer.where
    assert {d.code for d in findings({"input": {"x": {"type": text}}})} == {"HW102"}


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "hwflow.toml"
    path.write_text(
        '[target]\nboard = "zcu104"\nclock_period_ns = 4.0\n[layer.fc]\nreuse_factor = 2'
    )
    config = load_config(path)
    assert config.target.board == "zcu104"
    assert config.source == "hwflow.toml"
    for content in (b"\xff\xfe", b"[target", b"a = 1\na = 2"):
        path.write_bytes(content)
        with pytest.raises(CompileError, match="HW100"):
            load_config(path)


def test_arguments_override_the_file() -> None:
    design = hwflow.compile(
        dense(), config={"target": {"board": "zcu104", "io_type": "io_stream"}}, board="pynq-z2"
    )
    assert design.board.name == "PYNQ-Z2"
    assert design.target.io_type == "io_stream"


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(CompileError, match="HW101"):
        hwflow.compile(dense(), iotype="io_stream")


def test_an_input_type_is_taken() -> None:
    proto = dense()
    text = "fixed<9,3,RND,SAT>"
    design = hwflow.compile(proto, config={"input": {"x": {"type": text}}})
    assert design.graph.types["x"].dtype == FixedType.parse(text)
