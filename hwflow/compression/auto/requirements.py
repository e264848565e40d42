"""What a design has to be: a TOML file, read with every mistake in it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hwflow.core.board import load_board
from hwflow.core.config import MAX_BYTES
from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.core.files import read_limited
from hwflow.core.toml_text import parse_toml
from hwflow.estimate.power import idle_power
from hwflow.exploration.budgets import Limit, read_limits, read_seconds
from hwflow.exploration.costs import ENERGY
from hwflow.ir.qonnx.model import printable

Texts = str | list[str]


class Settings(BaseModel):
    """The keys of the file.

    Attributes:
        model: path of a float model, seen from the file.
        data: path of its data, with labels as ``y``.
        board: a board profile.
        min: lower limits, such as ``acc=97%``.
        max: upper limits, such as ``latency=500ns lut=30%``.
        clock_period_ns: clocks to choose from; the board's and half of it unless given.
        io_type: io types to choose from; both unless given.
        time: after which no further trial begins.
        trials: most trials.
        seed: what all that is drawn begins with.
        methods: methods to choose from; all unless given.
        confidence: whether the estimate of an accuracy counts, or the lower end of its interval.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    data: str
    board: str = "pynq-z2"
    min: Texts = ""
    max: Texts = ""
    clock_period_ns: list[float] = Field([], max_length=8)
    io_type: list[Literal["io_parallel", "io_stream"]] = ["io_parallel", "io_stream"]
    time: str = "10min"
    trials: int = Field(40, ge=1, le=10_000)
    seed: int = Field(0, ge=0, le=2**31)
    methods: list[str] = []
    confidence: Literal["estimate", "interval"] = "estimate"


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """Requirements that can be used.

    Attributes:
        settings: as they were written.
        model: path of the model.
        data: path of the data.
        limits: all limits; the board holds the design besides.
        seconds: the time.
        clocks: clocks to choose from, ns.
        methods: names of methods to choose from.
    """

    settings: Settings
    model: Path
    data: Path
    limits: tuple[Limit, ...]
    seconds: float
    clocks: tuple[float, ...]
    methods: tuple[str, ...]

    @property
    def floors(self) -> tuple[Limit, ...]:
        """Lower limits, which are held against samples."""
        return tuple(limit for limit in self.limits if limit.least)

    @property
    def budgets(self) -> tuple[Limit, ...]:
        """Upper limits, which are held against estimates; the board among them."""
        own = tuple(limit for limit in self.limits if not limit.least)
        shared = any(limit.figure == "share" for limit in own)
        return own if shared else (*own, Limit("share", "share", 1.0))

    def plain(self) -> dict[str, Any]:
        """Return what the search depends on; its time is no part of it."""
        return self.settings.model_dump(exclude={"time", "trials"})


def read_requirements(path: Path, methods: Sequence[str]) -> Requirements:
    """Return the requirements in a file.

    Args:
        path: the TOML file; paths in it are seen from its folder.
        methods: names of the methods there are.

    Raises:
        CompileError: HW377, the file cannot be read; HW376, for everything in it that cannot be
            used.
    """
    try:
        given = parse_toml(read_limited(path, MAX_BYTES))
    except (OSError, ValueError) as error:
        finding = Diagnostic(
            code="HW377", title="requirements cannot be read", where=str(path),
            found=getattr(error, "strerror", None) or str(error).split("\n")[0],
            supported="a TOML file", help='such as: model = "float.onnx"',
        )  # fmt: skip
        raise CompileError([finding]) from error
    settings, findings = _settings(given, path.name)
    if settings is not None:
        findings += list(_unusable(settings, path, methods))
    if findings or settings is None:
        raise CompileError(findings)
    board = load_board(settings.board)
    own = board.clock_period_ns
    return Requirements(
        settings=settings, model=path.parent / settings.model, data=path.parent / settings.data,
        limits=tuple(read_limits(_several(settings.max), _several(settings.min))),
        seconds=read_seconds(settings.time),
        clocks=tuple(settings.clock_period_ns) or (own, own / 2),
        methods=tuple(settings.methods or methods),
    )  # fmt: skip


def _several(texts: Texts) -> list[str]:
    return [texts] if isinstance(texts, str) else texts


def _settings(
    given: Mapping[str, Any], source: str
) -> tuple[Settings | None, list[Diagnostic]]:  # fmt: skip
    """Return what can be taken, and findings about all that cannot; None without model or data."""
    left = dict(given)
    findings: list[Diagnostic] = []
    while True:
        try:
            return Settings.model_validate(left), findings
        except ValidationError as error:
            known = list(Settings.model_fields)
            keys = {str(item["loc"][0]) for item in error.errors()}
            findings += [_refused(item, source, known) for item in error.errors()]
            missing = [key for key in keys if key not in left]
            left = {key: value for key, value in left.items() if key not in keys}
            left |= dict.fromkeys((*missing, *(keys & {"model", "data"})), "")


def _refused(item: Any, source: str, known: list[str]) -> Diagnostic:
    key = printable(str(item["loc"][0]))
    if item["type"] == "missing":
        return _finding(key, source, "nothing", f'such as: {key} = "{_example(key)}"')
    found = printable(repr(item["input"]))[:80]
    if item["type"] == "extra_forbidden":
        return _finding(key, source, f"an unknown key, {found}", did_you_mean(key, known), known)
    return _finding(key, source, found, item["msg"])


def _example(key: str) -> str:
    return "float.onnx" if key == "model" else "data.npz"


def _finding(
    key: str, source: str, found: str, help_: str, supported: Sequence[str] = ()
) -> Diagnostic:  # fmt: skip
    return Diagnostic(
        code="HW376", title="a requirement that cannot be used", where=f"{key}, in {source}",
        found=found, supported=", ".join(supported), help=help_,
    )  # fmt: skip


def _unusable(settings: Settings, path: Path, methods: Sequence[str]) -> Iterator[Diagnostic]:
    """Yield what is wrong with values that have the right form."""
    source = path.name
    for key in ("model", "data"):
        name = getattr(settings, key)
        if name and not (path.parent / name).exists():
            help_ = "paths are seen from the folder of this file"
            yield _finding(key, source, f"no such file: {printable(name)}", help_)
    yield from _located("time", source, lambda: read_seconds(settings.time))
    yield from _located("max", source, lambda: read_limits(_several(settings.max)))
    yield from _located("min", source, lambda: read_limits((), _several(settings.min)))
    yield from _located("board", source, lambda: load_board(settings.board))
    for name in settings.methods:
        if name not in methods:
            help_ = did_you_mean(name, list(methods))
            yield _finding("methods", source, printable(name), help_, methods)
    for clock in settings.clock_period_ns:
        if not 0.1 <= clock <= 1000:
            help_ = "give periods such as [5.0, 10.0]"
            yield _finding("clock_period_ns", source, f"{clock:g}", help_, ("0.1 to 1000",))
    yield from _no_energy(settings, source)


def _located(key: str, source: str, read: Any) -> Iterator[Diagnostic]:
    try:
        read()
    except CompileError as error:
        for found in error.diagnostics:
            yield _finding(key, source, found.found, found.help, (found.supported,))


def _no_energy(settings: Settings, source: str) -> Iterator[Diagnostic]:
    try:
        limits = read_limits(_several(settings.max))
        board = load_board(settings.board)
    except CompileError:
        return
    if idle_power(board) is None and any(limit.figure == ENERGY for limit in limits):
        help_ = "take a board whose idle power is known, such as pynq-z2"
        yield _finding("max", source, f"energy on {board.name}", help_)
