"""The trials of a search: drawn by Optuna, kept in a database, repeated when they were killed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.compression.auto.bench import Bench
from hwflow.compression.auto.methods import Method, Params

if TYPE_CHECKING:
    import optuna

DATABASE = "study.db"

ENTRY = "entry"
"""Attribute of a trial: its line in the log."""

STARTUP = 8
"""Trials before Optuna's sampler predicts anything."""


class Study:
    """Trials on disk.

    A trial that was killed has no result. It is marked as failed, which the sampler does not look
    at, and the next one draws the same: draws are seeded by how many trials are finished.
    """

    def __init__(self, folder: Path, bench: Bench, methods: Sequence[Method]) -> None:
        """Open the trials in a folder, or begin.

        Args:
            folder: folder of the run.
            bench: the original and its samples.
            methods: those to choose from.
        """
        import optuna
        from optuna.trial import TrialState

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._bench, self._methods = bench, methods
        self._study = optuna.create_study(
            storage=f"sqlite:///{(folder / DATABASE).resolve()}", study_name="auto",
            load_if_exists=True, direction="minimize",
        )  # fmt: skip
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
        self._first = _in_order(methods, bench)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The lines of the log, in order."""
        return [json.loads(trial.user_attrs[ENTRY]) for trial in self._finished()]

    def ask(self) -> tuple[optuna.Trial, Method, Params]:
        """Return the next trial, its method and its settings."""
        number = len(self._finished())
        self._study.sampler = self._sampler(number)
        if number < len(self._first):
            method, params = self._first[number]
            self._study.enqueue_trial({"method": method.name, **params})
        trial = self._study.ask()
        by_name = {method.name: method for method in self._methods}
        method = by_name[trial.suggest_categorical("method", list(by_name))]
        params = method.draw(trial, self._bench)
        return trial, method, params

    def tell(
        self, trial: optuna.Trial, entry: Mapping[str, Any], beyond: Mapping[str, float]
    ) -> None:  # fmt: skip
        """Keep what came of a trial.

        Args:
            trial: what ``ask`` gave.
            entry: its line in the log.
            beyond: what is beyond each limit, in parts of it.
        """
        for name, value in beyond.items():
            trial.set_constraint(name, value)
        trial.set_user_attr(ENTRY, json.dumps(entry, sort_keys=True))
        self._study.tell(trial, sum(beyond.values()))

    def _finished(self) -> list[optuna.trial.FrozenTrial]:
        from optuna.trial import TrialState

        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Return the tree-structured Parzen estimator for a trial (Bergstra et al., NIPS 2011)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            return self._optuna.samplers.TPESampler(
                seed=self._bench.wanted.settings.seed + number, n_startup_trials=STARTUP,
                multivariate=True, group=True,
            )  # fmt: skip


def _in_order(methods: Sequence[Method], bench: Bench) -> list[tuple[Method, Params]]:
    """Return what is tried first, what is quick before what is not."""
    found = [(method, params) for method in methods for params in method.first(bench)]
    return sorted(found, key=lambda pair: pair[0].work(pair[1], bench))
