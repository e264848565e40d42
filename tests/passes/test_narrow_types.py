"""Results are declared no wider than they are, and every number stays what it was."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwflow
from hwflow.core.config import make_config
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph
from hwflow.ir.op import Op
from hwflow.ops.add import Add
from hwflow.ops.lookup import Lookup
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.relu import Relu
from hwflow.ops.reshape import Reshape
from hwflow.ops.scale_bias import ScaleBias
from hwflow.ops.softmax import Softmax
from hwflow.ops.tanh import Tanh
from hwflow.passes.graph.fuse_relus import fuse_relus
from hwflow.passes.graph.narrow_types import as_declared, narrow_types
from hwflow.simulate.numpy import simulate
from tests.passes.graphs import dense, graph, source

MODELS = Path(__file__).parents[1] / "models"
DEFAULT = make_config({})
DECLARED = FixedType(12, 6, True, Rounding.RND_CONV, Overflow.SAT)


def scaled(factor: float, offset: float, to: FixedType) -> ScaleBias:
    return ScaleBias(
        scale=FixedArray.exactly(np.array(factor)), bias=FixedArray.exactly(np.array(offset)),
        result_t=to,
    )  # fmt: skip


def before_dense(to: FixedType, factor: float = 0.5, offset: float = 5.0) -> Graph:
    """Return a quantised line, from 3 to 6.9 by default, and a layer that reads it."""
    last = replace(dense(2), result_t=DECLARED)
    return graph(source((2,)), ("q", scaled(factor, offset, to), ["x"]), ("fc", last, ["q"]))


def result_t(of: Graph, name: str = "q") -> FixedType | None:
    return of.by_name[name].op.result_t


def every_input(of: Graph) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Return all values of the input's type, the same in every element."""
    x = of.types["x"]
    values = np.arange(x.dtype.raw_min, x.dtype.raw_max + 1) * x.dtype.step
    return {
        "x": np.broadcast_to(values.reshape(-1, *(1 for _ in x.shape)), (len(values), *x.shape))
    }


def assert_same_everywhere(before: Graph, after: Graph) -> None:
    data = every_input(before)
    first, second = (simulate(g, data, keep=lambda _: True).layers for g in (before, after))
    for name in first:
        np.testing.assert_array_equal(first[name].values, second[name].values, err_msg=name)


def test_bits_that_no_value_needs_go() -> None:
    """From 3 to 6.9 in steps of 1/16: seven bits without a sign, of which nothing is rounded."""
    before = before_dense(DECLARED)
    after, declared = narrow_types(before, DEFAULT)
    assert result_t(after) == FixedType(7, 3, signed=False)
    assert declared == {"q": DECLARED}
    assert_same_everywhere(before, after)
    assert as_declared(after, declared).types["q"].dtype == DECLARED


def test_bits_at_the_end_stay_where_a_port_would_show_it() -> None:
    """The last sum has no type but that of its numbers: eight bits, six of them fractional."""
    before = graph(source((2,)), ("q", scaled(0.5, 5.0, DECLARED), ["x"]), ("fc", dense(2), ["q"]))
    after, _ = narrow_types(before, DEFAULT)
    assert result_t(after) == FixedType(9, 3, False, Rounding.RND_CONV)
    assert after.types["fc"].dtype == before.types["fc"].dtype
    assert_same_everywhere(before, after)


def test_what_saturates_keeps_that() -> None:
    to = FixedType(5, 3, False, Rounding.RND, Overflow.SAT)
    before = before_dense(to, factor=1.0, offset=4.0)
    after, declared = narrow_types(before, DEFAULT)
    assert after is before
    assert not declared


@settings(max_examples=400, deadline=None)
@given(
    width=st.integers(1, 14), fractional=st.integers(-3, 9), signed=st.booleans(),
    rounding=st.sampled_from(list(Rounding)), overflow=st.sampled_from(list(Overflow)),
    factor=st.integers(-24, 24), offset=st.integers(-90, 90),
)  # fmt: skip
def test_no_number_changes(
    width: int, fractional: int, signed: bool, rounding: Rounding, overflow: Overflow,
    factor: int, offset: int,
) -> None:  # fmt: skip
    to = FixedType(width, width - fractional, signed, rounding, overflow)
    before = before_dense(to, factor / 8, offset / 8)
    after, _ = narrow_types(before, DEFAULT)
    known = after.types["q"]
    assert known.dtype.width <= before.types["q"].dtype.width
    assert_same_everywhere(before, after)


def test_a_fused_relu_keeps_its_saturation() -> None:
    to = FixedType(12, 6, False, Rounding.RND, Overflow.SAT)
    lines = source((2,)), ("q", scaled(1.0, 0.0, DECLARED), ["x"])
    before = fuse_relus(graph(*lines, ("r", Relu(result_t=to), ["q"]), ("fc", dense(2), ["r"])))
    after, _ = narrow_types(before, DEFAULT)
    assert all(after.types[n].dtype.width <= before.types[n].dtype.width for n in after.types)
    assert_same_everywhere(before, after)


def test_ports_keep_what_is_declared() -> None:
    """The value that leaves, also behind what passes it on; an input has no result type."""
    for entries in ((), (("r", Reshape(shape=(1, 2)), ["q"]),)):
        layers = (source((2,)), ("q", scaled(0.5, 5.0, DECLARED), ["x"]), *entries)
        before = graph(*layers)
        assert narrow_types(before, DEFAULT)[0] is before


def test_what_a_user_sets_stays() -> None:
    before = before_dense(DECLARED)
    config = make_config({"layer": {"q": {"result_t": str(DECLARED)}}})
    assert narrow_types(before, config)[0] is before


@dataclass(frozen=True, kw_only=True, eq=False)
class Foreign(Relu):
    """An operator that hwflow does not have."""

    onnx: ClassVar[tuple[str, ...]] = ("Foreign",)


@pytest.mark.parametrize("op", [Tanh(), Softmax(), Foreign()], ids=lambda op: op.kind)
def test_types_that_tables_follow_from_stay(op: Op) -> None:
    """The table of a wide input has a size that its type gives; a user's operator may do so."""
    layers = (source((2,)), ("q", scaled(0.5, 5.0, DECLARED), ["x"]))
    before = graph(*layers, ("m", Reshape(shape=(1, 2)), ["q"]), ("t", op, ["m"]))
    assert narrow_types(before, DEFAULT)[0] is before


def test_entries_that_would_get_finer_stay() -> None:
    """A table without a type has as many fractional bits as its values leave room for."""
    layers = (source((2,)), ("q", scaled(0.5, 5.0, FixedType(10, 5)), ["x"]))
    own = Lookup(function="Exp", table_t=FixedType(18, 12))
    free, kept = (graph(*layers, ("t", op, ["q"]), ("fc", dense(2), ["t"]))
                  for op in (Lookup(function="Exp"), own))  # fmt: skip
    assert narrow_types(free, DEFAULT)[0] is free
    after, declared = narrow_types(kept, DEFAULT)
    assert list(declared) == ["q"]
    assert_same_everywhere(kept, after)


def test_operands_of_merges_and_pools_shrink_with_what_is_behind() -> None:
    flat = MaxPool(kernel=(2,), strides=(2,), pads=((0, 0),))
    layers = (
        source((4, 2)), ("q", scaled(0.5, 5.0, DECLARED), ["x"]), ("p", flat, ["q"]),
        ("s", Add(), ["p", "p"]), ("f", Reshape(shape=(4,)), ["s"]), ("fc", dense(4), ["f"]),
    )  # fmt: skip
    before = graph(*layers)
    after, _ = narrow_types(before, DEFAULT)
    assert after.types["p"].dtype == FixedType(9, 3, False, Rounding.RND_CONV)
    assert_same_everywhere(before, after)


def test_a_wrapping_cast_of_constants_is_left_with_its_bits() -> None:
    before = before_dense(replace(DECLARED, overflow=Overflow.WRAP), factor=0.0, offset=70.0)
    after, _ = narrow_types(before, DEFAULT)
    assert_same_everywhere(before, after)


def test_the_note_says_what_it_saves_and_its_help_keeps_the_type() -> None:
    path = MODELS / "avgpool.onnx"
    design = hwflow.compile(path)
    (note,) = (w for w in design.estimate().warnings if w.code == "HW515")
    assert note.severity == "note"
    assert note.title.startswith("narrowed a type, which saves ")
    name = note.help.rpartition("[layer.")[2].removesuffix("]")
    to = note.help.split('"')[1]
    kept = hwflow.compile(path, config={"layer": {name: {"result_t": to}}})
    assert str(kept.graph.types[name].dtype) == to
    assert not [w for w in kept.estimate().warnings if w.code == "HW515"]
    less = kept.estimate().total.lut.value - design.estimate().total.lut.value
    assert f"saves {less:,.0f} LUT" in note.title
