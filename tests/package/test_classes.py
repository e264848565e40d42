"""Blocks that give classes: the first greatest score, compared as exact real numbers."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace as Thing
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.core.errors import CompileError
from hwflow.fixed import FixedType
from hwflow.ir.graph import Port
from hwflow.ir.grid import Grid
from hwflow.ir.tensor import TensorType
from hwflow.package.benches import run_benches
from hwflow.package.block import make_block
from hwflow.package.classes import at_once, class_type, classes_of, scores_of
from hwflow.package.wishes import Wishes
from tests.cli.command import dense
from tests.fixtures import model
from tests.networks import Builder
from tests.package.builds import build
from tests.package.test_benches import passes

SCALES = st.floats(2.0**-20, 2.0**20, width=32).flatmap(lambda x: st.sampled_from([x, -x]))
OFFSETS = st.floats(-1000, 1000, width=32)


def by_channel() -> onnx.ModelProto:
    """Return a network whose scores have scales of their own, none a power of two."""
    b = Builder(np.random.default_rng(5))
    x = b.quant("x", 3, 0.3, signed=True)
    raw = b.rng.integers(-2, 3, (6, 7))
    scales = np.array([[0.1, 0.3, 0.2, 0.7, 0.1, 0.05, 0.9]], np.float32)
    weight = b.quant(b.constant((raw * scales).astype(np.float32)), 3, scales, signed=True)
    return model(b, b.node("MatMul", [x, weight]), (1, 6), (1, 7))


@settings(deadline=None, max_examples=150)
@given(st.data(), st.integers(2, 6), st.booleans(), st.integers(-3, 9))
def test_integers_are_in_the_order_of_real_numbers(
    data: st.DataObject, count: int, signed: bool, integer: int
) -> None:
    few = data.draw(st.lists(SCALES, min_size=1, max_size=3))  # equal scales make ties
    scale = [Fraction(data.draw(st.sampled_from(few))) for _ in range(count)]
    offset = [Fraction(data.draw(OFFSETS)) * data.draw(st.booleans()) for _ in range(count)]
    dtype = FixedType(6, integer, signed)
    grid = Grid(np.array(scale, object), np.array(offset, object))
    port = Port("fc", "scores", (1,), grid)
    tensor = TensorType.full((count,), dtype)
    raw = data.draw(st.lists(st.integers(dtype.raw_min, dtype.raw_max),
                             min_size=count, max_size=count))  # fmt: skip
    values = [s * m * Fraction(dtype.step) + o for s, m, o in zip(scale, raw, offset, strict=True)]
    wanted = values.index(max(values))
    assert classes_of(port, np.array([raw]), dtype).tolist() == [[wanted]]
    graph: Any = Thing(types={"fc": tensor})
    try:
        scores = scores_of(graph, port)
    except CompileError:  # more bits than are compared; few of these scales come together
        return
    keys = [s * m + o for s, m, o in zip(scores.scale, raw, scores.offset, strict=True)]
    assert keys.index(max(keys)) == wanted
    assert all(-(2 ** (scores.bits - 1)) <= k < 2 ** (scores.bits - 1) for k in keys)


def test_mantissas_are_compared_where_all_have_one_scale() -> None:
    third = Grid(np.array([Fraction(1, 3)], object), np.array([Fraction(5)], object))
    graph: Any = Thing(types={"fc": TensorType.full((4,), FixedType(6, 2))})
    assert scores_of(graph, Port("fc", "scores", (1,), third)).plain


@pytest.mark.parametrize(("scores", "bits"), [(2, 1), (3, 2), (8, 3), (9, 4), (256, 8), (257, 9)])
def test_the_type_holds_every_class_and_no_bit_more(scores: int, bits: int) -> None:
    found = class_type(scores)
    assert (found.width, found.raw_max >= scores - 1) == (bits, True)


@pytest.mark.parametrize(("size", "beat", "streams", "found"),
                         [(10, 10, True, 10), (97, 97, True, 1), (40, 40, True, 10),
                          (97, 97, False, 16), (3, 3, False, 3)])  # fmt: skip
def test_whole_beats_are_compared(size: int, beat: int, streams: bool, found: int) -> None:
    port: Any = Thing(size=size, beat=beat)
    assert at_once(port, streams=streams) == found


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("io_type", "wishes"),
    [
        pytest.param("io_parallel", Wishes(argmax=True), marks=pytest.mark.slow),
        pytest.param("io_stream", Wishes(argmax=True), marks=pytest.mark.slow),
        ("io_stream", Wishes(argmax=True, interface="memory")),
        pytest.param(
            "io_parallel",
            Wishes(argmax=True, edge="float32", interface="axi-lite"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_scores_with_scales_of_their_own(io_type: str, wishes: Wishes, tmp_path: Path) -> None:
    folder = build(tmp_path / "net", by_channel(), io_type=io_type)
    passes(folder, wishes, words=20_000)
    made = make_block(folder, wishes)
    (port,) = made.description.outputs
    assert (port.classes, port.elements, port.model_shape) == (7, 1, ())
    assert (port.element.numpy, port.element.width) == ("uint8", 3)
    stored = np.load(folder / f"sim/vectors/output_{port.argument}.npy").reshape(-1, 7)
    given = np.frombuffer(made.files[f"vectors/{port.name}.bin"], np.uint8)
    given = given.reshape(-1, port.packing.stride_bytes)[:, 0]
    assert np.array_equal(given, stored.argmax(1))  # numpy's is the first, too
    raw = np.load(folder / f"sim/vectors/output_{port.argument}.raw.npy").reshape(-1, 7)
    assert not np.array_equal(given, raw.argmax(1))  # scales decide
    assert "the first greatest of 7 scores" in made.files["README.md"].decode()


@pytest.mark.cpp
def test_a_block_that_takes_the_last_of_equal_scores_fails(tmp_path: Path) -> None:
    made = make_block(build(tmp_path / "net", dense()), Wishes(argmax=True, interface="axi-lite"))
    path, first, last = "hls/hwflow_port.h", b"if (other > most)", b"if (other >= most)"
    assert first in made.files[path]
    files = {**made.files, path: made.files[path].replace(first, last)}
    outcome = run_benches(made.description, files, 1000, lambda stage, done: None)
    assert not outcome.passed
    assert "expected 0x0, found 0x1" in outcome.lines[0]


def image() -> onnx.ModelProto:
    b = Builder(np.random.default_rng(6))
    x = b.quant("x", 3, 0.5, signed=True)
    return model(b, b.node("MatMul", [x, b.weight((4, 3), 3, 0.5)]), (1, 2, 4), (1, 2, 3))


def single() -> onnx.ModelProto:
    b = Builder(np.random.default_rng(6))
    x = b.quant("x", 3, 0.5, signed=True)
    return model(b, b.node("MatMul", [x, b.weight((4, 1), 3, 0.5)]), (1, 4), (1, 1))


@pytest.mark.parametrize(("source", "found"), [(image, "shape 2 x 3"), (single, "shape 1")])
def test_what_is_no_vector_of_scores_has_no_class(source: Any, found: str, tmp_path: Path) -> None:
    folder = build(tmp_path / "net", source())
    with pytest.raises(CompileError) as caught:
        make_block(folder, Wishes(argmax=True))
    (finding,) = caught.value.diagnostics
    assert (finding.code, finding.found) == ("HW599", found)
    assert finding.help.startswith("leave out --argmax")
    assert make_block(folder, Wishes()).files


def test_another_output_is_another_design(tmp_path: Path) -> None:
    folder = build(tmp_path / "net", dense())
    ids = {make_block(folder, Wishes(argmax=a)).description.design_id for a in (False, True)}
    assert len(ids) == 2
