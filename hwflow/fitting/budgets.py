"""What a design may take at most: parsed, and held against a board and a clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hwflow.core.board import RESOURCES, Board
from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.core.limits import RESOURCES as LIMITS
from hwflow.core.limits import Amount, VerifySettings, parse_amount

BLOCKS = {name.removeprefix("max_"): resource for name, resource in LIMITS.items()}
"""Names of resources in budgets, with the board's name for each."""

NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6}
NAMES = (*BLOCKS, "latency", "ii", "throughput")
EXAMPLES = {
    "latency": "a time such as 800ns, 1us or 2ms, or cycles such as 200cycles",
    "ii": "cycles such as 4",
    "throughput": "inferences per second such as 200000, 200k or 2M; at least that",
}

_TIME = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) ?(ns|us|ms|cycles?)")
_RATE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) ?([kM]?)")
_MORE = {"": 1.0, "k": 1e3, "M": 1e6}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A limit on one figure of a design.

    Attributes:
        name: one of ``NAMES``.
        text: what was written.
        origin: where it was said, for people.
        amount: blocks or a share of the board's; None for times.
        cycles: a limit in cycles; None for others.
        ns: a limit in nanoseconds: of the latency, or between two inferences.
    """

    name: str
    text: str
    origin: str
    amount: Amount | None = None
    cycles: float | None = None
    ns: float | None = None

    @property
    def said(self) -> str:
        """The budget in words: as it was written, or where it comes from."""
        return str(self) if self.origin == "budgets" else self.origin

    def __str__(self) -> str:
        """Return the budget as it is written on the command line."""
        return f"{self.name}={self.text}"

    @property
    def figure(self) -> str:
        """What it is about: a resource of a board, ``latency`` or ``ii``."""
        return BLOCKS.get(self.name, "ii" if self.name == "throughput" else self.name)

    @property
    def high(self) -> bool:
        """Whether the upper end of an estimate is held against it, not its best value."""
        return self.amount is not None and self.amount.high

    def limit(self, board: Board, clock_period_ns: float) -> float:
        """Return the limit in blocks of the board, or in cycles."""
        if self.amount is not None:
            share = self.amount.percent
            return float(self.amount.value) * (board.resources.count(self.figure) if share else 1)
        if self.cycles is not None:
            return self.cycles
        assert self.ns is not None
        return self.ns / clock_period_ns


def parse_budgets(given: Mapping[str, object]) -> tuple[Budget, ...]:
    """Return budgets from values by name.

    Raises:
        CompileError: HW530, a name is not one of ``NAMES``, or its value is none; carries every
            finding.
    """
    return _parsed([(name, str(value), "budgets") for name, value in given.items()])


def parse_options(most: Sequence[str], least: Sequence[str]) -> dict[str, str]:
    """Return budgets by name, from texts of options such as ``lut=60%,latency=1us``.

    Args:
        most: what may be so much at most.
        least: what must be so much at least, which is the throughput alone.

    Raises:
        CompileError: HW530, as ``parse_budgets``; or a name is given twice, or to the other option.
    """
    found: dict[str, str] = {}
    findings: list[Diagnostic] = []
    for option, texts in (("--max", most), ("--min", least)):
        for part in (p for text in texts for p in re.split(r"[,\s]+", text) if p):
            name, _, value = part.partition("=")
            legal = [n for n in NAMES if (n == "throughput") == (option == "--min")]
            if name in found or name not in legal:
                supported = f"{', '.join(legal)} for {option}, each once"
                findings.append(_illegal(name, value, option, supported))
            found.setdefault(name, value)
    if findings:
        raise CompileError(findings)
    return found


def _parsed(given: Sequence[tuple[str, str, str]]) -> tuple[Budget, ...]:
    found: list[Budget] = []
    findings: list[Diagnostic] = []
    for name, text, origin in given:
        try:
            found.append(parse_budget(name, text, origin))
        except ValueError as error:
            findings.append(_illegal(name, text, origin, str(error)))
    if findings:
        raise CompileError(findings)
    return tuple(found)


def parse_budget(name: str, text: str, origin: str) -> Budget:
    """Return one budget.

    Raises:
        ValueError: the name or the value is none; says what is.
    """
    if name in BLOCKS:
        return Budget(name=name, text=text, origin=origin, amount=parse_amount(text))
    if name == "latency" and (match := _TIME.fullmatch(text)):
        value, unit = float(match[1]), match[2]
        if unit in NANOSECONDS:
            return Budget(name=name, text=text, origin=origin, ns=value * NANOSECONDS[unit])
        return Budget(name=name, text=text, origin=origin, cycles=value)
    if name == "throughput" and (match := _RATE.fullmatch(text)):
        rate = float(match[1]) * _MORE[match[2]]
        if rate > 0:
            return Budget(name=name, text=text, origin=origin, ns=1e9 / rate)
    if name == "ii":
        amount = parse_amount(text)
        if not amount.percent and not amount.high:
            return Budget(name=name, text=text, origin=origin, cycles=float(amount.value))
    raise ValueError(EXAMPLES.get(name) or ", ".join(NAMES))


def _illegal(name: str, text: str, where: str, supported: str) -> Diagnostic:
    guess = did_you_mean(name, NAMES) if name not in NAMES else ""
    return Diagnostic(
        code="HW530",
        title="illegal budget",
        where=where,
        found=f"{name}={text}"[:80],
        supported=supported,
        help=guess or "such as --max lut=60%,latency=1us or --min throughput=200k",
    )


def verify_budgets(limits: VerifySettings) -> Iterator[Budget]:
    """Yield the limits in ``[verify]`` that are about resources and timing."""
    for name in BLOCKS:
        if (amount := limits.amount(f"max_{name}")) is not None:
            yield Budget(
                name=name, text=amount.text, origin=f"max_{name} in [verify]", amount=amount
            )
    if (amount := limits.amount("max_latency_us")) is not None:
        ns = float(amount.value) * 1e3
        yield Budget(
            name="latency", text=f"{amount.text}us", origin="max_latency_us in [verify]", ns=ns
        )
    if (amount := limits.amount("max_ii")) is not None:
        cycles = float(amount.value)
        yield Budget(name="ii", text=amount.text, origin="max_ii in [verify]", cycles=cycles)


def board_budgets(board: Board) -> Iterator[Budget]:
    """Yield what the board has, which every design must keep to."""
    names = {resource: name for name, resource in BLOCKS.items()}
    for resource in RESOURCES:
        count = board.resources.count(resource)
        amount = parse_amount(str(count))
        yield Budget(
            name=names[resource], text=f"{count:,}", origin=f"what {board.name} has", amount=amount
        )
