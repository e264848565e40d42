"""The kinds of values that a manifest holds, and how anything becomes one of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

LONGEST_LINE = 400
"""Characters of a text; longer ones are cut when a manifest is written."""


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return text


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or not pure.parts:
        raise ValueError("is not the path of a file in the folder")
    return path


Line = Annotated[str, StringConstraints(max_length=LONGEST_LINE), AfterValidator(_one_line)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FilePath = Annotated[Line, AfterValidator(_inside)]
Scalar = bool | int | float | Line | None
Count = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    """A record that takes what it names and nothing else, and does not change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True
    )


def cut(text: object) -> str:
    """Return anything as one line that a manifest can hold."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..."


def distinct(names: Iterable[str]) -> list[str]:
    """Return names from a model as lines, numbered where two became one."""
    seen: dict[str, int] = {}
    lines = []
    for name in map(cut, names):
        seen[name] = seen.get(name, 0) + 1
        lines.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return lines
