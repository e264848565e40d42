"""Board profiles: what a device offers, each figure with where it was read.

A profile is one TOML file, shipped in ``boards/`` or the user's own. This module is imported only
by commands that need a board, since pydantic takes time to load.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.core.files import read_limited
from hwflow.core.resources import boards_dir
from hwflow.core.toml_text import parse_toml

RESOURCES = ("lut", "ff", "dsp", "bram_18k", "uram")
"""Resources of a device, in the order of the report."""

PriceClass = Literal[
    "under 100", "100 to 400", "400 to 1500", "1500 to 5000", "5000 to 15000", "over 15000"
]
"""Classes of prices in US dollars, cheapest first. They are wide: prices differ and change."""

LogicKind = Literal["lut6_dsp48", "lut4_mult18", "lut4_mult16", "alm_mult27"]
"""Kinds of logic and multiplier blocks, which ``hwflow.estimate.logic`` converts between."""

PRICES: tuple[PriceClass, ...] = get_args(PriceClass)
"""The classes of prices, cheapest first."""

_USUAL_LOGIC: dict[str, LogicKind] = {"amd": "lut6_dsp48", "intel": "alm_mult27"}
"""Kinds by vendor, where a profile does not say; LUTs of 4 inputs for all others."""

MAX_PROFILE_BYTES = 100_000
"""A profile is a page of text; anything larger is not one."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=400, pattern=r"^[^\n\r]*$")]
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./+-]{0,63}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Figure(_Strict):
    """A resource count and where it was read.

    Attributes:
        count: how many the device has.
        source: document, report or page that says so; "unconfirmed" where only one does.
    """

    count: int = Field(ge=0, le=100_000_000)
    source: Line


class Resources(_Strict):
    """What the programmable logic of a device offers.

    Attributes:
        lut: look-up tables: of 6 inputs on AMD devices, of 4 on most others; ALMs where the logic
            of the board has them.
        ff: flip-flops.
        dsp: multiplier blocks.
        bram_18k: 18 kbit block RAMs; a 36 kbit block counts as two, and smaller blocks as what
            18 kbit take of them.
        uram: 288 kbit UltraRAMs.
    """

    lut: Figure
    ff: Figure
    dsp: Figure
    bram_18k: Figure
    uram: Figure

    def count(self, resource: str) -> int:
        """Return how many of a resource there are."""
        figure: Figure = getattr(self, resource)
        return figure.count


class Price(_Strict):
    """What a board costs.

    Attributes:
        usd: class in US dollars.
        source: who asks that, and when.
    """

    usd: PriceClass
    source: Line


class IdlePower(_Strict):
    """What a device takes while nothing in it switches.

    Attributes:
        watts: static power of the device in W, without the rest of the board.
        source: report or data sheet that says so.
    """

    watts: float = Field(ge=0.0, le=1000.0)
    source: Line


class BoardPower(_Strict):
    """What a whole board takes while networks run in its programmable logic.

    Attributes:
        low: the least that was measured, in W at the input of the board.
        high: the most.
        source: who measured it, with which networks.
    """

    low: float = Field(gt=0.0, le=1000.0)
    high: float = Field(gt=0.0, le=1000.0)
    source: Line

    @model_validator(mode="after")
    def _in_order(self) -> BoardPower:
        if self.high < self.low:
            raise ValueError("high is less than low")
        return self


class Board(_Strict):
    """A board and its device. What nobody is sure of is None, and shown as unknown.

    Attributes:
        name: the name that is printed on the board.
        part: device with package and speed grade, as the vendor's tool takes it.
        vendor: maker of the device.
        family: device family.
        resources: what the device offers.
        clock_period_ns: clock period to ask for when the user does not say, in ns.
        memory: memory beside the device.
        notes: anything a user should know.
        speed_grade: speed grade in the name of the part; None where it has none.
        logic: kind of logic and multipliers; None for the usual one of the vendor.
        price: what the board costs.
        idle_power: what the device takes while nothing switches.
        board_power: what the whole board takes while networks run.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]{0,63}$")]
    part: Token
    vendor: Literal["amd", "lattice", "gowin", "intel", "microchip"]
    family: Line
    resources: Resources
    clock_period_ns: float = Field(ge=0.1, le=1000.0)
    memory: Line
    notes: str = Field(default="", max_length=2000)
    speed_grade: Token | None = None
    logic: LogicKind | None = None
    price: Price | None = None
    idle_power: IdlePower | None = None
    board_power: BoardPower | None = None

    @property
    def logic_kind(self) -> LogicKind:
        """The kind of logic and multipliers, said or usual."""
        return self.logic or _USUAL_LOGIC.get(self.vendor, "lut4_mult18")

    @property
    def buildable(self) -> bool:
        """Whether Vitis and Vivado have the part, so that a project can be written for it."""
        return self.vendor == "amd"

    @property
    def price_rank(self) -> int:
        """Where its price stands among ``PRICES``; behind all of them where it is not known."""
        return PRICES.index(self.price.usd) if self.price else len(PRICES)

    def __repr__(self) -> str:
        """Return the device and its resources in one line."""
        counts = ", ".join(f"{self.resources.count(r):,} {r}" for r in RESOURCES)
        return f"Board {self.name}: {self.part}, {counts}"


@cache
def list_boards() -> tuple[Board, ...]:
    """Return the shipped profiles, by name.

    Raises:
        CompileError: a shipped profile is not valid.
    """
    boards = [_shipped(path) for path in sorted(boards_dir().glob("*.toml"))]
    return tuple(sorted(boards, key=lambda b: b.name.lower()))


@cache
def _shipped(path: Path) -> Board:
    """Return a shipped profile, which does not change while hwflow runs."""
    return _read(path)


def load_board(name_or_path: str | Path) -> Board:
    """Return a shipped profile by its name, any case, or a profile file by its path.

    Raises:
        CompileError: no such board (HW501), or the file cannot be read (HW502) or breaks the
            schema (HW503, every violation at once).
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.lower().endswith(".toml"):
        return _read(Path(name_or_path))
    wanted = _key(text)
    for path in boards_dir().glob("*.toml"):  # a file is called as its board
        if _key(path.stem) == wanted:
            return _shipped(path)
    boards = list_boards()
    names = [board.name for board in boards]
    close = did_you_mean(wanted, [_key(n) for n in names])
    for board in boards:
        close = close.replace(repr(_key(board.name)), repr(board.name))
    raise CompileError(
        [
            Diagnostic(
                code="HW501",
                title="unknown board",
                found=f"board = {text[:80]!r}",
                supported=", ".join(names),
                help=f"{close} or give the path of a profile file (.toml)".strip(),
            )
        ]
    )


def _key(name: str) -> str:
    """Return a name without case and separators: ``Arty A7-35T`` and ``arty_a7_35t`` are one."""
    return "".join(c for c in name.lower() if c.isalnum())


def _read(path: Path) -> Board:
    try:
        data = parse_toml(read_limited(path, MAX_PROFILE_BYTES))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _unreadable(path, reason or type(error).__name__) from error
    try:
        return Board.model_validate(data)
    except ValidationError as error:
        raise CompileError(
            Diagnostic(
                code="HW503",
                title="board profile breaks the schema",
                where=f"{path.name}, {'.'.join(map(str, e['loc'])) or 'top level'}",
                found=_shown(e["input"]) if e["type"] != "missing" else "nothing",
                supported=e["msg"],
                help="compare with a shipped profile: hwflow boards --json",
            )
            for e in error.errors()
        ) from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _unreadable(path: Path, reason: str) -> CompileError:
    return CompileError(
        [
            Diagnostic(
                code="HW502",
                title="board profile cannot be read",
                where=path.name,
                found=reason,
                help="check the path and that the file is TOML",
            )
        ]
    )
