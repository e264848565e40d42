"""The space that is explored: bits of weights and activations, each a choice of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.frontends.quantization.bench import Bench
from hwflow.frontends.quantization.requantized import beyond_trained
from hwflow.frontends.quantization.settings import MAX_BITS, MIN_BITS
from hwflow.ir.qonnx.model import printable

Numbers = npt.NDArray[np.int64]


MOST = 2**62
"""Configurations that have a number in int64."""


@dataclass(frozen=True)
class Variable:
    """Bits that are chosen together.

    Attributes:
        name: such as ``fc1.w``; of several, those that the first has.
        members: settings that it stands for, by the names that ``quantize`` takes.
        options: the bits to choose from, ascending.
        most: the most bits of each member, those that it was trained with; empty for no limits.
    """

    name: str
    members: tuple[str, ...]
    options: tuple[int, ...]
    most: tuple[int, ...] = ()

    def bits(self, option: int) -> dict[str, int]:
        """Return the bits of each member."""
        asked = self.options[option]
        most = self.most or (asked,) * len(self.members)
        return {name: min(asked, m) for name, m in zip(self.members, most, strict=True)}


@dataclass(frozen=True)
class Space:
    """All configurations: one option of each variable, the last variable counting fastest.

    Attributes:
        variables: in the order in which a network computes with them.
    """

    variables: tuple[Variable, ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of options of each variable."""
        return tuple(len(v.options) for v in self.variables)

    @cached_property
    def size(self) -> int:
        """Number of configurations."""
        return prod(self.sizes)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """What each option of a variable adds to a configuration's number."""
        return tuple(prod(self.sizes[i + 1 :]) for i in range(len(self.sizes)))

    def digits(self, number: int) -> tuple[int, ...]:
        """Return the option of each variable."""
        pairs = zip(self.strides, self.sizes, strict=True)
        return tuple(number // stride % size for stride, size in pairs)

    def options(self, numbers: Numbers, variable: int) -> Numbers:
        """Return the option of one variable in each of many configurations."""
        return numbers // self.strides[variable] % self.sizes[variable]

    def number(self, digits: Sequence[int]) -> int:
        """Return the number of a configuration."""
        return sum(d * s for d, s in zip(digits, self.strides, strict=True))

    def bits(self, number: int) -> dict[str, int]:
        """Return the bits of every layer and activation, by the names that ``quantize`` takes."""
        pairs = zip(self.variables, self.digits(number), strict=True)
        return {name: bits for v, d in pairs for name, bits in v.bits(d).items()}

    def choices(self, number: int) -> dict[str, int]:
        """Return the bits by the names of the variables."""
        pairs = zip(self.variables, self.digits(number), strict=True)
        return {v.name: v.options[d] for v, d in pairs}


@dataclass(frozen=True)
class Wish:
    """What a user asks of the space.

    Attributes:
        bits: options of all weights (``w``) and activations (``a``).
        fixed: options of single ones, by ``NAME.w`` and ``NAME.a``.
        groups: patterns; what matches one has the same bits, weights and activations apart.
    """

    bits: Mapping[str, tuple[int, ...]]
    fixed: Mapping[str, tuple[int, ...]]
    groups: tuple[str, ...] = ()


def read_wish(bits: str, fixed: Sequence[str] = (), groups: Sequence[str] = ()) -> Wish:
    """Return what the options of the command line ask.

    Args:
        bits: such as ``w=2:8 a=4,6,8``: ranges, their ends included, and lists.
        fixed: such as ``fc1:w=8``, or ``fc1:w=4:8,a=6``.
        groups: regular expressions on the names of layers.

    Raises:
        CompileError: HW320, a part that cannot be read.
    """
    found: dict[str, tuple[int, ...]] = {"w": (2, 3, 4, 5, 6, 7, 8), "a": (2, 3, 4, 5, 6, 7, 8)}
    findings: list[Diagnostic] = []
    for key, options in _parts(bits, "--bits", findings):
        found[key] = options
    chosen: dict[str, tuple[int, ...]] = {}
    for text in fixed:
        layer, _, rest = text.partition(":")
        for key, options in _parts(rest, "--fix", findings):
            chosen[f"{layer}.{key}"] = options
    for pattern in groups:
        try:
            re.compile(pattern)
        except re.error as error:
            findings.append(_unreadable("--group", f"{pattern}: {error}", "a regular expression"))
    if findings:
        raise CompileError(findings)
    return Wish(found, chosen, tuple(groups))


def _parts(
    text: str, option: str, findings: list[Diagnostic]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield kind and options of each part of ``w=2:8 a=4,6``."""
    parts = re.split(r"[ ,]+(?=[a-zA-Z])", text.strip())
    for part in parts:
        key, _, value = part.partition("=")
        options = _options(value)
        if key in ("w", "a") and options:
            yield key, options
        else:
            findings.append(_unreadable(option, part, "w=2:8 and a=4,6,8, bits from 2 to 16"))


def _options(text: str) -> tuple[int, ...]:
    """Return the numbers of ``2:8`` or ``4,6,8``, none where it cannot be read."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,2})(?::(\d{1,2}))?", part.strip())
        if match is None:
            return ()
        first, last = int(match[1]), int(match[2] or match[1])
        found |= set(range(first, last + 1))
    return (
        tuple(sorted(found)) if found and MIN_BITS <= min(found) <= max(found) <= MAX_BITS else ()
    )


def _unreadable(option: str, found: str, supported: str) -> Diagnostic:
    return Diagnostic(
        code="HW320", title="options that cannot be read", where=option,
        found=printable(found), supported=supported,
    )  # fmt: skip


def space_of(bench: Bench, wish: Wish, order: Sequence[str]) -> Space:
    """Return the variables of a model.

    What must share a scale has the same bits: the operands of residual sums and concatenations.

    Args:
        bench: the model.
        wish: what is asked.
        order: settings in the order of computation.

    Raises:
        CompileError: HW316, more bits than were trained; HW321, a name that is not there; HW330,
            too many configurations to number.
    """
    units: list[tuple[str, tuple[str, ...]]] = [("w", (f"{n}.w",)) for n in bench.layers()]
    units += [("a", names) for names in bench.activations()]
    known = {name for _, names in units for name in names}
    unknown = [name for name in wish.fixed if name not in known]
    if unknown:
        raise CompileError([_unknown(name, known) for name in unknown])
    beyond = [n for n in wish.fixed if max(wish.fixed[n]) > bench.most.get(n, MAX_BITS)]
    if beyond:
        raise CompileError(
            [beyond_trained(n, max(wish.fixed[n]), bench.most[n], "--fix") for n in beyond]
        )
    joined: dict[tuple[str, str], list[str]] = {}
    for kind, names in units:
        joined.setdefault((kind, _group_of(names, wish.groups)), []).extend(names)
    found = [_variable(kind, names, wish, bench.most) for (kind, _), names in joined.items()]
    place = {name: i for i, name in enumerate(order)}
    space = Space(tuple(sorted(found, key=lambda v: min(place.get(n, 0) for n in v.members))))
    if space.size > MOST:
        raise CompileError([_too_large(space)])
    return space


def _group_of(names: Sequence[str], groups: Sequence[str]) -> str:
    """Return the pattern that names match, or the first of them."""
    for pattern in groups:
        if any(re.search(pattern, name.rpartition(".")[0]) for name in names):
            return f"~{pattern}"
    return names[0]


def _variable(kind: str, names: Sequence[str], wish: Wish, most: Mapping[str, int]) -> Variable:
    """Return a variable: what is asked for, up to the bits that were trained and with these."""
    chosen = [wish.fixed[name] for name in names if name in wish.fixed]
    options = chosen[-1] if chosen else wish.bits[kind]
    trained = tuple(most[name] for name in names if name in most)
    if trained and not chosen:
        options = (*(b for b in options if b < max(trained)), max(trained))
    return Variable(names[0], tuple(names), options, trained)


def _too_large(space: Space) -> Diagnostic:
    return Diagnostic(
        code="HW330", title="too many configurations",
        found=f"{space.size:.1e}, of {len(space.variables)} choices", supported=f"up to {MOST:.1e}",
        help="give layers the same bits with --group, such as --group 'conv.*', or fewer options "
        "with --bits, such as --bits 'w=2,4,8 a=4,8'",
    )  # fmt: skip


def _unknown(name: str, known: set[str]) -> Diagnostic:
    return Diagnostic(
        code="HW321", title="bits for a layer that is not there", where="--fix",
        found=printable(name.replace(".", ":")),
        supported=", ".join(printable(k) for k in sorted(known)),
        help=did_you_mean(name, sorted(known)),
    )  # fmt: skip
