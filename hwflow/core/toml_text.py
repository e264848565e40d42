"""Writes TOML, which the standard library only reads; and reads that of strangers."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def parse_toml(content: bytes) -> dict[str, Any]:
    """Return a TOML file as nested dictionaries.

    Raises:
        ValueError: it is none, nested too deeply, or has numbers that are too long to be read.
    """
    try:
        return tomllib.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def toml_text(content: Mapping[str, Any]) -> str:
    """Return nested dictionaries as TOML, values before tables; what is None is left out.

    Raises:
        TypeError: a value is none of dict, list, str, bool, int, float and None.
    """
    return "\n".join(_table(content, ())).strip("\n") + "\n"


def _table(content: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    values = {k: v for k, v in content.items() if v is not None and not isinstance(v, Mapping)}
    tables = {k: v for k, v in content.items() if isinstance(v, Mapping)}
    if path and (values or not tables):
        yield ""
        yield f"[{'.'.join(map(_key, path))}]"
    for key, value in values.items():
        yield f"{_key(key)} = {_value(value)}"
    for key, table in tables.items():
        yield from _table(table, (*path, key))


def _key(name: str) -> str:
    return name if _BARE.match(name) else _string(name)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, (bool, int, float)):
        return str(value).lower()  # true, inf and nan have the same names in both
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _string(text: str) -> str:
    """Return a basic string; JSON's escapes are TOML's, which escapes DEL as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
