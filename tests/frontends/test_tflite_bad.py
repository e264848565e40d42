"""TFLite files that are damaged, hostile or not supported: refused with a place, never a crash."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends import tflite
from tests.frontends.tflite_models import Writer

pytest.importorskip("tensorflow", reason="its schema writes the models")


def read(content: bytes) -> set[str]:
    """Return the codes of all findings; none where the file is read."""
    try:
        tflite.read_bytes(content, "bad", "bad.tflite")
    except CompileError as error:
        return {d.code if d.where else "nowhere" for d in error.diagnostics}
    return set()


def good() -> Writer:
    writer = Writer()
    x, y = writer.tensor((1, 4), 0.1, 3), writer.tensor((1, 2), 0.2, -5)
    weight = writer.tensor((2, 4), [0.01, 0.02], 0, data=np.arange(8).astype(np.int8))
    bias = writer.tensor((2,), [0.001, 0.002], 0, np.int32, np.array([5, -7]))
    writer.add("FULLY_CONNECTED", [x, weight, bias], [y], "FullyConnectedOptions")
    writer.inputs, writer.outputs = [x], [y]
    return writer


def test_every_truncation_and_many_changes() -> None:
    content = good().bytes()
    assert read(content) == set()
    for end in range(0, len(content), 7):
        assert read(content[:end]) == {"HW290"}
    rng = np.random.default_rng(1)
    changes = [0, 1, 0x7F, 0x80, 0xFF]
    for _ in range(1500):
        changed = bytearray(content)
        for place in rng.integers(8, len(content), rng.integers(1, 4)):
            changed[place] = changes[rng.integers(len(changes))]
        assert "nowhere" not in read(bytes(changed))


def test_offsets_that_are_huge() -> None:
    content = good().bytes()
    for place in range(8, len(content) - 4, 4):
        for value in (0xFFFFFFFF, 0x7FFFFFFF, len(content), 4):
            changed = content[:place] + struct.pack("<I", value) + content[place + 4 :]
            assert "nowhere" not in read(changed)


def test_another_format() -> None:
    assert read(b"") == {"HW290"}
    assert read(b"\x08\x07ONNX" + bytes(100)) == {"HW290"}


def not_quantised(writer: Writer) -> None:
    x, y = writer.tensor((1, 4), dtype=np.float32), writer.tensor((1, 4), dtype=np.float32)
    writer.add("RELU", [x], [y])
    writer.inputs, writer.outputs = [x], [y]


def unknown_operator(writer: Writer) -> None:
    x, y = writer.tensor((1, 4), 0.1), writer.tensor((1, 4), 0.1)
    writer.add("EXP", [x], [y])
    writer.inputs, writer.outputs = [x], [y]


def scales_that_differ(writer: Writer) -> None:
    x, y = writer.tensor((1, 4, 4, 1), 0.1), writer.tensor((1, 2, 2, 1), 0.2)
    writer.add(
        "MAX_POOL_2D",
        [x],
        [y],
        "Pool2DOptions",
        strideH=2,
        strideW=2,
        filterHeight=2,
        filterWidth=2,
    )
    writer.inputs, writer.outputs = [x], [y]


def of_two_subgraphs(writer: Writer) -> None:
    x, y = writer.tensor((1, 4), 0.1), writer.tensor((1, 4), 0.1)
    writer.add("RELU", [x], [y])
    writer.inputs, writer.outputs, writer.subgraphs = [x], [y], 2


def options_of_a_newer_schema(writer: Writer) -> None:
    x, y = writer.tensor((1, 4), 0.1), writer.tensor((1, 4), 0.1)
    writer.add("RELU", [x], [y], "LeakyReluOptions", alpha=0.5)
    writer.inputs, writer.outputs = [x], [y]


def used_before_it_is_computed(writer: Writer) -> None:
    x, y, z = (writer.tensor((1, 4), 0.1) for _ in range(3))
    writer.add("RELU", [y], [z])
    writer.add("RELU", [z], [y])
    writer.inputs, writer.outputs = [x], [z]


@pytest.mark.parametrize(
    ("build", "code"),
    [
        (not_quantised, "HW292"),
        (unknown_operator, "HW293"),
        (scales_that_differ, "HW294"),
        (used_before_it_is_computed, "HW293"),
        (of_two_subgraphs, "HW291"),
        (options_of_a_newer_schema, "HW293"),
    ],
)
def test_what_is_not_supported(build: Callable[[Writer], None], code: str) -> None:
    writer = Writer()
    build(writer)
    assert read(writer.bytes()) == {code}


def test_every_finding_is_reported() -> None:
    writer = Writer()
    x = writer.tensor((1, 4), 0.1)
    for name in ("EXP", "SIN"):
        y = writer.tensor((1, 4), 0.1)
        writer.add(name, [x], [y])
        writer.outputs.append(y)
    writer.inputs = [x]
    with pytest.raises(CompileError) as caught:
        tflite.read_bytes(writer.bytes(), "bad", "bad.tflite")
    assert [d.where.split(",")[0].split(":")[0] for d in caught.value.diagnostics] == ["t1", "t2"]


def added(scales: tuple[float, float, float]) -> bytes:
    writer = Writer()
    a, b, y = (writer.tensor((1, 4), scale) for scale in scales)
    writer.add("ADD", [a, b], [y], "AddOptions")
    writer.inputs, writer.outputs = [a, b], [y]
    return writer.bytes()


def dense(bias: int) -> bytes:
    writer = Writer()
    x, y = writer.tensor((1, 4), 0.1, 3), writer.tensor((1, 1), 0.2, -5)
    weight = writer.tensor((1, 4), 0.01, 0, data=np.full(4, 100, np.int8))
    offset = writer.tensor((1,), 0.001, 0, np.int32, np.array([bias]))
    writer.add("FULLY_CONNECTED", [x, weight, offset], [y], "FullyConnectedOptions")
    writer.inputs, writer.outputs = [x], [y]
    return writer.bytes()


@pytest.mark.parametrize(
    ("refused", "helped", "code"),
    [(dense(2**31 - 1), dense(1000), "HW296")],
)
def test_sums_beyond_tflites_integers(refused: bytes, helped: bytes, code: str) -> None:
    """The help: smaller numbers, that is."""
    with pytest.raises(CompileError) as caught:
        hwflow.compile(tflite.read_bytes(refused, "bad", "bad.tflite"))
    (finding,) = caught.value.diagnostics
    assert finding.code == code
    assert finding.where
    hwflow.compile(tflite.read_bytes(helped, "good", "good.tflite"))
