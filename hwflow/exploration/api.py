"""``hwflow.explore``: exploration by plain arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hwflow.core.executors import open_executor
from hwflow.exploration.explorer import Progress
from hwflow.exploration.request import Request
from hwflow.exploration.run import EVALUATIONS, Run
from hwflow.exploration.run import explore as explore_request

METHOD = ("per_channel", "scale", "method", "equalize", "bias_correction", "asymmetric")
"""Options that are those of ``quantize``; others are entries of ``[target]``."""


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
    evaluations: int = EVALUATIONS,
    progress: Progress = lambda stage, done: None,
    say: Callable[[str], None] = lambda line: None,
    **options: Any,
) -> Run:
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
        scheduler: address of a Dask cluster that evaluates instead, such as
            ``tcp://10.0.0.1:8786``.
        exhaustive: evaluate all configurations, however long it takes.
        evaluations: configurations to evaluate where all would take longer than two minutes.
        progress: called as stages go on.
        say: called with the plan.
        options: those of ``quantize`` (``METHOD``), and ``io_type``, ``backend``, ``strategy``,
            ``clock_period_ns``, ``reuse_factor``.

    Raises:
        CompileError: the model, the data or the options cannot be used, or the folder is another
            exploration's; HW329, a check failed; HW330, too many configurations.
        ToolError: HW607, Dask is not installed; HW611 to HW614, the cluster cannot be used.
    """
    request = Request(
        model=str(model), data=str(data),
        boards=(board,) if isinstance(board, str) else tuple(board),
        bits=bits, fix=tuple(fix), group=tuple(group), cost=tuple(cost), samples=samples,
        seed=seed, method={k: v for k, v in options.items() if k in METHOD},
        target={k: v for k, v in options.items() if k not in METHOD},
    )  # fmt: skip
    with open_executor(workers, scheduler) as executor:
        return explore_request(
            request, Path(run), executor=executor, exhaustive=exhaustive,
            evaluations=evaluations, progress=progress, say=say,
        )  # fmt: skip
