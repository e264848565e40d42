"""What is written as TOML is read back by the standard library."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.core.toml_text import toml_text

text = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.one_of(
    text, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False),
    st.lists(st.one_of(text, st.integers(0, 9)), max_size=3),
)  # fmt: skip
tables = st.recursive(
    st.dictionaries(text, values, max_size=4),
    lambda inner: st.dictionaries(text, st.one_of(values, inner), max_size=3),
    max_leaves=8,
)


@given(tables)
def test_what_is_written_is_read(content: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(content)) == content


def test_none_is_left_out_and_objects_are_refused() -> None:
    assert toml_text({"a": None, "b": {"c": 1.5}}) == "[b]\nc = 1.5\n"
    with pytest.raises(TypeError, match="object"):
        toml_text({"a": object()})
