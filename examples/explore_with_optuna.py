"""Optuna decides which precisions of a float network hwflow evaluates.

    python examples/explore_with_optuna.py --run build/optuna

Optuna's NSGA-II asks, hwflow answers with exact right answers and estimated costs. The front, its
held-out accuracies and the designs are hwflow's own, as after ``hwflow explore``.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded

import optuna

import hwflow

HERE = Path(__file__).parent


class OptunaSearch:
    """A searcher for ``hwflow.explore``: generations of 16 trials."""

    def __init__(self, space, seed):
        sampler = optuna.samplers.NSGAIISampler(population_size=16, seed=seed)
        self.space = space
        self.study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)

    def ask(self, most):
        """Return the numbers of configurations."""
        self.trials = [self.study.ask() for _ in range(min(most, 16))]
        return [self.space.number(self.digits(trial)) for trial in self.trials]

    def digits(self, trial):
        """Return the option that a trial takes of each variable."""
        return [trial.suggest_int(v.name, 0, len(v.options) - 1) for v in self.space.variables]

    def tell(self, numbers, quality, costs):
        """Take in right answers and shares of the board."""
        for trial, right, cost in zip(self.trials, quality, costs[:, 0], strict=True):
            self.study.tell(trial, [float(right), float(cost)])


def main():
    """Explore, and print the front."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", required=True, help="folder of the run")
    parser.add_argument("--bits", default="w=2:4 a=2,4", help="options of weights and activations")
    parser.add_argument("--evaluations", type=int, default=200)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    run = hwflow.explore(
        HERE / "digits_float.onnx", HERE / "digits.npz", run=given.run, board="zcu104",
        bits=given.bits, evaluations=given.evaluations, search=OptunaSearch,
    )  # fmt: skip
    print(run)
    for point in run.front()["points"]:
        print(f"{point['search']['accuracy']:.1%} for {point['share']:.1%} of the board")


if __name__ == "__main__":
    main()
