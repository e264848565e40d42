"""HW1xx, settings: each is raised where it says, and what it advises is taken from its text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.core.errors import CompileError, Diagnostic
from tests.fixtures import model
from tests.networks import Builder

Settings = dict[str, Any]


def dense() -> onnx.ModelProto:
    """Return a dense layer of 12 inputs and 4 outputs, called ``fc``."""
    b = Builder(np.random.default_rng(0))
    out = b.node("MatMul", [b.quant("x", 5, 1 / 4, signed=True), b.weight((12, 4), 4, 1 / 4)])
    b.nodes[-1].name = "fc"
    return model(b, b.quant(out, 6, 1 / 2, signed=True), (1, 12), (1, 4))


def fine_bias() -> onnx.ModelProto:
    """Return a dense layer called ``fc`` with a bias of 40 fractional bits."""
    b = Builder(np.random.default_rng(0))
    out = b.node("MatMul", [b.quant("x", 5, 1 / 4, signed=True), b.weight((4, 4), 4, 1 / 4)])
    b.nodes[-1].name = "fc"
    out = b.node("Add", [out, b.weight((4,), 12, 2.0**-40)])
    return model(b, out, (1, 4), (1, 4))


def convolution(groups: int = 1, kernel: tuple[int, int] = (3, 3)) -> Callable[[], onnx.ModelProto]:
    """Return what makes a convolution over 8 x 8 pixels, called ``conv``."""

    def make() -> onnx.ModelProto:
        b = Builder(np.random.default_rng(0))
        x = b.quant("x", 5, 1 / 4, signed=True)
        strides = (2, 1) if kernel[0] == 1 else (1, 1)
        weight = b.weight((2, 2 // groups, *kernel), 4, 1 / 4)
        out = b.node("Conv", [x, weight], kernel_shape=kernel, strides=strides, group=groups)
        b.nodes[-1].name = "conv"
        size = [(8 - k) // s + 1 for k, s in zip(kernel, strides, strict=True)]
        return model(b, b.quant(out, 6, 1 / 2, signed=True), (1, 2, 8, 8), (1, 2, *size))

    return make


def table() -> onnx.ModelProto:
    """Return a sigmoid of values too wide for an exact table, called ``act``."""
    b = Builder(np.random.default_rng(0))
    out = b.node("Softmax", [b.quant("x", 6, 1 / 4, signed=True)], axis=-1)
    b.nodes[-1].name = "act"
    return model(b, out, (1, 5), (1, 5))


def branches() -> onnx.ModelProto:
    """Return a value that ten layers read, whose results are outputs."""
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 5, 1 / 4, signed=True)
    outs = [b.node("MatMul", [x, b.weight((4, 2), 4, 1 / 4)]) for _ in range(10)]
    proto = model(b, outs[0], (1, 4), (1, 2))
    shapes = [onnx.helper.make_tensor_value_info(o, 1, (1, 2)) for o in outs[1:]]
    proto.graph.output.extend(shapes)
    return proto


@dataclass(frozen=True)
class Case:
    """Settings that are refused.

    Attributes:
        code: of the one finding.
        network: makes the model.
        settings: what is set.
        where: a part of the place.
        helped: returns the settings with the help applied, read from the finding.
    """

    code: str
    network: Callable[[], onnx.ModelProto]
    settings: Settings
    where: str
    helped: Callable[[Settings, Diagnostic], Settings]


def changed(layer: str, key: str, pattern: str) -> Callable[[Settings, Diagnostic], Settings]:
    """Return help that sets a layer's setting to what a pattern finds in the text of the help."""

    def helped(settings: Settings, said: Diagnostic) -> Settings:
        match = re.search(pattern, said.help)
        assert match is not None, said.help
        value: Any = int(match[1]) if match[1].isdigit() else match[1]
        own = {**settings["layer"][layer], key: value}
        return {**settings, "layer": {layer: own}}

    return helped


def removed(layer: str, key: str) -> Callable[[Settings, Diagnostic], Settings]:
    """Return help that removes a setting, which the text says."""

    def helped(settings: Settings, said: Diagnostic) -> Settings:
        assert re.search(r"remove (it|them)|remove " + key, said.help), said.help
        own = {k: v for k, v in settings["layer"][layer].items() if k != key}
        return {**settings, "layer": {layer: own}}

    return helped


def target(key: str, pattern: str) -> Callable[[Settings, Diagnostic], Settings]:
    """Return help that sets a setting of the whole network."""

    def helped(settings: Settings, said: Diagnostic) -> Settings:
        match = re.search(pattern, said.help)
        assert match is not None, said.help
        value: Any = int(match[1]) if match[1].isdigit() else match[1]
        return {**settings, "target": {**settings["target"], key: value}}

    return helped


def renamed(settings: Settings, said: Diagnostic) -> Settings:
    """Apply ``did you mean`` to the name of a layer."""
    match = re.search(r"did you mean '(.*?)'", said.help)
    assert match is not None, said.help
    return {**settings, "layer": {match[1]: next(iter(settings["layer"].values()))}}


def layer(name: str, **settings: Any) -> Settings:
    return {"target": {"board": "zcu104"}, "layer": {name: settings}}


def stream(settings: Settings) -> Settings:
    return {**settings, "target": {**settings["target"], "io_type": "io_stream"}}


REUSE = r"set reuse_factor = (\d+)"
CASES = [
    Case("HW101", dense, layer("fcc", reuse_factor=1), "[layer.fcc]", renamed),
    Case("HW101", dense, layer("fc", colour="red"), "[layer.fc]", removed("fc", "colour")),
    Case(
        "HW103", dense, layer("fc", strategy="resourc"), "[layer.fc]",
        changed("fc", "strategy", r"or \"(\w+)\" to share"),
    ),
    Case(
        "HW104", dense, layer("fc", strategy="resource", reuse_factor=7), "fc: Dense",
        changed("fc", "reuse_factor", REUSE),
    ),
    Case(
        "HW104", convolution(), layer("conv", strategy="resource", reuse_factor=7), "conv: Conv2D",
        changed("conv", "reuse_factor", REUSE),
    ),
    Case(
        "HW104", dense,
        {"target": {"board": "zcu104", "strategy": "resource", "reuse_factor": 7}}, "target",
        target("reuse_factor", REUSE),
    ),
    Case(
        "HW105", dense, layer("fc", accum_t="fixed<16,8,TRN,SAT>"), "fc: Dense",
        removed("fc", "accum_t"),
    ),
    Case(
        "HW106", dense,
        layer("fc", strategy="distributed_arithmetic", accum_t="fixed<6,4>"), "fc: Dense",
        removed("fc", "accum_t"),
    ),
    Case(
        "HW107", convolution(), layer("conv", parallelization_factor=5), "conv: Conv2D",
        changed("conv", "parallelization_factor", r"set parallelization_factor = (\d+)"),
    ),
    Case(
        "HW108", convolution(2), layer("conv", strategy="distributed_arithmetic"), "conv",
        changed("conv", "strategy", r'set strategy = "(\w+)"'),
    ),
    Case(
        "HW109", dense, layer("fc", accum_t="fixed<12,20,RND>"), "fc: Dense",
        removed("fc", "accum_t"),
    ),
    Case(
        "HW110", dense, layer("fc", product="xnor"), "fc: Dense",
        changed("fc", "product", r'set product = "(\w+)"'),
    ),
    Case(
        "HW111", fine_bias, layer("fc", strategy="distributed_arithmetic"), "fc: Dense",
        changed("fc", "strategy", r'set strategy = "(\w+)"'),
    ),
    Case(
        "HW112", table, layer("act", inv_table_size=1000), "act: Softmax",
        removed("act", "inv_table_size"),
    ),
    Case(
        "HW115", convolution(2, (1, 3)), stream(layer("conv")), "conv",
        target("io_type", r'set io_type = "(\w+)"'),
    ),
    Case(
        "HW120", branches, stream({"target": {"board": "zcu104"}}), "",
        target("io_type", r'set io_type = "(\w+)"'),
    ),
]  # fmt: skip


def refused(case: Case, settings: Settings) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        hwflow.compile(case.network(), config=settings)
    (finding,) = caught.value.diagnostics
    return finding


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.code}-{c.network.__name__}")
def test_what_is_advised_is_taken(case: Case) -> None:
    said = refused(case, case.settings)
    assert said.code == case.code
    assert case.where in f"{said.where} {said.found}"
    settings = case.helped(case.settings, said)
    assert settings != case.settings
    design = hwflow.compile(case.network(), config=settings)
    assert design.estimate().total.ii.value >= 1
