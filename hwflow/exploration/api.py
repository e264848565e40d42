"""``hwflow.explore`` and ``hwflow.open_run``: explorations from Python and in notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.core.errors import ToolError
from hwflow.core.executors import open_executor
from hwflow.exploration.evaluation import NewSearcher
from hwflow.exploration.explorer import Progress
from hwflow.exploration.export import row_of
from hwflow.exploration.pick import Picked, choice_of
from hwflow.exploration.pick import pick as pick_point
from hwflow.exploration.points import front_of_board, on_board
from hwflow.exploration.request import Request
from hwflow.exploration.run import Run
from hwflow.exploration.run import explore as explore_request
from hwflow.exploration.run import open_run as open_folder

if TYPE_CHECKING:
    import pandas

METHOD = ("per_channel", "scale", "method", "equalize", "bias_correction", "asymmetric")
"""Options that are those of ``quantize``; others are entries of ``[target]``."""


class Exploration(Run):
    """A finished exploration, as Python has it; ``result`` is what ``front.json`` holds."""

    @property
    def certified(self) -> bool:
        """Whether all configurations of the space, or within the limits, were evaluated."""
        return bool(self.result["certified"])

    @property
    def certified_part(self) -> dict[str, Any] | None:
        """What is certified of a heuristic front: ``cost``, ``up_to`` and ``configurations``.

        All ``configurations`` on ``board`` that keep to the upper limits and cost at most ``up_to``
        were evaluated. None where nothing is proven of a part.
        """
        part: dict[str, Any] | None = self.result.get("certified_part")
        return part

    def front(self, board: str | None = None) -> dict[str, Any]:
        """Return the front of a board, as plain data; best point first.

        Args:
            board: its name; the first of the run unless given.

        Raises:
            CompileError: HW331, the run has no such front.
        """
        return front_of_board(self, board)

    def to_pandas(self, board: str | None = None) -> pandas.DataFrame:
        """Return one row for each point of each front, or of one, with the columns of ``csv``.

        Raises:
            CompileError: HW331, the run has no such front.
            ToolError: HW607, pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ToolError(
                "pandas", "the package is not installed", code="HW607", log=str(error),
                help="pip install pandas; `run.front()` needs none",
            ) from error  # fmt: skip
        fronts = on_board(self, board).result["fronts"]
        return pandas.DataFrame([row_of(f, point) for f in fronts for point in f["points"]])

    def pick(
        self,
        out: str | Path,
        *,
        board: str | None = None,
        number: int | None = None,
        most: Mapping[str, str] | None = None,
        least: Mapping[str, str] | None = None,
        best: str | None = None,
        cpp: bool = True,
        progress: Progress = lambda stage, done: None,
    ) -> Picked:
        """Build a point of a front, after checking that it is what was found.

        Args:
            out: folder of the project.
            board: the front of which board; the first unless given.
            number: the point's id; the knee unless given.
            most: greatest costs of the best point that is wanted, such as ``{"share": "30%"}``.
            least: right answers that it has at least, such as ``{"acc": "95%"}``.
            best: what it is best in: ``acc``, ``agree``, or the least of a cost.
            cpp: compile the C++ and compare every layer with it.
            progress: called as stages go on.

        Raises:
            CompileError: HW331, no such point; HW343, a limit cannot be read; HW332, anything is
                not what it was.
            ToolError: g++ is missing, or the C++ does not compile.
        """
        limits = ([f"{k}={v}" for k, v in (part or {}).items()] for part in (most, least))
        choice = choice_of(board, number, *limits, best=best)
        return pick_point(self.folder, Path(out), choice, cpp=cpp, progress=progress)

    def _repr_html_(self) -> str:
        """Return the picture of the fronts with a line on what they are, for notebooks."""
        return f"{self._repr_svg_()}<p>{escape(repr(self))}</p>"


def open_run(folder: str | Path) -> Exploration:
    """Return a finished exploration from its folder.

    Raises:
        CompileError: HW326, there is none, or it is not finished.
    """
    found = open_folder(Path(folder))[1]
    return Exploration(found.folder, found.result)


def _sorted(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return limits, options of ``quantize`` as ``method``, and others as ``target``."""
    limits: dict[str, Any] = {n: tuple(options[n]) for n in ("most", "least") if n in options}
    limits |= {"fit": options["fit"]} if "fit" in options else {}
    method = {name: value for name, value in options.items() if name in METHOD}
    target = {k: v for k, v in options.items() if k not in {**method, **limits}}
    return {**limits, "method": method, "target": target}


def _names(board: str | Sequence[str]) -> tuple[str, ...]:
    return (board,) if isinstance(board, str) else tuple(board)


def explore(
    model: str | Path,
    data: str | Path,
    *,
    run: str | Path,
    board: str | Sequence[str] = "pynq-z2",
    bits: str = "w=2:8 a=2:8",
    fix: Sequence[str] = (),
    group: Sequence[str] = (),
    cost: Sequence[str] = ("share",),
    samples: int = 1000,
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    exhaustive: bool = False,
    evaluations: int | None = None,
    time_s: float | None = None,
    search: NewSearcher | None = None,
    progress: Progress = lambda stage, done: None,
    say: Callable[[str], None] = lambda line: None,
    **options: Any,
) -> Exploration:
    """Find the precisions that nothing beats, accuracy against what they cost on boards.

    Args:
        model: path of a model, float or quantised, as ``quantize`` takes it.
        data: path of its data, with labels as ``y``.
        run: folder of the run; one that was ended goes on.
        board: profiles, one or several.
        bits: options of all weights and activations.
        fix: options of single layers, such as ``fc1:w=8``.
        group: regular expressions; layers that match one have the same bits.
        cost: figures that count against a configuration.
        samples: most samples to search with.
        seed: seed of what is drawn.
        workers: processes; the result does not depend on how many.
        scheduler: address of a Dask cluster that evaluates instead.
        exhaustive: evaluate all configurations, however long it takes.
        evaluations: configurations to evaluate where all would take too long; 1,200 unless given.
        time_s: seconds that are too long, and end a heuristic exploration; two minutes, not ended.
        search: makes a ``Searcher`` of space and seed, which asks in the place of hwflow's.
        progress: called as stages go on.
        say: called with the plan.
        options: those of ``quantize`` (``METHOD``); limits, ``most=("lut=70%", "latency=1us")`` and
            ``least=("acc=95%",)``; ``fit={"lut": "70%"}``, budgets; others of ``[target]``.

    Raises:
        CompileError: HW329, a check failed; HW336, HW344, none within limits; others.
        ToolError: HW607, Dask is not installed; HW611 to HW614, the cluster cannot be used.
    """
    request = Request(
        model=str(model), data=str(data), boards=_names(board), bits=bits, fix=tuple(fix),
        group=tuple(group), cost=tuple(cost), samples=samples, seed=seed, **_sorted(options),
    )  # fmt: skip
    with open_executor(workers, scheduler) as executor:
        found = explore_request(
            request, Path(run), executor=executor, exhaustive=exhaustive, search=search,
            evaluations=evaluations, time_s=time_s, progress=progress, say=say,
        )  # fmt: skip
    return Exploration(found.folder, found.result)
