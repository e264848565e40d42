"""Wrong constants for generated C++: one at a time, anywhere that a project keeps constants.

A mutant differs from its project in one number or mode: a value of a weight file (weights, biases,
thresholds, tables, multipliers), a type of ``defines.h``, or a constant of ``parameters.h``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hwflow.codegen.project import Project
from hwflow.fixed import FixedType, Overflow, Rounding

DEFINES, PARAMETERS = "firmware/defines.h", "firmware/parameters.h"

SCHEDULE = {
    "reuse_factor", "n_zeros", "n_nonzeros", "multiplier_limit", "strategy", "io_type",
    "n_partitions", "n_pixels", "block_factor", "parallelization_factor", "resource_implementation",
    "min_height", "min_width",
}  # fmt: skip
"""Constants that steer synthesis alone: the products are the same, at other times. The last two are
of hls4ml's encoded convolution, which is not generated."""

TYPEDEF = re.compile(r"typedef (ap_u?fixed<[^>]+>) (\w+);")
CONSTANT = re.compile(r"static const (?:unsigned|int|long long) (\w+) = (\d+);")
OWN_TYPE = re.compile(r"typedef ap_u?int<(\d+)> (\w+);")
ARRAY = re.compile(r"^(\w+) (\w+)\[\d+\]", re.M)


@dataclass(frozen=True)
class Mutant:
    """A project with one wrong constant.

    Attributes:
        kind: "value", "type" or "parameter".
        file: where.
        name: of the type or constant; of a value its file's array.
        place: position of a value.
        before: the text of the right constant.
        after: the wrong one.
        line: of a parameter the text around it.
    """

    kind: str
    file: str
    name: str
    place: int
    before: str
    after: str
    line: str = ""

    def __str__(self) -> str:
        """Return one line."""
        place = f"[{self.place}]" if self.kind == "value" else ""
        return f"{self.file}: {self.name}{place} {self.before} -> {self.after}"

    def planted(self, project: Project) -> Project:
        """Return the project with the wrong constant."""
        text = project.text(self.file)
        if self.kind == "value":
            values = text.split(",")
            values[self.place] = values[self.place].replace(self.before, self.after)
            text = ",".join(values)
        else:
            at = self.place
            assert text[at : at + len(self.before)] == self.before
            text = text[:at] + self.after + text[at + len(self.before) :]
        return Project(project.name, {**project.files, self.file: text.encode()})


def types_of(project: Project) -> dict[str, FixedType]:
    """Return the types that the project declares, by name."""
    found = {}
    for text, name in TYPEDEF.findall(project.text(DEFINES)):
        found[name] = parsed_type(text)
    return found


def parsed_type(text: str) -> FixedType:
    """Return a type as the C++ has it, without its number of saturation bits, which is 0."""
    fields = text.removesuffix(">").split(",")
    return FixedType.parse(",".join(fields[:4]) + ">")


def values(project: Project, rng: np.random.Generator) -> Iterator[Mutant]:
    """Yield a wrong value at a time, in any of the files: a step off, or another sign."""
    types = types_of(project)
    files = [p for p in project.files if re.fullmatch(r"firmware/weights/\w+\.txt", p)]
    while files:
        file = files[rng.integers(len(files))]
        found = ARRAY.search(project.text(file.removesuffix(".txt") + ".h"))
        texts = project.text(file).split(",")
        place = int(rng.integers(len(texts)))
        dtype = types.get(found[1]) if found else None
        if dtype is None:
            continue
        before = texts[place].strip()
        raw = round(float(before) / dtype.step)
        wrong = -raw if raw and dtype.signed and rng.random() < 0.25 else raw + rng.choice((-1, 1))
        if not dtype.raw_min <= wrong <= dtype.raw_max:
            wrong = 2 * raw - wrong if wrong != -raw else raw + 1
        if dtype.raw_min <= wrong <= dtype.raw_max:
            after = f"{wrong * dtype.step:.17g}"
            yield Mutant("value", file, found[2], place, before, after)


def types(project: Project, rng: np.random.Generator) -> Iterator[Mutant]:
    """Yield a wrong type at a time: a bit more or less on either side, or another mode.

    Types that round and saturate nothing by declaration keep their modes: those are never asked.
    """
    found = list(TYPEDEF.finditer(project.text(DEFINES)))
    while found:
        match = found[rng.integers(len(found))]
        dtype = parsed_type(match[1])
        change = rng.integers(4 if "_RND" in match[1] or "_SAT" in match[1] else 2)
        by = int(rng.choice((-1, -1, -1, 1)))  # one bit more seldom changes anything
        width, integer, rounding, overflow = (
            dtype.width, dtype.integer, dtype.rounding, dtype.overflow,
        )  # fmt: skip
        if change == 0:
            width += by
        elif change == 1:
            width, integer = width + by, integer + by
        elif change == 2:
            rounding = rng.choice([r for r in Rounding if r is not rounding])
        else:
            overflow = rng.choice([o for o in Overflow if o is not overflow])
        if width < 1:
            continue
        prefix = "ap_fixed" if dtype.signed else "ap_ufixed"
        after = f"{prefix}<{width},{integer},AP_{rounding},AP_{overflow},0>"
        yield Mutant("type", DEFINES, match[2], match.start(1), match[1], after)


def parameters(project: Project, rng: np.random.Generator) -> Iterator[Mutant]:
    """Yield a wrong constant at a time, of those that say what is computed."""
    text = project.text(PARAMETERS)
    found = [m for m in CONSTANT.finditer(text) if m[1] not in SCHEDULE]
    found += list(OWN_TYPE.finditer(text))
    while found:
        match = found[rng.integers(len(found))]
        number, name = (2, match[1]) if match.re is CONSTANT else (1, match[2])
        after = int(match[number]) + int(rng.choice((-1, 1)))
        if after >= 0:
            struct = re.findall(r"struct (\w+)", text[: match.start()])[-1]
            yield Mutant(
                "parameter", PARAMETERS, f"{struct}::{name}", match.start(number), match[number],
                str(after), match[0],
            )  # fmt: skip
