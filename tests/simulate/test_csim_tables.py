"""Windows of convolutions as tables: the same elements, and seconds instead of minutes."""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.codegen.project import Project
from hwflow.ops.shared.port_data import prepare_inputs
from hwflow.simulate import cpp
from hwflow.simulate.cpp.tables import with_tables
from hwflow.testing.operators.cases import QUICK_FLAGS
from tests.networks import DOMAIN, Builder

GENERATED = "firmware/nnet_utils/nnet_code_gen.h"


def wide_convolution(size: int, channels: int, pads: int = 0) -> onnx.ModelProto:
    """Return a convolution whose weights have 24 bits, the most that are taken."""
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 8, 1 / 16, signed=True)
    raw = b.rng.integers(-(2**23), 2**23, (4, channels, 3, 3))
    weight = b.quant(b.constant(raw / 2.0**23), 32, 2.0**-23, signed=True)
    y = b.node("Conv", [x, weight], kernel_shape=[3, 3], pads=[pads] * 4)
    y = b.quant(y, 8, 1 / 4, signed=True)
    shape = (1, channels, size, size)
    graph = helper.make_graph(
        b.nodes,
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)],
        b.tensors,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@pytest.mark.cpp
def test_a_wide_convolution_compiles_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As hls4ml writes it, g++ needs more than 5 minutes and 2 GB for it."""
    monkeypatch.setenv("HWFLOW_CXX_TIMEOUT", "100")  # of a busy machine
    monkeypatch.setenv("HWFLOW_CXX_MEMORY", "1000")
    design = hwflow.compile(wide_convolution(32, 16))
    assert len(design.project.files[GENERATED]) > 3_000_000
    data = np.random.default_rng(1).normal(size=(4, 16, 32, 32)).astype(np.float32)
    found = design.verify(data)
    assert found.faithful is not None
    assert found.faithful.mismatches == 0


@pytest.mark.cpp
def test_edited_windows_are_simulated_as_they_stand() -> None:
    design = hwflow.compile(wide_convolution(6, 3, pads=1))
    text = design.project.text(GENERATED)
    part = text.index("if (partition ==  14)")
    at = re.compile(r"buffer\[0\]\[13\] =\s*(data\[\d+\]);").search(text, part)
    assert at is not None
    edited = text[: at.start(1)] + "data[0]" + text[at.end(1) :]
    assert with_tables(text) != text
    files = {**design.project.files, GENERATED: edited.encode()}
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (20, 3, 6, 6)).astype(np.float32) / 16
    x[:, 0, 0, 0] = -8
    data = prepare_inputs(design.graph, {"x": x})
    names = [node.name for node in design.graph.nodes][-1:]
    results = [
        cpp.build(design.graph, project, design.target, flags=QUICK_FLAGS).run(data).layers
        for project in (design.project, Project(design.project.name, files))
    ]
    differing = np.argwhere((results[0][names[0]] != results[1][names[0]]).any(axis=(0, 3)))
    assert differing.tolist() == [list(divmod(14, 6))]  # the one window that was edited


def rows(parts: int, width: int, zero: int = -1) -> str:
    """Return windows of assignments as hls4ml writes them."""
    lines = []
    for part in range(parts):
        values = [0 if n == zero else f"data[{part + n}]" for n in range(width)]
        statements = " ".join(f"buffer[0][{n}] = {v:>10};" for n, v in enumerate(values))
        lines.append(
            f"        if (partition == {part:>3}) {{\n            {statements}\n\n        }}"
        )
    return "void fill(const unsigned partition) {\n" + "\n".join(lines) + "\n    }\n"


def test_long_windows_become_a_table() -> None:
    code = with_tables(rows(20, 30, zero=7))
    assert "if (partition <" in code
    assert "partition ==" not in code
    assert "= data[from[" in code
    table = re.search(r"from\[\] = \{([^}]*)\}", code)
    assert table is not None
    found = np.array([int(n) for n in table[1].split(",")]).reshape(20, 30)
    wanted = np.arange(20)[:, None] + np.arange(30)
    wanted[:, 7] = -1
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize(("old", "new"), [
    ("partition ==   3", "partition ==   5"),
    ("buffer[0][4] =", "buffer[0][5] ="),
    ("data[3];", "data[3] + 1;"),
    ("data[3];", "data[3]; x = 1;"),
    ("buffer[0][29] =   data[32];", ""),
])  # fmt: skip
def test_what_is_not_understood_stays(old: str, new: str) -> None:
    code = rows(20, 30)
    assert old in code
    edited = code.replace(old, new, 1)
    assert with_tables(edited) == edited


def test_short_windows_stay() -> None:
    assert with_tables(rows(2, 9)) == rows(2, 9)
    assert with_tables("struct x {};") == "struct x {};"
