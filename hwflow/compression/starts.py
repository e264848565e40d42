"""What a compression begins with: files, code, or a point of a run of ``explore``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.points import front_of_board, point_of
from hwflow.exploration.run import open_run, refuse_changed


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a compression begins with.

    Attributes:
        model: path of a model, or ``FILE.py:FUNCTION``.
        data: the same for its data.
        bits: those of a point of an exploration, by the names that ``quantize`` takes.
    """

    model: str
    data: str
    bits: Mapping[str, int] = field(default_factory=dict)


def start_of(
    model: str | Path | None, data: str | Path | None, from_run: Path | None, point: int | None
) -> Start:
    """Return what a compression begins with: given by name, or that of an exploration.

    Args:
        model: path of a model, or ``FILE.py:FUNCTION``.
        data: the same for its data.
        from_run: folder of an exploration, whose float model and data are taken.
        point: id of a point of its front, the knee unless given.

    Raises:
        CompileError: HW369, neither or both are given; HW326, no exploration; HW331, no such
            point; HW332, model or data are not what they were.
    """
    if from_run is None and model is not None and data is not None and point is None:
        return Start(model=str(model), data=str(data))
    if from_run is None or model is not None or data is not None:
        raise CompileError([_unclear(model, data, from_run)])
    request, run = open_run(from_run)
    front = front_of_board(run, None)
    found = point_of(front, front["knee"] if point is None else point)
    refuse_changed(request, run)
    space = Explorer.of(request).space
    return Start(model=request.model, data=request.data, bits=space.bits(found["id"]))


def _unclear(model: str | Path | None, data: str | Path | None, run: Path | None) -> Diagnostic:
    given = {"MODEL": model, "--data": data, "--from-run": run}
    return Diagnostic(
        code="HW369", title="it is not clear what to begin with",
        found=", ".join(n for n, v in given.items() if v is not None) or "nothing",
        supported="MODEL and --data, or --from-run and --id",
        help="give both MODEL and --data, or neither beside --from-run",
    )  # fmt: skip
