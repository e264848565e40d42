"""Names of layers, ports and top functions, whatever a model calls them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.ir.names import LONGEST, Namer, graph_name, port_name, sanitize

KEYWORDS = (
    "and",
    "xor",
    "int",
    "class",
    "auto",
    "wire",
    "always",
    "entity",
    "signal",
    "mean",
    "NULL",
)
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from([*KEYWORDS, "x", "X", "x_in", "clone_x", "x_exp", "x_inv", "input", "layer2"]),
)


@given(st.lists(st.tuples(HOSTILE, st.booleans()), max_size=12))
def test_names_of_a_graph_never_meet(names: list[tuple[str, bool]]) -> None:
    """Nor do the names that hls4ml makes of them: of ports, of copies of streams, of types."""
    namer = Namer()
    found = [(namer.unique(name, port=port), port) for name, port in names]
    visible = [port_name(name) if port else name for name, port in found]
    derived = [f"clone_{name}" for name, _ in found]
    everything = [name.lower() for name in (*visible, *derived)]
    assert len(everything) == len(set(everything))
    types = [f"{n}_{t}_t" for n, _ in found for t in ("table", "exp_table", "inv_table", "accum")]
    assert len({t.lower() for t in types}) == len(types)
    for name in visible:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
        assert "__" not in name  # what VHDL refuses, and hwflow and hls4ml use for their own
        assert not name.endswith("_")
        assert name not in KEYWORDS or not dict(found).get(name)


@pytest.mark.parametrize("name", ["conv1", "Fc_2", "mean", "class", "stem_conv_0"])
def test_a_name_that_can_stand_is_kept(name: str) -> None:
    assert sanitize(name) == name
    assert Namer().unique(name) == name
    assert port_name(Namer().unique(name, port=True)) == f"{name}_in"


@pytest.mark.parametrize(
    ("name", "found"),
    [("", "layer"), ("/a/b.c", "a_b_c"), ("7", "layer_7"), ("config2", "layer_config2"),
     ("a\n;b", "a_b"), ("é", "layer"), ("a" * 9999, "a" * LONGEST)],
)  # fmt: skip
def test_what_becomes_of_others(name: str, found: str) -> None:
    assert sanitize(name) == found


def test_hls4ml_has_a_layer_of_its_own_that_is_called_input() -> None:
    assert Namer().unique("input") == "layer_input"
    assert Namer().unique("input", port=True) == "input"


@pytest.mark.parametrize(
    "name", ["main", "nnet", "hls", "ap_fixed", "layer2_t", "w2", "NULL", "int"]
)
def test_the_top_function_is_no_word_of_cpp(name: str) -> None:
    found = graph_name(name, ())
    assert found.startswith(f"net_{name}")


def test_the_top_function_has_no_port_of_its_name() -> None:
    assert graph_name("digits", ("x",)) == "digits"
    assert graph_name("x_in", ("X",)) == "net_x_in"
