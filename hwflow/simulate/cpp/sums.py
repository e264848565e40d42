"""Sums of distributed arithmetic as a loop over a table, which g++ compiles at once.

da4ml writes a matrix product in C++ as one statement for each addition, each of a type of its own.
The templates of ``ap_fixed`` are instantiated for every one of them: with weights of 16 bits that
is minutes and gigabytes. The simulation computes the same sums on mantissas in ``long long``, from
a table that is read off the generated text, so that a project that somebody edited is simulated as
it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

SHORTEST = 100
"""Statements below which the text stays as it is."""

WIDEST = 62
"""Bits that no value may pass on the way; ``long long`` has 64."""

_HEAD = re.compile(
    r"\s*template <typename inp_t, typename out_t>\s*"
    r"void \w+\(inp_t model_inp\[\d+\], out_t model_out\[\d+\]\) \{"
)
_IGNORED = re.compile(r"//[^\n]*|^[ \t]*#pragma[^\n]*", re.M)
_TYPE = r"ap_(?P<u{0}>u?)fixed<(?P<w{0}>\d+),(?P<i{0}>-?\d+)>"
_TERM = r"(?:v(?P<v{0}>\d+)|bit_shift<(?P<s{0}>-?\d+)>\(v(?P<x{0}>\d+)\))"
_NUMBER = r"\((?P<number>\d+(?:\.\d+)?(?:e[-+]?\d+)?)\)"
_INPUT = re.compile(_TYPE.format("") + r" v(?P<to>\d+) = model_inp\[(?P<at>\d+)\]")
_SUM = re.compile(
    rf"{_TYPE.format('')} v(?P<to>\d+) = (?P<minus>-?){_TERM.format(0)}"
    rf"(?: (?P<sign>[-+]) (?:{_TERM.format(1)}|{_TYPE.format('c')}{_NUMBER}))?"
)
_OUTPUT = re.compile(
    rf"model_out\[(?P<to>\d+)\] = (?:0|{_TYPE.format('')}\((?P<minus>-?){_TERM.format(0)}\))"
)


class _UnknownError(Exception):
    """A statement that is not understood, or one whose values could pass 62 bits."""


@dataclass(frozen=True)
class _Value:
    """A mantissa: where it is, its bits, and how many of them are behind the binary point."""

    at: int
    width: int
    fractional: int


_ZERO = _Value(0, 0, 0)


@dataclass(kw_only=True)
class _Table:
    """What the statements do, as rows of whole numbers.

    Attributes:
        size: number of mantissas.
        inputs: element of the input, and its value.
        constants: mantissas by their place.
        rows: ``(to, a, up, sign, b, up, sign, down, bits)``: the sum of two mantissas, each moved
            up and with a sign, moved down and cut to so many bits, negative where unsigned.
        outputs: element of the output, and its value.
    """

    size: int = 1  # mantissa 0 is 0
    inputs: list[tuple[int, _Value]] = field(default_factory=list)
    constants: dict[int, int] = field(default_factory=dict)
    rows: list[tuple[int, ...]] = field(default_factory=list)
    outputs: list[tuple[int, _Value]] = field(default_factory=list)
    _variables: dict[str, _Value] = field(init=False, default_factory=dict)

    def read(self, statement: str) -> None:
        """Take one statement.

        Raises:
            _UnknownError: it is not understood.
        """
        if match := _INPUT.fullmatch(statement):
            value = self._made(match)
            self.inputs.append((int(match["at"]), value))
            whole = _Value(value.at, WIDEST, value.fractional)
            self._row(match, value, whole, _ZERO)
        elif match := _SUM.fullmatch(statement):
            value = self._sum(match, self._second(match))
        elif match := _OUTPUT.fullmatch(statement):
            value = self._sum(match, _ZERO) if match["w"] else _ZERO
            self.outputs.append((int(match["to"]), value))
            return
        else:
            raise _UnknownError(statement)
        if self._variables.setdefault(match["to"], value) is not value:
            raise _UnknownError(statement)

    def _made(self, match: re.Match[str], name: str = "") -> _Value:
        width = int(match[f"w{name}"])
        self.size += 1
        return _Value(self.size - 1, width, width - int(match[f"i{name}"]))

    def _term(self, match: re.Match[str], name: str) -> _Value:
        """Return a variable, its binary point moved as ``bit_shift`` of hls4ml moves it."""
        known = self._variables.get(match[f"v{name}"] or match[f"x{name}"])
        if known is None:
            raise _UnknownError(match[0])
        return _Value(known.at, known.width, known.fractional - int(match[f"s{name}"] or 0))

    def _second(self, match: re.Match[str]) -> _Value:
        """Return the second term of a sum: a variable, a constant, or zero where there is none."""
        if match["sign"] is None:
            return _ZERO
        if match["number"] is None:
            return self._term(match, "1")
        value = self._made(match, "c")
        mantissa = Fraction(match["number"]) * Fraction(2) ** value.fractional
        if mantissa.denominator > 1 or mantissa >= 2 ** (value.width - (not match["uc"])):
            raise _UnknownError(match[0])
        self.constants[value.at] = int(mantissa)
        return value

    def _sum(self, match: re.Match[str], second: _Value) -> _Value:
        first = self._term(match, "0")
        value = self._made(match)
        self._row(match, value, first, second)
        return value

    def _row(self, match: re.Match[str], to: _Value, first: _Value, second: _Value) -> None:
        """Add the row of a sum that is cast, with no rounding but truncation, to its type."""
        given = match.groupdict()
        terms = [v for v in (first, second) if v is not _ZERO]
        point = max(v.fractional for v in terms)
        up = [point - v.fractional if v in terms else 0 for v in (first, second)]
        down = point - to.fractional
        widest = max(v.width + point - v.fractional for v in terms) + len(terms) - 1
        if max(widest, widest - down, to.width, down) > WIDEST:
            raise _UnknownError(match[0])
        signs = (-1 if given.get(name) == "-" else 1 for name in ("minus", "sign"))
        bits = -to.width if match["u"] else to.width
        sides = zip((first.at, second.at), up, signs, strict=True)
        self.rows.append((to.at, *(n for side in sides for n in side), down, bits))


def with_sums(code: str) -> str:
    """Return a function of distributed arithmetic as a loop, and any other code as it is.

    Args:
        code: one outermost declaration of ``nnet_code_gen.h``.
    """
    head = _HEAD.match(code)
    if head is None or code.count(";") < SHORTEST:
        return code
    body = _IGNORED.sub("", code[head.end() :]).strip().removesuffix("}")
    table = _Table()
    try:
        for statement in body.split(";"):
            if statement.strip():
                table.read(" ".join(statement.split()))
        return head[0] + _loop(table)
    except _UnknownError:
        return code


def _aligned(values: Sequence[tuple[int, _Value]]) -> tuple[int, list[tuple[int, ...]]]:
    """Return the finest binary point of ports, and their elements, places and distances from it."""
    point = max((v.fractional for _, v in values if v is not _ZERO), default=0)
    found: list[tuple[int, ...]] = []
    for element, value in values:
        distance = 0 if value is _ZERO else point - value.fractional
        if value.width + distance > WIDEST:
            raise _UnknownError(f"element {element}")
        found.append((element, value.at, distance))
    return point, found


def _braces(rows: Sequence[tuple[int, ...]]) -> str:
    return ",\n        ".join("{" + ",".join(map(str, row)) + "}" for row in rows)


def _loop(table: _Table) -> str:
    """Return the body of the function: mantissas in, sums in their order, mantissas out."""
    fine, inputs = _aligned(table.inputs)
    point, outputs = _aligned(table.outputs)
    constants = "".join(f"    v[{at}] = {value}LL;\n" for at, value in table.constants.items())
    return f"""
    static const int inputs[][3] = {{
        {_braces(inputs)}}};
    static const int rows[][9] = {{
        {_braces(table.rows)}}};
    static const int outputs[][3] = {{
        {_braces(outputs)}}};
    static long long v[{table.size}] = {{0}};
{constants}    for (const auto &from : inputs) {{
        ap_fixed<{WIDEST}, {WIDEST - fine}> x = model_inp[from[0]];
        v[from[1]] = x.V.to_int64() >> from[2];
    }}
    for (const auto &r : rows) {{
        long long sum = v[r[1]] * (1LL << r[2]) * r[3] + v[r[4]] * (1LL << r[5]) * r[6];
        sum = r[7] < 0 ? sum * (1LL << -r[7]) : sum >> r[7];
        const int cut = 64 - (r[8] < 0 ? -r[8] : r[8]);
        const unsigned long long top = (unsigned long long)sum << cut;
        v[r[0]] = r[8] < 0 ? (long long)(top >> cut) : (long long)top >> cut;
    }}
    for (const auto &to : outputs) {{
        ap_fixed<{WIDEST}, {WIDEST - point}> y;
        y.V = v[to[1]] * (1LL << to[2]);
        model_out[to[0]] = y;
    }}
}}"""
