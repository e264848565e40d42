"""What Optuna proposes in a given time, evaluated like everything else."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import optuna

from hwflow.exploration.explorer import Explorer
from hwflow.exploration.front import costs_of
from hwflow.exploration.space import Numbers

Ask = Callable[[Numbers], npt.NDArray[np.int32]]


def optuna_search(explorer: Explorer, ask: Ask, seed: int, seconds: float) -> Numbers:
    """Return what Optuna's NSGA-II evaluates in some seconds of processor time.

    Args:
        explorer: the model; all it needs was compiled before.
        ask: gives right answers of configurations.
        seed: seed of the sampler.
        seconds: time for proposals and evaluations.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space, (priced,) = explorer.space, explorer.boards
    column = 0 if explorer.search.labels is not None else 1
    study = optuna.create_study(
        directions=("maximize", "minimize"), sampler=optuna.samplers.NSGAIISampler(seed=seed)
    )
    found: list[int] = []
    started = time.process_time()
    while time.process_time() - started < seconds:
        trial = study.ask()
        digits = [trial.suggest_int(v.name, 0, len(v.options) - 1) for v in space.variables]
        number = np.array([space.number(digits)])
        right = float(ask(number)[0, column])
        cost = costs_of(priced.figures(number), explorer.request.cost)[0, 0]
        study.tell(trial, (right, float(cost)))
        found.append(int(number[0]))
    return np.array(found, np.int64)
